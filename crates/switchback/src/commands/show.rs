//! `show`: a deployment, one of its releases, or one operation, whole.

use serde_json::{Map, Value, json};
use switchback_core::Record;
use switchback_targets::{
    container::document::{KeptRelease, TargetState},
    keeper,
};

use crate::{
    cli::ShowArgs,
    config::{Config, MASK},
    context::{Context, only},
    display::result as text,
    error::CommandError,
    exit_code::ExitCode,
    operate::{
        Answer,
        connect::{Connected, Fact, Kept, connect},
        decisions, journal,
        look::{EngineView, Looker, Scope, rung, rung_word, time},
        operation_document,
        who::Who,
    },
    store::{Lookup, Operation, Store},
};

/// `switchback show`
pub(super) async fn show(context: &Context, args: ShowArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let store = context.store(Some(&config))?;
    let (name, what) = words(&config, args);
    let document = match what.as_deref() {
        None => deployment(&config, &store, name.as_deref()).await?,
        Some(word) => match release_number(word) {
            Some(number) => release(&config, &store, name.as_deref(), number).await?,
            None => operation(&store, name.as_deref(), word)?,
        },
    };
    drop(context.printer.result(&text::show(&document), &document));
    Ok(ExitCode::Done)
}

/// With one word only, it is a name if a deployment has it, and else what to show.
fn words(config: &Config, args: ShowArgs) -> (Option<String>, Option<String>) {
    match (args.name, args.what) {
        (Some(word), None) if !config.deployments.contains_key(&word) && is_what(&word) => {
            (None, Some(word))
        }
        other => other,
    }
}

/// A release, or what could be an operation's id.
fn is_what(word: &str) -> bool {
    let is_id =
        word.len() >= 6 && word.bytes().all(|it| it.is_ascii_digit() || it.is_ascii_lowercase());
    release_number(word).is_some() || is_id && word.bytes().any(|it| it.is_ascii_digit())
}

fn release_number(word: &str) -> Option<u32> {
    word.strip_prefix('r')?.parse().ok()
}

/// The operation of that id, or of that beginning of one.
pub(super) fn find(store: &Store, name: Option<&str>, id: &str) -> Answer<Operation> {
    let listing = match name {
        Some(name) => format!("switchback history {name}"),
        None => "switchback history".to_owned(),
    };
    let not_found = |message: String| CommandError::new("not_found", message).hint(listing.clone());
    match store.operation(id)? {
        Lookup::Found(operation) => match name {
            Some(name) if operation.begun.deployment != name => Err(not_found(format!(
                "operation {} was one of {}, not of {name}",
                operation.begun.id, operation.begun.deployment
            ))),
            _ => Ok(*operation),
        },
        Lookup::Missing => Err(not_found(format!("there is no operation {id}"))),
        Lookup::Ambiguous(ids) => {
            Err(CommandError::new("usage", format!("{id} may be any of {}", ids.join(", ")))
                .hint(listing))
        }
    }
}

/// An operation: its result, its records in words, its log.
fn operation(store: &Store, name: Option<&str>, id: &str) -> Answer<Value> {
    let operation = find(store, name, id)?;
    let id = &operation.begun.id;
    let mut object = operation_document::document(&operation, &Who::of_this_process().host);
    let records = journal::load(store, id)?;
    object["records"] = json!(in_words(&records));
    let logs = store.logs(id)?;
    let logs: Vec<Value> =
        logs.iter().map(|it| json!({ "stream": it.stream, "text": it.text })).collect();
    object["logs"] = json!(logs);
    Ok(object)
}

/// Each record as step, state and, where it is known, the time.
fn in_words(records: &[Fact]) -> Vec<Value> {
    let title = |record: &Fact| {
        let Some(Record::Opened { plan, .. }) = records.first() else { return None };
        Some(plan.step(record.step()?)?.change.to_string())
    };
    records
        .iter()
        .map(|record| {
            let (state, detail) = state(record);
            let mut object = Map::new();
            if let Some(at) = at(record) {
                object.insert("time".to_owned(), json!(at));
            }
            if let Some(title) = title(record) {
                object.insert("step".to_owned(), json!(title));
            }
            object.insert("state".to_owned(), json!(state));
            if let Some(detail) = detail {
                object.insert("message".to_owned(), json!(detail));
            }
            Value::Object(object)
        })
        .collect()
}

