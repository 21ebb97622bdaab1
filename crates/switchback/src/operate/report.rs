//! Time and events of this process.

use std::sync::OnceLock;

use switchback_core::{Clock, Millis, Reporter};

use super::Surroundings;

/// The clock of this process: the time of day when it was first asked, and from then on the clock
/// that goes on in suspend and is never set back.
#[derive(Debug)]
pub struct WallClock;

static BEGUN: OnceLock<(Millis, Millis)> = OnceLock::new();

fn boot_time() -> Millis {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

fn time_of_day() -> Millis {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

impl Clock for WallClock {
    fn now(&self) -> Millis {
        #[cfg(test)]
        if let Some(now) = super::tests::now() {
            return now;
        }
        let (epoch, booted) = BEGUN.get_or_init(|| (time_of_day(), boot_time()));
        epoch + boot_time().saturating_sub(*booted)
    }

    async fn sleep(&self, span: Millis) {
        tokio::time::sleep(std::time::Duration::from_millis(span)).await;
    }
}

/// Where the events of an operation go.
pub fn reporter(around: &Surroundings<'_>, operation: &str, deployment: &str) -> Reporter {
    Reporter {
        sender: around.events.clone(),
        operation: operation.to_owned(),
        deployment: deployment.to_owned(),
    }
}
