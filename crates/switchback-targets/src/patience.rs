//! Waits that end, and that no standstill of this process ends too early.

use std::time::{Duration, Instant};

use switchback_core::{Millis, clock::stood_still};
use tokio::time::timeout;

/// Waits for an answer, but not for ever; none if it did not come. Whoever was stopped or suspended
/// meanwhile has not waited, and their time-outs are over before the answer that lies there is read:
/// they wait once more.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, begun) = (Box::pin(work), Instant::now());
    if let Ok(done) = timeout(limit, &mut work).await {
        return Some(done);
    }
    if stood_still(milliseconds(begun.elapsed()), milliseconds(limit)) == 0 {
        return None;
    }
    timeout(limit, work).await.ok()
}

fn milliseconds(span: Duration) -> Millis {
    Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)
}
