//! A small real service with data of its own, to be updated by tests and by the demo.
//!
//! `GET /` names it, `GET /health` tells how it is, `POST /rows` adds a row, `GET /rows` counts
//! them, `GET /columns` names the columns of their table. `ledger probe` asks a running one for its
//! health and exits 0 or 1: an image's HEALTHCHECK.

mod behaviour;
mod serve;
mod store;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use behaviour::{Behaviour, Health};
use store::Store;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let outcome = Behaviour::from_environment().and_then(|behaviour| {
        if std::env::args().nth(1).as_deref() == Some("probe") {
            Ok(probe(behaviour.port))
        } else {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| error.to_string())?.block_on(run(behaviour))
        }
    });
    outcome.unwrap_or_else(|error| {
        say(&format!("ledger: {error}"));
        ExitCode::from(2)
    })
}

/// Serves until a signal or a configured fault ends it.
async fn run(behaviour: Behaviour) -> Result<ExitCode, String> {
    // Before everything else: the kernel drops signals that the first process of a container has
    // no handler for, and a stop would then wait its full 10 s.
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let ignores_sigterm = behaviour.ignores_sigterm;
    let crash = behaviour.health;
    tokio::select! {
        ended = start(behaviour) => ended,
        () = crash_later(crash) => { say("ledger: crashing as configured"); Ok(ExitCode::FAILURE) }
        () = async {
            while terminate.recv().await.is_some() && ignores_sigterm {
                say("ledger: ignoring SIGTERM as configured");
            }
        } => Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
    }
}

async fn start(behaviour: Behaviour) -> Result<ExitCode, String> {
    tokio::time::sleep(behaviour.start_delay).await;
    let store = Store::open(&behaviour.database, behaviour.migrate)
        .map_err(|error| format!("{}: {error}", behaviour.database))?;
    if behaviour.health == Health::Exit0 {
        say("ledger: ending as configured");
        return Ok(ExitCode::SUCCESS);
    }
    serve::serve(behaviour, store).await.map_err(|error| error.to_string())
}

async fn crash_later(health: Health) {
    match health {
        Health::CrashAfter(delay) => tokio::time::sleep(delay).await,
        _ => std::future::pending().await,
    }
}

/// One health check of a ledger on this machine. Any failure to get an answer is an ill ledger.
fn probe(port: u16) -> ExitCode {
    let patience = Duration::from_secs(2);
    let answer = || -> std::io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        stream.take(4096).read_to_string(&mut text)?;
        Ok(text)
    };
    let healthy = answer().is_ok_and(|text| text.split(' ').nth(1) == Some("200"));
    if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One line on stderr; a container without a reader of its output must not fail by it.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}
