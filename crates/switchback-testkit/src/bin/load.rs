//! A load on a service: a hundred requests a second until SIGINT or SIGTERM, then one line of JSON.

use std::io::Write as _;
use std::process::ExitCode;

use switchback_testkit::lab::Prober;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["post", url] => run(|| Prober::start_posting(url)),
        ["get", url] => run(|| Prober::start(url)),
        _ => Err(std::io::Error::other("usage: load get|post URL")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "load: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn run(start: impl FnOnce() -> Prober) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let prober = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let prober = start();
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        Ok::<_, std::io::Error>(prober)
    })?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&prober.stop())?)
}
