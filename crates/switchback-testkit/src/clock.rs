//! Time that passes only when somebody sleeps.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use switchback_core::{Clock, Millis};
use tokio::time::{Duration, Instant};

/// A clock that every clone shares. It begins at 0 and takes no real time.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    passed: Arc<AtomicU64>,
    /// Since when the runtime's own time counts too, if it does.
    runtime: Option<Instant>,
}

impl VirtualClock {
    /// A clock that goes with the time of the runtime, which has to be paused: it passes when
    /// everybody there waits, and whoever uses the runtime's timers lives in the same time.
    pub fn of_the_runtime() -> Self {
        Self { passed: Arc::default(), runtime: Some(Instant::now()) }
    }

    /// What has passed by the runtime's timers alone: a clock that stands still in suspend.
    pub fn awake(&self) -> Millis {
        let runtime = self.runtime.map_or(Duration::ZERO, |it| it.elapsed());
        Millis::try_from(runtime.as_millis()).unwrap_or(Millis::MAX)
    }

    /// Lets `span` milliseconds pass at once. Timers of the runtime do not notice, as in suspend.
    pub fn pass(&self, span: Millis) {
        let _before = self.passed.fetch_add(span, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Millis {
        self.passed.load(Ordering::SeqCst).saturating_add(self.awake())
    }

    /// Lets everybody else who can go on do so first: whoever is ready never loses against a
    /// time-out. A sleep that is dropped before its end passes no time.
    async fn sleep(&self, span: Millis) {
        if self.runtime.is_some() {
            return tokio::time::sleep(Duration::from_millis(span)).await;
        }
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.pass(span);
    }
}
