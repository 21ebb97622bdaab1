//! A journaled update transaction: stage, switch, verify, seal, commit; or everything goes back.
//!
//! [`Target::plan`], [`GatePolicy::judge`] and [`next`] decide; they touch nothing and take no
//! clock. A [`Driver`] acts and decides nothing. [`Engine`] is the only place where the two meet.
//! This crate performs no I/O except through [`Journal`], and knows no Docker, SSH, SQL or terminal.

pub mod clock;
pub mod decide;
pub mod driver;
pub mod engine;
pub mod error;
pub mod event;
pub mod gate;
pub mod journal;
pub mod lease;
pub mod plan;
pub mod record;
pub mod release;
pub mod state;
pub mod target;
pub mod words;

pub use clock::Clock;
pub use decide::{Next, next};
pub use driver::{Before, Driver, Force};
pub use engine::{Engine, Interrupt, Reporter};
pub use error::{Fenced, JournalError, PlanError, TargetError};
pub use gate::{
    Baseline, BesideSeen, Blind, Expectation, GatePolicy, HealthGate, ProbeSeen, Sample, Seen,
    Verdict,
};
pub use journal::Journal;
pub use lease::Lease;
pub use plan::{Part, Plan, Step, StepId};
pub use record::{Cause, Outcome, Record};
pub use state::State;
pub use target::{Answer, Target};

/// A span of time, or a time since the epoch, in milliseconds.
pub type Millis = u64;
