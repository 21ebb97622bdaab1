//! `history`: what was done, by whom, when, from where, and how it ended.

use serde_json::{Value, json};

use crate::{
    cli::HistoryArgs,
    context::Context,
    display::result as text,
    error::CommandError,
    exit_code::ExitCode,
    operate::{Answer, operation_document, who::Who},
};

/// `switchback history`
pub(super) fn history(context: &Context, args: HistoryArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let store = context.store_to_read(Some(&config))?;
    let operations = store.history(args.name.as_deref(), args.limit, None)?;
    if let Some(name) = args.name.as_deref().filter(|_| operations.is_empty()) {
        // What was forgotten or taken out of the configuration still has its history.
        let is_known = config.deployments.contains_key(name) || store.deployment(name)?.is_some();
        if !is_known {
            return Err(CommandError::new("not_found", format!("there is no deployment {name}"))
                .hint("switchback history   # of all"));
        }
    }
    let host = Who::of_this_process().host;
    let operations: Vec<Value> =
        operations.iter().map(|it| operation_document::document(it, &host)).collect();
    let document = json!({ "operations": operations });
    let shown = text::history(&document, jiff::Timestamp::now());
    drop(context.printer.result(&shown, &document));
    Ok(ExitCode::Done)
}
