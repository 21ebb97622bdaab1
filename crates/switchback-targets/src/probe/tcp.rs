//! One look by TCP: a connection that is accepted, and not closed at once.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::Looked;
use super::words::no_answer;
use crate::patience::within;
use crate::registry::cause;

/// Docker's proxy of a published port accepts by itself, and closes as soon as it has found nothing
/// behind the port, within a few milliseconds.
const STAYS_OPEN: Duration = Duration::from_millis(100);

/// Looks once at `host:port`, for at most `timeout`.
pub async fn tcp(address: &str, timeout: Duration) -> Looked {
    match within(timeout, look(address, STAYS_OPEN)).await {
        Some(looked) => looked,
        None => Looked::not_ready(no_answer(timeout)),
    }
}

/// As [`tcp`], with no limit to the connecting; whoever closes within that span has nobody behind.
pub(super) async fn look(address: &str, stays_open: Duration) -> Looked {
    let mut stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) => return Looked::not_ready(in_words(&error)),
    };
    let mut first = [0_u8; 1];
    match tokio::time::timeout(stays_open, stream.read(&mut first)).await {
        // Silent, or with a greeting: somebody is there.
        Err(_) | Ok(Ok(1..)) => Looked::ready("connection accepted"),
        Ok(Ok(0)) => Looked::not_ready(
            "the connection was accepted and closed at once; nothing listens behind the port",
        ),
        Ok(Err(error)) => Looked::not_ready(in_words(&error)),
    }
}

fn in_words(error: &std::io::Error) -> String {
    match cause::words_of_kind(error.kind()) {
        Some(words) => words.to_owned(),
        // Name resolution has no kind of its own, and a text that names the library.
        None if error.to_string().contains("lookup address") => cause::NO_SUCH_HOST.to_owned(),
        None => error.to_string(),
    }
}