fn at(record: &Fact) -> Option<String> {
    match record {
        Record::StepStarted { at, .. } => Some(time(*at)),
        _ => None,
    }
}

fn state(record: &Fact) -> (&'static str, Option<String>) {
    match record {
        Record::Opened { .. } => ("opened", None),
        Record::StepStarted { .. } => ("started", None),
        Record::StepApplied { receipt: Some(_), .. } => ("done", None),
        Record::StepApplied { receipt: None, .. } => ("skipped", None),
        Record::StepAbandoned { error, .. } => ("abandoned", Some(error.to_string())),
        Record::Verified { .. } => ("verified", None),
        Record::Interrupted => ("interrupted", None),
        Record::RollbackStarted { cause } => ("going back", Some(cause.to_string())),
        Record::StepUndone { .. } => ("undone", None),
        Record::Retried => ("tried again", None),
        Record::Accepted => ("accepted", None),
        Record::Committed => ("committed", None),
        Record::Closed { .. } => ("closed", None),
    }
}

/// A deployment whole: what runs, its releases, what is set aside, who owns it.
async fn deployment(config: &Config, store: &Store, name: Option<&str>) -> Answer<Value> {
    let deployment = only(config, name)?;
    let (connected, view, kept) = look(deployment).await?;
    let looker = Looker::new(store)?;
    let sight = looker.see(&view, &connected, Scope::One).await?;
    looker.remember(&[&sight])?;
    let mut document = sight.row;
    let name = &connected.name;
    if let Some(state) = &kept.state {
        let releases: Vec<Value> =
            state.releases.iter().map(|it| summary(&view, state, it)).collect();
        document["releases"] = json!(releases);
        let owner = &state.owner;
        document["owner"] = json!({ "user": owner.user, "host": owner.host,
            "since": time(owner.since), "is_us": owner.store == store.id() });
        let snapshots: Vec<&Value> =
            releases.iter().filter(|it| it.get("snapshot").is_some()).collect();
        document["snapshots"] =
            json!(snapshots
            .iter()
            .map(|it| json!({ "release": it["release"], "operation": it["snapshot"]["operation"],
                "taken_at": it["snapshot"]["taken_at"] }))
            .collect::<Vec<_>>());
    }
    document["quarantine"] = super::quarantine::listed(store, name)?;
    document["container"] = json!(connected.target());
    Ok(document)
}

async fn look(deployment: &crate::config::Deployment) -> Answer<(Connected, EngineView, Kept)> {
    let connected = connect(deployment).await?;
    let view = EngineView::of(&connected.engine, &[connected.target()]).await?;
    let mut kept = view.kept(&connected)?;
    if let Some(state) = &mut kept.state {
        let gone = gone_snapshots(&connected, state).await?;
        state.drop_snapshots(&gone);
    }
    Ok((connected, view, kept))
}

/// Snapshots that are named in the record and are not there: somebody has removed our volume, or what
/// lay in it.
async fn gone_snapshots(connected: &Connected, state: &TargetState) -> Answer<Vec<String>> {
    let mut gone = Vec::new();
    for snapshot in state.releases.iter().filter_map(|it| it.release.snapshot.as_ref()) {
        let operation = &snapshot.operation;
        if !keeper::has_snapshot(&connected.engine, connected.target(), operation).await? {
            gone.push(operation.clone());
        }
    }
    Ok(gone)
}

fn summary(view: &EngineView, state: &TargetState, kept: &KeptRelease) -> Value {
    let release = &kept.release;
    let mut object = json!({
        "release": format!("r{}", release.number),
        "current": release.number == state.current,
        "rung": rung_word(rung(view, state, kept)),
        "version": release.version,
        "committed_at": time(release.at),
        "evidence": release.evidence,
        "image": kept.reference,
        "container": kept.name,
        "irreversible": release.irreversible,
    });
    if let Some(label) = &release.label {
        object["label"] = json!(label);
    }
    if let Some(operation) = &release.operation {
        object["operation"] = json!(operation);
    }
    if let Some(snapshot) = &release.snapshot {
        object["snapshot"] =
            json!({ "operation": snapshot.operation, "taken_at": time(snapshot.at) });
    }
    object
}

