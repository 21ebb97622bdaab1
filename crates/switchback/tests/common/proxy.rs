//! A proxy on the engine's socket at one of whose requests something happens: to the program, the engine or the
//! containers.

use std::{
    fmt,
    io::{self, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    request::{body, field, head, is_a_look, line},
    wire::{Wire, listen},
};

/// When the program is sent its signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The request is never forwarded.
    HeldBack,
    /// The request is forwarded whole, and its answer finds nobody.
    LetThrough,
}

/// What happens at the chosen request.
pub(crate) enum Act {
    /// The program is sent a signal.
    Signal(Signal),
    /// Somebody does something, who knows the request's line; the request waits for it.
    Do(Box<dyn Fn(&str) + Send + Sync>),
    /// Somebody ends the program, or all around it: the connection ends too.
    End(Box<dyn Fn(Pid) + Send + Sync>),
}

impl Act {
    /// Whether nobody is left to answer.
    fn is_deadly(&self) -> bool {
        matches!(self, Self::Signal(Signal::KILL) | Self::End(_))
    }
}

/// Knows the chosen request: by its number among those that change something, and its line.
type Picks = Box<dyn Fn(&Request<'_>) -> bool + Send + Sync>;

/// One request.
pub(crate) struct Request<'a> {
    /// Its number, counted from 1.
    pub(crate) number: usize,
    /// How many that change something there have been, this one included; 0 if it only looks.
    pub(crate) change: usize,
    /// Method and path.
    pub(crate) line: &'a str,
    /// Whether a container's stop was asked for before it.
    pub(crate) is_after_a_stop: bool,
}

/// The start of the new version: nothing else is started after the service was stopped, unless it
/// goes back. The keeper's programs are no containers.
pub(crate) fn starts_the_new_one(it: &Request<'_>) -> bool {
    it.is_after_a_stop && it.line.contains("/containers/") && it.line.ends_with("/start")
}

/// What the chosen request waits for before anything becomes of it.
type Waits = Box<dyn Fn() + Send + Sync>;

/// What the proxy does, and what it has seen.
struct Plan {
    engine: String,
    picks: Picks,
    waits: Waits,
    moment: Moment,
    act: Act,
    seen: Mutex<Seen>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("moment", &self.moment).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Seen {
    pid: Option<Pid>,
    lines: Vec<String>,
    changes: usize,
    has_stopped: bool,
    was_picked: bool,
    has_struck: bool,
}

/// A proxy at work until the test's process ends.
#[derive(Debug)]
pub(crate) struct Proxy {
    plan: Arc<Plan>,
    /// For `DOCKER_HOST`.
    pub(crate) url: String,
}

impl Proxy {
    /// Listens at `socket`, and sends the signal at the request of this number, counted from 1.
    pub(crate) fn start(
        socket: &Path,
        engine: &str,
        (at, moment, signal): (usize, Moment, Signal),
    ) -> Self {
        let picks = move |it: &Request<'_>| it.number == at;
        Self::at(socket, engine, (moment, Act::Signal(signal)), picks)
    }

    /// Listens at `socket`, and acts at the first request that `picks` knows.
    pub(crate) fn at(
        socket: &Path,
        engine: &str,
        what: (Moment, Act),
        picks: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::waiting(socket, engine, || (), what, picks)
    }

    /// As [`Proxy::at`]; the chosen request waits first, whether it is held back then or let through.
    pub(crate) fn waiting(
        socket: &Path,
        engine: &str,
        waits: impl Fn() + Send + Sync + 'static,
        (moment, act): (Moment, Act),
        picks: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (engine, seen) = (engine.to_owned(), Mutex::default());
        let (picks, waits) = (Box::new(picks), Box::new(waits));
        let plan = Arc::new(Plan { engine, picks, waits, moment, act, seen });
        let shared = Arc::clone(&plan);
        Self { plan, url: listen(socket, move |client| shared.forward(client)) }
    }

    /// Names the process; until then requests wait.
    pub(crate) fn watch(&self, pid: Pid) {
        self.plan.seen().pid = Some(pid);
    }

    /// Whether it has happened, or is about to: who has died of it knows.
    pub(crate) fn has_struck(&self) -> bool {
        self.plan.seen().has_struck
    }

    /// How many requests so far have changed something.
    pub(crate) fn changes(&self) -> usize {
        self.plan.seen().changes
    }

    /// The request lines so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.plan.seen().lines.clone()
    }
}

impl Plan {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forward(&self, client: UnixStream) -> io::Result<()> {
        let mut engine = Wire::answering(&self.engine, &client)?;
        let mut requests = BufReader::new(client);
        let done = self.requests(&mut requests, &mut engine);
        engine.finish().ok();
        done
    }

    fn requests(&self, from: &mut BufReader<UnixStream>, to: &mut Wire) -> io::Result<()> {
        while let Some(head) = head(from)? {
            let is_it = self.count(line(&head));
            if is_it {
                (self.waits)();
            }
            if is_it && self.moment == Moment::HeldBack {
                self.strike(line(&head));
                if self.act.is_deadly() {
                    return Ok(());
                }
            }
            to.write_all(head.as_bytes())?;
            body(&head, from, to)?;
            if is_it && self.moment == Moment::LetThrough {
                self.strike(line(&head));
            }
            if field(&head, "upgrade").is_some() {
                io::copy(from, to)?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether this request is the one.
    fn count(&self, line: &str) -> bool {
        while self.seen().pid.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut seen = self.seen();
        seen.lines.push(line.to_owned());
        let is_change = !is_a_look(line);
        seen.changes += usize::from(is_change);
        let change = if is_change { seen.changes } else { 0 };
        let is_after_a_stop = seen.has_stopped;
        seen.has_stopped |= line.contains("/containers/") && line.contains("/stop?");
        let request = Request { number: seen.lines.len(), change, line, is_after_a_stop };
        let is_it = !seen.was_picked && (self.picks)(&request);
        seen.was_picked |= is_it;
        is_it
    }

    fn strike(&self, line: &str) {
        let pid = {
            let mut seen = self.seen();
            // Before the deed: whoever waits for the process's end reads this right after it.
            seen.has_struck = true;
            seen.pid
        };
        // Without the lock: it may take as long as an engine takes to start.
        match (&self.act, pid) {
            (Act::Signal(signal), Some(pid)) => {
                kill_process(pid, *signal).ok();
            }
            (Act::Do(act), _) => act(line),
            (Act::End(act), Some(pid)) => act(pid),
            (Act::Signal(_) | Act::End(_), None) => {}
        }
    }
}
