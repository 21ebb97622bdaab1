//! Time, handed in.

use std::future::Future;

use crate::Millis;

/// Time as the engine sees it. Whoever decides is handed it as a plain number.
pub trait Clock: Send + Sync {
    /// Milliseconds since the epoch, which go on in suspend and are never set back while we run.
    fn now(&self) -> Millis;

    /// Returns after `span` milliseconds.
    fn sleep(&self, span: Millis) -> impl Future<Output = ()> + Send;
}

/// How much later than at its end a wait may be noticed before it is taken for a standstill, in
/// milliseconds: a machine under heavy load was seen to be late by two seconds, and what is
/// suspended for less than five disturbs no time-out of ours.
pub const STANDSTILL: Millis = 5_000;

/// For how long a process stood still that should have waited for `limit` at most, and for which
/// `took` went by: it was stopped, or its machine was suspended. 0 if it did not.
pub fn stood_still(took: Millis, limit: Millis) -> Millis {
    let surplus = took.saturating_sub(limit);
    if surplus > STANDSTILL { surplus } else { 0 }
}
