//! Several commands on one engine, each stopped at a request of its own, so that what happens to the engine then happens once for all of them.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    World,
    process::{Output, Running},
    proxy::{Act, Moment, Proxy},
    survival::Noted,
};

/// Less than the 10 s after which the program gives up a request that reads.
const PATIENCE: Duration = Duration::from_secs(8);

/// How many are tried together: more than two processors can serve come apart by seconds.
const TOGETHER: usize = 5;

/// What happens to the engine.
type Event = Box<dyn Fn() + Send + Sync>;

/// Those who wait for the event.
struct Gathering {
    state: Mutex<State>,
    changed: Condvar,
    event: Event,
}

#[derive(Default)]
struct State {
    missing: usize,
    is_over: bool,
}

impl Gathering {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the others; the last lets it happen. So does who waited in vain: a command may end
    /// before its request.
    fn arrive(&self) {
        let mut state = self.state();
        state.missing = state.missing.saturating_sub(1);
        if state.missing > 0 {
            let waits = |it: &mut State| !it.is_over;
            let waited = self.changed.wait_timeout_while(state, PATIENCE, waits);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if !state.is_over {
            (self.event)();
            state.is_over = true;
            self.changed.notify_all();
        }
    }
}

/// What became of one of them.
pub(crate) struct Gathered {
    pub(crate) output: Output,
    /// The request at which it happened; none if the command had ended before it.
    pub(crate) at: Option<String>,
    /// How far the command had come.
    pub(crate) phase: &'static str,
}

/// Gives each world its command, through a proxy that holds its request of that number until all
/// have come so far; then lets the event happen, and the requests go on. With `kills`, the programs
/// are killed at the same time.
pub(crate) fn gathered(
    worlds: &[(usize, &World)],
    arguments: &[&str],
    kills: bool,
    event: impl Fn() + Send + Sync + 'static,
) -> Vec<Gathered> {
    let state = Mutex::new(State { missing: worlds.len(), is_over: false });
    let gathering = Arc::new(Gathering { state, changed: Condvar::new(), event: Box::new(event) });
    let start = |(at, world): &(usize, &World)| {
        let gathering = Arc::clone(&gathering);
        let noted = Noted::of(world);
        let here = noted.clone();
        let arrive = move || {
            here.now();
            gathering.arrive();
        };
        let act = if kills {
            Act::End(Box::new(move |pid: Pid| {
                arrive();
                kill_process(pid, Signal::KILL).ok();
            }))
        } else {
            Act::Do(Box::new(move |_| arrive()))
        };
        let socket = world.folder.path().join("gathered.sock");
        let (at, act) = (*at, (Moment::HeldBack, act));
        let proxy = Proxy::at(&socket, world.lab.engine_url(), act, move |it| it.number == at);
        let running = Running::spawn(world.command("state", &proxy.url, arguments));
        proxy.watch(running.pid());
        (at, proxy, running, noted)
    };
    let started: Vec<_> = worlds.iter().map(start).collect();
    let end = |(at, proxy, running, noted): (usize, Proxy, Running, Noted)| {
        let output = running.wait();
        let line = proxy.requests().get(at - 1).cloned();
        let at = line.map(|it| format!("request {at} ({it})"));
        Gathered { output, at, phase: noted.phase() }
    };
    started.into_iter().map(end).collect()
}

/// How many requests a command makes that nobody disturbs.
#[track_caller]
pub(crate) fn requests_of(world: &World, arguments: &[&str]) -> usize {
    let socket = world.folder.path().join("counted.sock");
    let never = (0, Moment::HeldBack, Signal::INT);
    let proxy = Proxy::start(&socket, world.lab.engine_url(), never);
    let running = Running::spawn(world.command("state", &proxy.url, arguments));
    proxy.watch(running.pid());
    let output = running.wait();
    assert_eq!(output.code, Some(0), "{output}");
    proxy.requests().len()
}

/// The numbers of the requests to try, `step` apart, in groups that are tried together; with
/// `SWITCHBACK_SWEEP=full` in the environment, all of them.
pub(crate) fn in_chunks(first: usize, total: usize, step: usize) -> Vec<Vec<usize>> {
    let is_full = std::env::var("SWITCHBACK_SWEEP").is_ok_and(|it| it == "full");
    let (first, step) = if is_full { (1, 1) } else { (first, step) };
    let places: Vec<usize> = (first..=total).step_by(step).collect();
    places.chunks(TOGETHER).map(<[usize]>::to_vec).collect()
}
