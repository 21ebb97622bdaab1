//! The program `switchback`. Only this file ends the process.

use std::process::ExitCode;

use clap::Parser;
use switchback::{
    cli::Cli,
    commands,
    context::Context,
    error::CommandError,
    notice,
    printer::{Output, Printer, Wishes},
    wrong_usage,
};
use switchback_core::Interrupt;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// A list of thousands is made of many small values: a quarter of such a command's time goes into
/// the system's allocator, half as much into this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if notice::refresh_if_asked() {
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wanted_output()),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(_) => switchback::exit_code::ExitCode::Failed.into(),
    }
}

/// `--help` and `--version` are results; anything else is wrong usage, which programs are told in the
/// form that they asked for.
fn usage(error: &clap::Error, output: Output) -> ExitCode {
    // A pipe that was closed early is no error of ours.
    if !error.use_stderr() {
        drop(error.print());
        return switchback::exit_code::ExitCode::Done.into();
    }
    if output == Output::Text {
        drop(error.print());
    } else {
        let printer = Printer::standard(Wishes { output, ..Wishes::default() });
        drop(printer.error(&wrong_usage::error(error).document()));
    }
    switchback::exit_code::ExitCode::Usage.into()
}

/// The form of the output, of words that make no sense as a whole.
fn wanted_output() -> Output {
    let words = std::env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned());
    wrong_usage::wanted_output(words, std::env::var("SWITCHBACK_OUTPUT").ok().as_deref())
}

async fn run(cli: Cli) -> ExitCode {
    let (sender, receiver) = watch::channel(false);
    let context = Context::new(cli.global.clone(), Interrupt(receiver));
    heed_signals(sender, context.printer.clone());
    let code = commands::run(&context, cli.command).await;
    context.say_notice();
    code.into()
}

/// The first SIGINT or SIGTERM asks for the way back; a second one leaves at once, with the journal
/// intact, and says so. SIGHUP stops nothing: a closed terminal must not strand an update.
#[expect(clippy::exit, reason = "a second signal leaves at once; recovery has the journal")]
fn heed_signals(sender: watch::Sender<bool>, printer: Printer) {
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
            let is_busy = switchback::context::is_busy();
            if was_asked || !is_busy {
                // A person who ends what only looks knows it.
                if is_busy || printer.output() != Output::Text {
                    printer.last_word(&left_at_once(is_busy).document());
                }
                std::process::exit(code);
            }
        }
    });
}

/// Why there is no result.
fn left_at_once(is_busy: bool) -> CommandError {
    if is_busy {
        return CommandError::new(
            "interrupted",
            "left at once by a second signal; what was begun is as it was left",
        )
        .hint("switchback recover");
    }
    CommandError::new("interrupted", "ended by a signal before there was a result")
}
