//! A journaled update transaction: stage, switch, verify, seal, commit; or everything goes back.

pub mod event;

/// A span of time, or a time since the epoch, in milliseconds.
pub type Millis = u64;
