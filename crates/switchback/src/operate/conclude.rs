//! Writes the end of an operation down, and tells everybody.
//!
//! A recovery ends two: the operation that was interrupted, which keeps its line in the history with
//! its outcome and who brought it there, and the recovery itself, which has a line of its own.

use serde_json::{Value, json};
use switchback_core::{Record, event::EventKind};

use super::{
    Answer, Surroundings,
    connect::{Connected, Fact},
    drive::Follow,
    execute::{self, Ended},
    look::time,
    now,
    recover::Interrupted,
    result::{self, Facts},
    service_url::service_url,
};
use crate::{
    exit_code::ExitCode,
    store::{Finish, Lookup, NewOperation, Operation},
};

/// What an end is the end of.
#[derive(Debug)]
pub(crate) enum Role<'a> {
    /// What was asked for, with the document of its plan.
    Asked {
        /// `update` or `rollback`.
        action: &'a str,
        /// Who asked: a person, the schedule, a program.
        trigger: &'a str,
        /// What was shown before anybody agreed.
        plan: &'a Value,
    },
    /// The recovery of an earlier operation.
    Recovery {
        /// Its own id; none where nothing was left to be finished or undone, only to be noted.
        id: Option<String>,
    },
}

impl Role<'_> {
    /// The recovery of what was found half-way.
    pub(crate) fn of_recovery(interrupted: &Interrupted) -> Self {
        Self::Recovery { id: (!interrupted.has_ended()).then(execute::id) }
    }
}

/// Writes the end of an operation down, and tells everybody.
pub(crate) async fn conclude(
    around: &Surroundings<'_>,
    connected: &Connected,
    role: Role<'_>,
    ended: &Ended,
    follow: &dyn Follow,
) -> Value {
    let finished_at = now();
    let (action, trigger, plan) = match &role {
        Role::Asked { action, trigger, plan } => (*action, *trigger, *plan),
        Role::Recovery { .. } => ("recover", "recovery", &Value::Null),
    };
    let killed = ended.killed.iter().map(|it| it.after(&connected.settings));
    let facts = Facts {
        operation: &ended.operation,
        deployment: &connected.name,
        action,
        trigger,
        records: &ended.records,
        outcome: ended.outcome.as_ref(),
        evidence: ended.evidence.as_ref(),
        span: (ended.started_at, finished_at),
        downtime_ms: Some(follow.downtime().total(finished_at)),
        specified: specified(plan),
        warnings: strings(&plan["warnings"]).into_iter().chain(killed).collect(),
        url: url_now(connected).await,
    };
    let mut document = result::document(&facts);
    // What became of the target is the result, even where no record of it can be kept here.
    let written = match &role {
        Role::Asked { .. } => write_down(around, ended, &document, finished_at, None),
        Role::Recovery { id } => {
            if let Some(id) = id {
                document["recovery"] = json!(id);
            }
            recovered(around, connected, id.as_deref(), facts, &document, ended)
        }
    };
    if let Err(error) = written
        && let Some(warnings) = document["warnings"].as_array_mut()
    {
        warnings.push(json!(format!("the end of the operation is not in the history: {error}")));
    }
    let reporter = super::report::reporter(around, &ended.operation, &connected.name);
    reporter.send(now(), EventKind::Finished { result: Box::new(document.clone()) });
    document
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Which parts of the specification a plan changes.
fn specified(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().into_iter().flatten();
    let paths = changes.filter_map(|it| it["path"].as_str().filter(|it| *it != "image"));
    paths.map(str::to_owned).collect()
}

/// Writes down how an operation ended that somebody else had begun, and that we have ended it.
fn recovered(
    around: &Surroundings<'_>,
    connected: &Connected,
    recovery: Option<&str>,
    facts: Facts<'_>,
    document: &Value,
    ended: &Ended,
) -> Answer<()> {
    let finished_at = facts.span.1;
    let theirs = match around.store.operation(&ended.operation)? {
        Lookup::Found(theirs) => theirs,
        Lookup::Missing | Lookup::Ambiguous(_) => return Ok(()),
    };
    let object = end_of_interrupted(around, &theirs, facts, recovery);
    write_down(around, ended, &object, finished_at, recovery.map(str::to_owned))?;
    match recovery.filter(|_| ended.outcome.is_ok()) {
        Some(id) => note_recovery(around, connected, id, document, (ended.started_at, finished_at)),
        None => Ok(()),
    }
}

/// The result of an operation as whoever brought it to its end can tell it.
fn end_of_interrupted(
    around: &Surroundings<'_>,
    theirs: &Operation,
    facts: Facts<'_>,
    recovery: Option<&str>,
) -> Value {
    let begun = &theirs.begun;
    let (finished_at, records) = (facts.span.1, facts.records);
    let mut object = result::document(&Facts {
        action: &begun.action,
        trigger: &begun.trigger,
        span: (begun.started_at, finished_at),
        // We have not seen all of it.
        downtime_ms: None,
        ..facts
    });
    if let Some((user, host)) = other_user(records, begun) {
        object["user"] = json!(user);
        object["host"] = json!(host);
    }
    if let Some(recovery) = recovery {
        let who = &around.who;
        object["recovered"] = json!({ "operation": recovery, "user": who.user, "host": who.host,
            "at": time(finished_at) });
    }
    object
}

/// Who began an operation, by its own first record, where that is not who is written here: another
/// store's, which we have copied under our own name.
pub(super) fn other_user<'a>(
    records: &'a [Fact],
    begun: &NewOperation,
) -> Option<(&'a str, &'a str)> {
    let Some(Record::Opened { holder, .. }) = records.first() else { return None };
    let here = format!("{}@{} (process {}, ", begun.user, begun.host, begun.pid);
    let (place, _) = holder.split_once(" (process ").filter(|_| !holder.starts_with(&here))?;
    place.rsplit_once('@')
}

