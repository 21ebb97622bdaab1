//! Why a request failed, in words of people and not of libraries.

use std::error::Error;
use std::io::ErrorKind;

pub(crate) const NO_SUCH_HOST: &str = "no such host";
const CLOSED: &str = "the connection was closed without an answer";

/// The cause at the bottom of a failed request: `connection refused`, `no such host`, …
///
/// Addresses are left out, because they may carry a password; the caller names the other side.
pub(crate) fn in_words(error: &reqwest::Error) -> String {
    let chain: Vec<&(dyn Error + 'static)> =
        std::iter::successors(error.source(), |&inner| inner.source()).collect();
    if let Some(kind) = chain.iter().rev().find_map(|inner| io_kind(*inner)) {
        return kind.to_owned();
    }
    let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    if let Some(words) = texts.iter().find_map(|text| words_of_text(text)) {
        return words.to_owned();
    }
    if let Some(text) = texts.iter().rev().find(|text| text.contains("certificate")) {
        return format!("its TLS certificate is not accepted ({text})");
    }
    match texts.last() {
        Some(text) if !text.is_empty() => text.clone(),
        _ if error.is_builder() => "the address cannot be used".to_owned(),
        _ => "the connection failed".to_owned(),
    }
}

/// What the libraries below tell by no type of theirs that could be asked for.
fn words_of_text(text: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 4] = [
        ("dns error", NO_SUCH_HOST),
        ("lookup address", NO_SUCH_HOST),
        ("closed before message completed", CLOSED),
        ("InvalidContentType", "it does not speak TLS"),
    ];
    WORDS.iter().find(|(sign, _)| text.contains(sign)).map(|(_, words)| *words)
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<&'static str> {
    words_of_kind(error.downcast_ref::<std::io::Error>()?.kind())
}

/// What an input or output error means to the person who waits for an answer.
pub(crate) fn words_of_kind(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::ConnectionRefused => "connection refused",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => CLOSED,
        ErrorKind::UnexpectedEof => "the connection was closed in the middle of the answer",
        ErrorKind::HostUnreachable => "no route to the host",
        ErrorKind::NetworkUnreachable => "the network is unreachable",
        _ => return None,
    })
}
