//! `check`: is there something newer?

use serde_json::{Value, json};

use crate::{
    cli::NamesArgs,
    context::{Context, chosen},
    display::result as text,
    exit_code::ExitCode,
    operate::{Answer, check as look},
};

/// `switchback check`
pub(super) async fn check(context: &Context, args: NamesArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let chosen = chosen(&config, &args.names)?;
    let store = context.store(Some(&config))?;
    let found = look::check(&store, context.registry()?, &chosen).await?;
    let code = ExitCode::worst(found.iter().map(worth));
    let document = json!({ "deployments": found });
    drop(context.printer.result(&text::check(&document), &document));
    Ok(code)
}

/// What one answer is worth. What was rejected is nothing that anybody has to do.
fn worth(found: &Value) -> ExitCode {
    match found["status"].as_str() {
        Some("up_to_date" | "quarantined") => ExitCode::Done,
        Some("available") => ExitCode::Available,
        // A fixed version that runs is as it is wanted, and still nobody can say more.
        _ => ExitCode::Unknown,
    }
}