/// The line of a recovery itself, from its beginning to its end.
fn note_recovery(
    around: &Surroundings<'_>,
    connected: &Connected,
    id: &str,
    document: &Value,
    (started_at, finished_at): (u64, u64),
) -> Answer<()> {
    let who = &around.who;
    around.store.begin(&NewOperation {
        id: id.to_owned(),
        deployment: connected.name.clone(),
        target_key: connected.target_key(),
        action: "recover".to_owned(),
        trigger: "recovery".to_owned(),
        user: who.user.clone(),
        host: who.host.clone(),
        pid: who.pid,
        command_line: who.command_line.clone(),
        started_at,
    })?;
    let of = document["operation"].as_str().map(str::to_owned);
    Ok(around
        .store
        .finish(id, &finish(document, ExitCode::of_recovery(document), finished_at, of))?)
}

fn finish(document: &Value, code: ExitCode, finished_at: u64, related: Option<String>) -> Finish {
    Finish {
        finished_at,
        outcome: document["outcome"].as_str().unwrap_or_default().to_owned(),
        exit_code: code.number(),
        error_code: document["error"]["code"].as_str().map(str::to_owned),
        result_json: document.to_string(),
        related,
    }
}

/// Puts the end of an operation into the store; the end first, what it logged after it.
fn write_down(
    around: &Surroundings<'_>,
    ended: &Ended,
    document: &Value,
    finished_at: u64,
    related: Option<String>,
) -> Answer<()> {
    // A lease that went to somebody else leaves the operation open here: theirs is the last word.
    if ended.outcome.is_ok() {
        let finish = finish(document, ExitCode::of_result(document), finished_at, related);
        around.store.finish(&ended.operation, &finish)?;
    }
    if let Some(evidence) = &ended.evidence {
        around.store.add_log(&ended.operation, "container", &evidence.log_tail.join("\n"))?;
        around.store.add_log(&ended.operation, "state", &evidence.state.to_string())?;
    }
    Ok(())
}

/// Where the service is, as far as the engine tells; without an answer the result goes without.
async fn url_now(connected: &Connected) -> Option<String> {
    let inspect = connected.engine.container(connected.target()).await.ok()??;
    service_url(&connected.settings, &connected.engine.location().url, &inspect)
}

/// An operation that died before its transaction began has changed nothing, and is over.
pub(crate) fn never_began(around: &Surroundings<'_>, id: &str) -> Answer<()> {
    let open = around.store.open_operations()?;
    if open.iter().all(|it| it.begun.id != id) {
        return Ok(());
    }
    over_elsewhere(around, id)
}

/// Writes down that an operation of ours is over, though not by our doing.
pub(crate) fn over_elsewhere(around: &Surroundings<'_>, id: &str) -> Answer<()> {
    let finish = Finish {
        finished_at: now(),
        outcome: "interrupted".to_owned(),
        exit_code: ExitCode::Interrupted.number(),
        error_code: Some("interrupted".to_owned()),
        result_json: json!({ "operation": id, "outcome": "interrupted", "success": false })
            .to_string(),
        related: None,
    };
    Ok(around.store.finish(id, &finish)?)
}
