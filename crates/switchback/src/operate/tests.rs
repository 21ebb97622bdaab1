//! Whole operations in a fake world: the code that ships, on an engine and in a time of the tests'.
//!
//! Everything that decides or acts is real: planning, the transaction, the driver, the lease, the
//! keeper's programs as they are asked for, the journal in its two places, the store. Only the engine
//! at the other end, the registry, and the clocks are the tests' own.

mod act;
mod controls;
mod found;
mod less;
mod operator;
mod oracle;
mod random;
mod run;
mod scene;
mod schedule;
mod schedules;
mod time;
mod wire;

pub(super) use less::Less;
pub(super) use scene::incoming;
pub(super) use time::now;
