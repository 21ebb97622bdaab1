//! `status`: what runs, as last seen, or looked at now.

use std::{collections::HashMap, io::IsTerminal as _, time::Duration};

use serde_json::{Value, json};
use switchback_core::event::PhaseName;

use crate::{
    cli::StatusArgs,
    config::Deployment,
    context::{Context, chosen, only},
    display::result as text,
    error::CommandError,
    exit_code::ExitCode,
    operate::{
        Answer, journal,
        look::{Looker, as_last_seen, phase_of},
        who::{Who, is_alive},
    },
    printer::Output,
    store::{Operation, Store},
};

/// Between two looks of `--watch`.
const WATCH_PAUSE: Duration = Duration::from_secs(2);

/// Takes everything off a terminal, the lines above the screen too, and goes to its top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[3J";

/// `switchback status`
pub(super) async fn status(context: &Context, args: StatusArgs) -> Answer<ExitCode> {
    if args.watch && context.printer.output() == Output::Json {
        return Err(watched_as_one(args.name.as_deref()));
    }
    let config = context.config()?;
    let deployments = match &args.name {
        Some(name) => vec![only(&config, Some(name))?],
        None => chosen(&config, &[])?,
    };
    let looks = args.refresh || args.name.is_some();
    // What was looked at is remembered.
    let store = match looks {
        true => context.store(Some(&config))?,
        false => context.store_to_read(Some(&config))?,
    };
    if args.watch {
        return watch(context, &store, &deployments, looks).await;
    }
    let document = document(&store, &deployments, looks).await?;
    print(context, &document);
    Ok(exit_code(&document))
}

/// What never ends is no document.
fn watched_as_one(name: Option<&str>) -> CommandError {
    let words: Vec<&str> =
        ["switchback", "status"].into_iter().chain(name).chain(["-w", "-o", "ndjson"]).collect();
    CommandError::new("usage", "-o json is one document, and --watch prints one after another")
        .hint(shell_words::join(words))
}

async fn document(store: &Store, deployments: &[&Deployment], looks: bool) -> Answer<Value> {
    let rows = match looks {
        true => Looker::new(store)?.rows(deployments).await?,
        false => as_stored(store, deployments)?,
    };
    Ok(json!({ "deployments": rows }))
}

fn print(context: &Context, document: &Value) {
    let now = jiff::Timestamp::now();
    drop(context.printer.result(&text::status(document, now), document));
}

/// A look that failed is a failure; whatever a look saw is an answer.
fn exit_code(document: &Value) -> ExitCode {
    let rows = document["deployments"].as_array();
    let has_failed = rows.into_iter().flatten().any(|it| it.get("error").is_some());
    if has_failed { ExitCode::Failed } else { ExitCode::Done }
}

/// Everything as last seen: four reads of our own store, however much was ever done.
fn as_stored(store: &Store, deployments: &[&Deployment]) -> Answer<Vec<Value>> {
    let seen = store.observations()?;
    let seen: HashMap<&str, _> = seen.iter().map(|it| (it.name.as_str(), it)).collect();
    let holds: HashMap<String, String> = store.holds()?.into_iter().collect();
    let checks = store.checks()?;
    let checks: HashMap<&str, &str> =
        checks.iter().map(|it| (it.deployment.as_str(), it.check_json.as_str())).collect();
    let mut open: HashMap<String, (PhaseName, Operation)> = HashMap::new();
    let host = Who::of_this_process().host;
    for operation in store.open_operations()? {
        let phase = phase(store, &host, &operation)?;
        open.insert(operation.begun.deployment.clone(), (phase, operation));
    }
    let row = |it: &&Deployment| {
        let name = it.name.as_str();
        let open = open.get(name).map(|(phase, operation)| (*phase, operation));
        let held = holds.get(name).map(String::as_str);
        as_last_seen(it, seen.get(name).copied(), open, held, checks.get(name).copied())
    };
    Ok(deployments.iter().map(row).collect())
}

/// Only what a living process works on has a phase to be read; there are as many as processes.
fn phase(store: &Store, host: &str, operation: &Operation) -> Answer<PhaseName> {
    let is_here = operation.begun.host == host;
    if is_here && !is_alive(operation.begun.pid) {
        return Ok(PhaseName::Interrupted);
    }
    Ok(phase_of(&journal::load(store, &operation.begun.id)?))
}

async fn watch(
    context: &Context,
    store: &Store,
    deployments: &[&Deployment],
    looks: bool,
) -> Answer<ExitCode> {
    loop {
        let document = document(store, deployments, looks).await?;
        let mut shown = text::status(&document, jiff::Timestamp::now());
        if std::io::stdout().is_terminal() && context.printer.escapes() {
            shown.insert_str(0, CLEAR);
        }
        let is_written = context.printer.result(&shown, &document).is_ok();
        if !is_written || context.printer.is_unread() {
            return Ok(ExitCode::Done);
        }
        tokio::time::sleep(WATCH_PAUSE).await;
    }
}
