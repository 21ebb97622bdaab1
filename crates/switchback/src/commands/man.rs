//! `man`: the manual page, made from the words of the command line.

use clap::CommandFactory as _;

use super::completions::script;
use crate::{
    cli::Cli, context::Context, error::CommandError, exit_code::ExitCode, operate::Answer,
};

/// `switchback man`
pub(super) fn man(context: &Context) -> Answer<ExitCode> {
    let failed = |error: std::io::Error| CommandError::new("internal", error.to_string());
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(failed)?;
    // One page for all: each command is a part of it, as `git` and `docker` print for one command.
    for part in command.get_subcommands().filter(|it| it.get_name() != "help") {
        let man = clap_mangen::Man::new(part.clone());
        let heading = format!(".SH {}\n", part.get_name().to_uppercase());
        page.extend_from_slice(heading.as_bytes());
        man.render_synopsis_section(&mut page).map_err(failed)?;
        man.render_description_section(&mut page).map_err(failed)?;
        man.render_options_section(&mut page).map_err(failed)?;
    }
    script(context, &page)
}
