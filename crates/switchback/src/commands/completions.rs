//! `completions`: what a shell reads to complete our words.

use clap::CommandFactory as _;

use crate::{
    cli::{Cli, CompletionsArgs},
    context::Context,
    error::CommandError,
    exit_code::ExitCode,
    operate::Answer,
};

/// `switchback completions`
pub(super) fn completions(context: &Context, args: &CompletionsArgs) -> Answer<ExitCode> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "switchback", &mut bytes);
    script(context, &bytes)
}

/// Prints what another program reads: the same in every output format. A closed pipe is no error of
/// ours.
pub(super) fn script(context: &Context, bytes: &[u8]) -> Answer<ExitCode> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| CommandError::new("internal", error.to_string()))?;
    drop(context.printer.script(text));
    Ok(ExitCode::Done)
}
