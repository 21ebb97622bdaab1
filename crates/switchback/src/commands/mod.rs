//! One file per verb. A command gets resolved values and a printer, and returns an exit code.

mod follow;
mod update;

use crate::{
    cli::Command, context::Context, error::CommandError, exit_code::ExitCode, operate::Answer,
};

/// Runs a command, and prints its error if it has one.
pub async fn run(context: &Context, command: Command) -> ExitCode {
    let done = dispatch(context, command).await;
    done.unwrap_or_else(|error| fail(context, &error))
}

async fn dispatch(context: &Context, command: Command) -> Answer<ExitCode> {
    match command {
        Command::Update(args) => update::update(context, args).await,
        Command::Rollback(args) => update::rollback(context, args).await,
        Command::Recover(args) => update::recover(context, args).await,
        Command::Plan(args) => update::plan(context, args).await,
        _ => Err(CommandError::new("usage", "not yet")),
    }
}

/// Prints an error. A closed pipe is no error of its own.
pub(crate) fn fail(context: &Context, error: &CommandError) -> ExitCode {
    drop(context.printer.error(&error.document()));
    error.exit_code()
}