/// One release: what makes its container again, less what is secret.
async fn release(config: &Config, store: &Store, name: Option<&str>, number: u32) -> Answer<Value> {
    let deployment = only(config, name)?;
    let (connected, view, kept) = look(deployment).await?;
    let name = &connected.name;
    let state = kept.state.as_ref();
    let Some((state, found)) = state.and_then(|it| Some((it, it.release(number)?))) else {
        return Err(CommandError::new(
            "not_found",
            format!("no release r{number} of {name} is kept"),
        )
        .hint(format!("switchback show {name}")));
    };
    let mut object = summary(&view, state, found);
    object["deployment"] = json!(name);
    object["image_id"] = json!(found.image);
    if let Some(keep) = &found.keep {
        object["kept_as"] = json!(keep);
    }
    object["specification"] = without_secrets(&found.specification.body);
    let known = decisions::known(store, name, Some(state))?;
    let release = &found.release;
    if let Some(it) = known.rejection_of(&release.version, &release.specification) {
        object["quarantined"] = json!(it.reason);
    }
    Ok(object)
}

/// Below these lie what may be a secret besides environments: passwords stand in commands and health
/// checks, in labels that a proxy reads, and in the options of drivers.
const MAY_BE_SECRET: [&str; 7] =
    ["Cmd", "Entrypoint", "Labels", "Test", "Config", "Options", "DriverOpts"];

/// A specification without the values of its environment, and without what else may be a secret.
fn without_secrets(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(variables) = body.get_mut("Env").and_then(Value::as_array_mut) {
        for variable in variables {
            let text = variable.as_str().unwrap_or_default();
            let key = text.split('=').next().unwrap_or_default();
            *variable = json!(format!("{key}={MASK}"));
        }
    }
    hide(&mut body, false);
    body
}

/// Masks every text in what may be a secret; how many words and which keys there are stays.
fn hide(value: &mut Value, is_secret: bool) {
    match value {
        Value::String(text) if is_secret => MASK.clone_into(text),
        Value::Array(all) => all.iter_mut().for_each(|it| hide(it, is_secret)),
        Value::Object(all) => {
            for (key, it) in all {
                hide(it, is_secret || MAY_BE_SECRET.contains(&key.as_str()));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_is_shown_with_the_names_of_its_variables_only() {
        let shown =
            without_secrets(&json!({"Env": ["TOKEN=hush=hush", "EMPTY="], "Image": "web:1",
            "HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hush"}}}}));
        assert_eq!(shown["Env"], json!([format!("TOKEN={MASK}"), format!("EMPTY={MASK}")]));
        assert!(!shown.to_string().contains("hush"), "{shown}");
        assert_eq!(shown["Image"], "web:1");
    }

    #[test]
    fn commands_labels_checks_and_options_of_drivers_are_masked_and_counted() {
        let options = json!({"DriverConfig": {"Name": "cifs", "Options": {"o": "password=hush"}}});
        let endpoint = json!({"DriverOpts": {"key": "hush"}, "Aliases": ["db"]});
        let shown =
            without_secrets(&json!({"Cmd": ["--token", "hush"], "Labels": {"auth": "hush"},
            "Entrypoint": ["sh", "-c", "hush"], "User": "1:1",
            "Healthcheck": {"Test": ["CMD", "hush"], "Interval": 5},
            "HostConfig": {"Mounts": [{"Target": "/srv", "VolumeOptions": options}]},
            "NetworkingConfig": {"EndpointsConfig": {"net": endpoint}}}));
        assert!(!shown.to_string().contains("hush"), "{shown}");
        assert_eq!(shown["Cmd"], json!([MASK, MASK]));
        assert_eq!(shown["Labels"], json!({"auth": MASK}));
        assert_eq!((&shown["User"], &shown["Healthcheck"]["Interval"]), (&json!("1:1"), &json!(5)));
        assert_eq!(shown.pointer("/HostConfig/Mounts/0/Target"), Some(&json!("/srv")));
        assert!(shown.to_string().contains("\"Aliases\":[\"db\"]"), "{shown}");
    }

    #[test]
    fn one_word_may_be_a_release_or_an_operation() {
        assert!(is_what("r3") && is_what("01kade4x") && !is_what("web") && !is_what("production"));
    }
}
