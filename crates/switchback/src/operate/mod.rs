//! Every operation, whoever asks for it: one orchestrator for the command line, the library, the
//! schedule and the API.
//!
//! `prepare` looks and plans and changes nothing; `execute` takes the lease, looks again, and runs
//! the transaction; `recover` brings to its end what was interrupted; `result` says what became of
//! it. Whatever is shown is a function of the events and of the result.

pub mod adopt;
pub mod check;
mod check_engine;
pub(crate) mod clear;
pub(crate) mod conclude;
pub mod connect;
pub(crate) mod decisions;
pub mod detect;
pub mod downtime;
pub mod drive;
pub mod execute;
pub(crate) mod forget;
pub(crate) mod garbage;
pub(crate) mod health;
pub mod journal;
pub(crate) mod look;
pub(crate) mod operation_document;
pub mod plan_document;
pub mod ports;
pub mod prepare;
pub mod recover;
pub mod report;
pub mod result;
pub mod service_url;
mod take_in;
#[cfg(test)]
mod tests;
mod told;
mod transact;
pub mod who;

use switchback_core::Interrupt;
use switchback_core::event::Event;
use switchback_targets::registry;
use tokio::sync::mpsc::UnboundedSender;

use crate::{error::CommandError, store::Store};

/// What every operation needs.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The controller's store.
    pub store: &'a Store,
    /// Registries; one client a process.
    pub registry: &'a registry::Client,
    /// Who asks.
    pub who: who::Who,
    /// Where events go.
    pub events: UnboundedSender<Event>,
    /// Asks us to stop.
    pub interrupt: Interrupt,
}

/// What is asked of a deployment.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Where to.
    pub goal: Wanted,
    /// Takes what is named even if it was rejected.
    pub force: bool,
    /// A loss of data is accepted.
    pub accept_loss: bool,
    /// Exactly this plan or none.
    pub fingerprint: Option<String>,
    /// How long to wait for whoever holds the lease, in milliseconds.
    pub lock_timeout_ms: u64,
    /// `manual`, `schedule`, `api`; empty: `manual`.
    pub trigger: String,
}

impl Request {
    /// Who asked, as it is recorded.
    pub fn trigger(&self) -> &str {
        if self.trigger.is_empty() { "manual" } else { &self.trigger }
    }
}

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// What the followed reference points to, or `--to`.
    Update {
        /// A reference, tag or digest that a person named.
        to: Option<String>,
    },
    /// Back to a release.
    Rollback {
        /// Its number; none for the last good one.
        to: Option<u32>,
        /// Whether the data goes back too.
        with_data: bool,
    },
}

impl Default for Wanted {
    fn default() -> Self {
        Self::Update { to: None }
    }
}

impl Wanted {
    /// The word of the contract.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Update { .. } => "update",
            Self::Rollback { .. } => "rollback",
        }
    }
}

/// A result or an error.
pub type Answer<T> = Result<T, CommandError>;

/// Milliseconds since the epoch, by a clock that is never set while we run: whatever somebody does to
/// the time of day, nothing ends before it began, and nothing takes a year.
pub fn now() -> u64 {
    switchback_core::Clock::now(&report::WallClock)
}
