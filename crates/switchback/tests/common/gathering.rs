//! Several commands on one engine, each stopped at a request of its own, so that what happens to the engine then happens once for all of them.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
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

/// Of each command; 107 were counted of an update.
const FEWEST: usize = 80;

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
    /// before its request. False for who comes when it has happened already.
    fn arrive(&self) -> bool {
        let mut state = self.state();
        if state.is_over {
            return false;
        }
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
        true
    }
}

/// What became of one of them.
pub(crate) struct Gathered {
    pub(crate) output: Output,
    /// The request at which it happened; none if the command had ended before it, or came to it
    /// when it had happened to the others already.
    pub(crate) at: Option<String>,
    /// How far the command had come.
    pub(crate) phase: &'static str,
}

/// A command under way: the number of its request, and whether it was there when it happened.
type Started = (usize, Proxy, Running, Noted, Arc<AtomicBool>);

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
        let in_time = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&in_time);
        let arrive = move || {
            here.now();
            told.store(gathering.arrive(), Ordering::SeqCst);
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
        (at, proxy, running, noted, in_time)
    };
    let started: Vec<_> = worlds.iter().map(start).collect();
    let end = |(number, proxy, running, noted, in_time): Started| {
        let output = running.wait();
        let line = proxy.requests().get(number - 1).cloned();
        let at = line.filter(|_| in_time.load(Ordering::SeqCst));
        let at = at.map(|it| format!("request {number} ({it})"));
        Gathered { output, at, phase: noted.phase() }
    };
    started.into_iter().map(end).collect()
}

/// How many requests a command makes that nobody disturbs.
#[track_caller]
pub(crate) fn requests_of(world: &World, arguments: &[&str], code: i32) -> usize {
    let socket = world.folder.path().join("counted.sock");
    let never = (0, Moment::HeldBack, Signal::INT);
    let proxy = Proxy::start(&socket, world.lab.engine_url(), never);
    let running = Running::spawn(world.command("state", &proxy.url, arguments));
    proxy.watch(running.pid());
    let output = running.wait();
    assert_eq!(output.code, Some(code), "{output}");
    proxy.requests().len()
}

/// The requests that a sweep tries, and what has become of them.
#[derive(Debug)]
pub(crate) struct Places {
    left: VecDeque<Vec<usize>>,
    count: usize,
    struck: Vec<usize>,
    is_alone: bool,
}

impl Places {
    /// The numbers of the requests to try, `step` apart, in groups that are tried together; with
    /// `SWITCHBACK_SWEEP=full` in the environment, all of them.
    #[track_caller]
    pub(crate) fn new(first: usize, total: usize, step: usize) -> Self {
        assert!(total >= FEWEST, "the command made {total} requests");
        let is_full = std::env::var("SWITCHBACK_SWEEP").is_ok_and(|it| it == "full");
        let (first, step) = if is_full { (1, 1) } else { (first, step) };
        let places: Vec<usize> = (first..=total).step_by(step).collect();
        let left = places.chunks(TOGETHER).map(<[usize]>::to_vec).collect();
        Self { left, count: places.len(), struck: Vec::new(), is_alone: false }
    }

    /// Those to try next.
    pub(crate) fn next(&mut self) -> Option<Vec<usize>> {
        let next = self.left.pop_front();
        self.is_alone = next.as_ref().is_some_and(|it| it.len() == 1);
        next
    }

    /// Takes down what became of one. Who came too late is tried again, alone; so is who gave its
    /// request up before the others had come to theirs, as the first ones do.
    pub(crate) fn tried(&mut self, place: usize, ended: &Gathered) {
        if ended.at.is_some() {
            self.struck.push(place);
        } else if !self.is_alone {
            self.left.push_back(vec![place]);
        }
    }

    /// Fails unless it has happened to most of them. How many requests a command makes depends on how
    /// often it has to look, so that the last ones may not be made in each run.
    #[track_caller]
    pub(crate) fn assert_most_were_struck(&self) {
        let (struck, count) = (&self.struck, self.count);
        assert!(struck.len() * 4 >= count * 3, "of {count} it happened only to {struck:?}");
    }
}
