//! One file per verb. A command gets resolved values and a printer, and returns an exit code.

mod adopt;
mod check;
mod completions;
mod config;
mod consent;
mod follow;
mod forget;
mod found;
mod gc;
mod health;
mod history;
mod init;
mod logs;
mod man;
mod quarantine;
mod show;
mod status;
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
        Command::Init(args) => init::init(context, args).await,
        Command::Adopt(args) => adopt::adopt(context, args).await,
        Command::Forget(args) => forget::forget(context, args).await,
        Command::Gc(args) => gc::gc(context, args).await,
        Command::Config(command) => config::config(context, command),
        Command::Check(args) => check::check(context, args).await,
        Command::Plan(args) => update::plan(context, args).await,
        Command::Update(args) => update::update(context, args).await,
        Command::Rollback(args) => update::rollback(context, args).await,
        Command::Quarantine(args) => quarantine::quarantine(context, args).await,
        Command::Status(args) => status::status(context, args).await,
        Command::History(args) => history::history(context, args),
        Command::Show(args) => show::show(context, args).await,
        Command::Logs(args) => logs::logs(context, args),
        Command::Recover(args) => update::recover(context, args).await,
        Command::Health(args) => health::health(context, args).await,
        Command::Completions(args) => completions::completions(context, &args),
        Command::Man => man::man(context),
    }
}

/// Prints an error. A closed pipe is no error of its own.
pub(crate) fn fail(context: &Context, error: &CommandError) -> ExitCode {
    drop(context.printer.error(&error.document()));
    error.exit_code()
}
