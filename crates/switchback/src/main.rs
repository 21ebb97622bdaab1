//! The program `switchback`. Only this file ends the process.

use std::process::ExitCode;

use clap::Parser;
use switchback::{cli::Cli, commands, context::Context, notice};
use switchback_core::Interrupt;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

fn main() -> ExitCode {
    if notice::refresh_if_asked() {
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(_) => switchback::exit_code::ExitCode::Failed.into(),
    }
}

/// `--help` and `--version` are results; anything else is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    // A pipe that was closed early is no error of ours.
    drop(error.print());
    if error.use_stderr() {
        switchback::exit_code::ExitCode::Usage.into()
    } else {
        switchback::exit_code::ExitCode::Done.into()
    }
}

async fn run(cli: Cli) -> ExitCode {
    let interrupt = interrupts();
    let context = Context::new(cli.global.clone(), interrupt);
    let code = commands::run(&context, cli.command).await;
    context.say_notice();
    code.into()
}

/// The first SIGINT or SIGTERM asks for the way back; a second one leaves at once, with the journal
/// intact. SIGHUP stops nothing: a closed terminal must not strand an update.
#[expect(clippy::exit, reason = "a second signal leaves at once; recovery has the journal")]
fn interrupts() -> Interrupt {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        ) else {
            return;
        };
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
                _ = hang_up.recv() => continue,
            };
            let was_asked = sender.send_replace(true);
            switchback::context::note_signal(code);
            if was_asked || !switchback::context::is_busy() {
                std::process::exit(code);
            }
        }
    });
    Interrupt(receiver)
}
