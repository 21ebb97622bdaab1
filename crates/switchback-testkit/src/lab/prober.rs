//! Asks a service a hundred times a second and tells how long it was away.

use std::thread::JoinHandle;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::http;

/// Fine enough to measure half a second to 2 %, and 2 % of one core.
const PERIOD: Duration = Duration::from_millis(10);

/// What takes longer is no service to anybody. At most 200 requests are on their way at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a prober has seen. An answer is a status of 2xx within 2 s over a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Report {
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were refused, broken off, too late, or answered with another status.
    pub lost: u64,
    /// The longest time between two answers, or between one and the beginning or the end.
    pub longest_gap_ms: u64,
    /// The lost requests times the 10 ms for which each stands.
    pub seconds_lost: f64,
}

/// A prober at work on a thread of its own, so that a busy test does not disturb it.
#[derive(Debug)]
pub struct Prober {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Report>,
}

impl Prober {
    /// Begins to GET an `http://` address.
    pub fn start(url: &str) -> Self {
        Self::with_method(Method::GET, url)
    }

    /// Begins to POST to an `http://` address, with an empty body.
    pub fn start_posting(url: &str) -> Self {
        Self::with_method(Method::POST, url)
    }

    fn with_method(method: Method, url: &str) -> Self {
        let (stop, stopped) = oneshot::channel();
        let url = url.to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // A prober without a runtime has asked nothing; its report of no answers says so.
            runtime.map_or_else(
                |_| Tally::new().report(),
                |runtime| runtime.block_on(probe(&method, &url, stopped)),
            )
        });
        Self { stop, thread }
    }

    /// Ends it, waits for what is on its way (2 s at most) and tells what it has seen.
    ///
    /// # Panics
    /// If the prober itself panicked.
    pub fn stop(self) -> Report {
        // It ends by itself only by a panic, which `join` reports.
        self.stop.send(()).ok();
        self.thread.join().expect("the prober must not panic")
    }
}

async fn probe(method: &Method, url: &str, mut stopped: oneshot::Receiver<()>) -> Report {
    let mut ticks = interval(PERIOD);
    // After a stall, a burst of requests would measure the stall many times over.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut tally = Tally::new();
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = ticks.tick() => { under_way.spawn(ask(method.clone(), url.to_owned())); }
            Some(answer) = under_way.join_next() => tally.count(answer.unwrap_or(false)),
        }
    }
    while let Some(answer) = under_way.join_next().await {
        tally.count(answer.unwrap_or(false));
    }
    tally.report()
}

async fn ask(method: Method, url: String) -> bool {
    let answer = http::send(method, &url, HeaderMap::new(), Bytes::new(), PATIENCE).await;
    answer.is_ok_and(|answer: http::Answer| (200..300).contains(&answer.status))
}

/// The running sums behind a report.
struct Tally {
    answered: u64,
    lost: u64,
    last_answer: Instant,
    longest_gap: Duration,
}

impl Tally {
    fn new() -> Self {
        Self { answered: 0, lost: 0, last_answer: Instant::now(), longest_gap: Duration::ZERO }
    }

    fn count(&mut self, answered: bool) {
        if answered {
            self.answered += 1;
            self.longest_gap = self.longest_gap.max(self.last_answer.elapsed());
            self.last_answer = Instant::now();
        } else {
            self.lost += 1;
        }
    }

    fn report(&self) -> Report {
        let gap = self.longest_gap.max(self.last_answer.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a test loses fewer than 2^52 requests")]
        let seconds_lost = self.lost as f64 * PERIOD.as_secs_f64();
        Report {
            answered: self.answered,
            lost: self.lost,
            longest_gap_ms: u64::try_from(gap.as_millis()).unwrap_or(u64::MAX),
            seconds_lost,
        }
    }
}
