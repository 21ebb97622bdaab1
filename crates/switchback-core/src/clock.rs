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
