//! Probes: one look at whether a version serves, from outside it. (Commands inside a container are
//! run by the container's own driver.)

mod client;
mod http;
mod json;
mod tcp;
mod words;

pub use client::{HttpClient, SetupError};
pub use http::{HttpProbe, http};
pub use tcp::tcp;

use std::time::Duration;

/// How long one look takes at most, where nobody has said otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What one look has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Whether it serves. Anything undecided is not ready.
    pub ready: bool,
    /// What was seen, or why it is not ready, in words; without secrets.
    pub detail: String,
    /// The version that the application reports, where the probe asks for one.
    pub version: Option<String>,
}

impl Looked {
    fn ready(detail: impl Into<String>) -> Self {
        Self { ready: true, detail: detail.into(), version: None }
    }

    fn not_ready(detail: impl Into<String>) -> Self {
        Self { ready: false, detail: detail.into(), version: None }
    }
}

#[cfg(test)]
mod tests;
