//! `logs`: what an operation logged.

use serde_json::{Value, json};

use super::show::find;
use crate::{
    cli::LogsArgs,
    context::{Context, only},
    display::text::one_line,
    error::CommandError,
    exit_code::ExitCode,
    operate::Answer,
    store::{LogChunk, Operation, Store},
};

/// `switchback logs`
pub(super) fn logs(context: &Context, args: LogsArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let store = context.store_to_read(Some(&config))?;
    let operation = match (&args.name, &args.operation) {
        (name, Some(id)) => find(&store, name.as_deref(), id)?,
        (name, None) => {
            let name = only(&config, name.as_deref())?.name.clone();
            last_with_a_log(&store, &name)?
        }
    };
    let id = &operation.begun.id;
    let chunks = store.logs(id)?;
    let listed: Vec<Value> =
        chunks.iter().map(|it| json!({ "stream": it.stream, "text": it.text })).collect();
    let document =
        json!({ "deployment": operation.begun.deployment, "operation": id, "logs": listed });
    let shown = match chunks.is_empty() {
        true => format!("Operation {id} logged nothing\n"),
        false => chunks.iter().map(lines).collect(),
    };
    drop(context.printer.result(&shown, &document));
    Ok(ExitCode::Done)
}

/// The newest operation that logged something, else the newest. A hundred back is enough: with
/// nothing to say for that long, there is nothing to look for.
fn last_with_a_log(store: &Store, name: &str) -> Answer<Operation> {
    let mut operations = store.history(Some(name), 100, None)?;
    for at in 0..operations.len() {
        if !store.logs(&operations[at].begun.id)?.is_empty() {
            return Ok(operations.swap_remove(at));
        }
    }
    match operations.is_empty() {
        false => Ok(operations.swap_remove(0)),
        true => Err(CommandError::new("not_found", format!("nothing was done to {name} yet"))
            .hint(format!("switchback update {name}"))),
    }
}

/// Each line with where it came from, and nothing that a terminal would obey.
fn lines(chunk: &LogChunk) -> String {
    let stream = one_line(&chunk.stream);
    let lines: Vec<String> =
        chunk.text.lines().map(|line| format!("[{stream}] {}\n", one_line(line))).collect();
    lines.concat()
}
