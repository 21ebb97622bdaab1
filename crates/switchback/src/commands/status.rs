//! `status`: what runs, as last seen, or looked at now.

use std::{borrow::Cow, collections::HashMap, io::IsTerminal as _, time::Duration};

use serde_json::{Map, Value};
use switchback_core::event::PhaseName;

use crate::{
    cli::StatusArgs,
    config::Deployment,
    context::{Context, chosen, only},
    display::result::{self as text, Row},
    error::CommandError,
    exit_code::ExitCode,
    operate::{
        Answer, journal,
        look::{Looker, as_last_seen, phase_of},
        who::{Who, is_alive},
    },
    printer::Output,
    store::{Observation, Operation, Store, StoredCheck},
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
    let rows = Rows::gather(&store, &deployments, looks).await?;
    let rows = rows.in_order(&deployments);
    // A pipe that was closed early is no error of ours.
    drop(print(context, &rows, ""));
    Ok(exit_code(&rows))
}

/// What never ends is no document.
fn watched_as_one(name: Option<&str>) -> CommandError {
    let words: Vec<&str> =
        ["switchback", "status"].into_iter().chain(name).chain(["-w", "-o", "ndjson"]).collect();
    CommandError::new("usage", "-o json is one document, and --watch prints one after another")
        .hint(shell_words::join(words))
}

/// What rows are made of.
enum Rows {
    /// A look at each.
    Looked(Vec<Value>),
    /// What was seen last.
    Stored(Box<Stored>),
}

impl Rows {
    async fn gather(store: &Store, deployments: &[&Deployment], looks: bool) -> Answer<Self> {
        Ok(match looks {
            true => Self::Looked(Looker::new(store)?.rows(deployments).await?),
            false => Self::Stored(Box::new(Stored::read(store)?)),
        })
    }

    fn in_order<'a>(&'a self, deployments: &[&'a Deployment]) -> Vec<Row<'a>> {
        match self {
            Self::Looked(rows) => rows.iter().map(Row::of).collect(),
            Self::Stored(stored) => stored.rows(deployments),
        }
    }
}

/// Prints them, after what a terminal needs before them.
fn print(context: &Context, rows: &[Row<'_>], before: &str) -> std::io::Result<()> {
    let text = || (before.to_owned() + &text::status(rows, jiff::Timestamp::now())).into();
    let document = || {
        let rows = rows.iter().cloned().map(Row::into_value).collect();
        Cow::Owned(Value::Object(Map::from_iter([("deployments".to_owned(), rows)])))
    };
    context.printer.result_by(text, document)
}

/// A look that failed is a failure; whatever a look saw is an answer.
fn exit_code(rows: &[Row<'_>]) -> ExitCode {
    let has_failed = rows.iter().any(|it| it.get("error").is_some());
    if has_failed { ExitCode::Failed } else { ExitCode::Done }
}

/// Everything as last seen: four reads of our own store, however much was ever done.
struct Stored {
    seen: Vec<Observation>,
    holds: HashMap<String, String>,
    checks: Vec<StoredCheck>,
    open: HashMap<String, (PhaseName, Operation)>,
}

impl Stored {
    fn read(store: &Store) -> Answer<Self> {
        let mut open = HashMap::new();
        let host = Who::of_this_process().host;
        for operation in store.open_operations()? {
            let phase = phase(store, &host, &operation)?;
            open.insert(operation.begun.deployment.clone(), (phase, operation));
        }
        let holds = store.holds()?.into_iter().collect();
        Ok(Self { seen: store.observations()?, holds, checks: store.checks()?, open })
    }

    fn rows<'a>(&'a self, deployments: &[&'a Deployment]) -> Vec<Row<'a>> {
        let seen: HashMap<&str, _> = self.seen.iter().map(|it| (it.name.as_str(), it)).collect();
        let checks: HashMap<&str, &str> =
            self.checks.iter().map(|it| (it.deployment.as_str(), it.check_json.as_str())).collect();
        let row = |it: &&'a Deployment| {
            let name = it.name.as_str();
            let open = self.open.get(name).map(|(phase, operation)| (*phase, operation));
            let held = self.holds.get(name).map(String::as_str);
            as_last_seen(it, seen.get(name).copied(), open, held, checks.get(name).copied())
        };
        deployments.iter().map(row).collect()
    }
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
        let rows = Rows::gather(store, deployments, looks).await?;
        let may_clear = std::io::stdout().is_terminal() && context.printer.escapes();
        let before = if may_clear { CLEAR } else { "" };
        let is_written = print(context, &rows.in_order(deployments), before).is_ok();
        if !is_written || context.printer.is_unread() {
            return Ok(ExitCode::Done);
        }
        tokio::time::sleep(WATCH_PAUSE).await;
    }
}
