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
    proxy::{Act, Moment, Proxy, Request},
    store::records_in,
    survival::Noted,
    sweep::{assert_most_were_reached, is_full},
};

/// Less than the 10 s after which the program gives up a request that reads.
const PATIENCE: Duration = Duration::from_secs(8);

/// How many are tried together: more than two processors can serve come apart by seconds.
const TOGETHER: usize = 5;

/// Of each command; 107 were counted of an update.
const FEWEST: usize = 80;

/// What happens to the engine.
type Event = Box<dyn Fn() + Send + Sync>;

/// Those who wait for the event: first for each other, and when their requests are where they have to
/// be then, for the event.
struct Gathering {
    state: Mutex<State>,
    changed: Condvar,
    event: Event,
}

#[derive(Default)]
struct State {
    /// How many have not come yet.
    missing: usize,
    /// How many have come, and are not ready for it yet.
    unready: usize,
    /// Whoever comes now is too late.
    is_closed: bool,
    is_over: bool,
}

impl Gathering {
    fn of(count: usize, event: Event) -> Arc<Self> {
        let state = Mutex::new(State { missing: count, ..State::default() });
        Arc::new(Self { state, changed: Condvar::new(), event })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        waits: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout_while(state, PATIENCE, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for the others, though not for ever: a command may end before its request. False for who
    /// comes too late.
    fn come(&self) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        state.missing = state.missing.saturating_sub(1);
        state.unready += 1;
        if state.missing > 0 {
            state = self.wait(state, |it| !it.is_closed);
        }
        state.is_closed = true;
        self.changed.notify_all();
        true
    }

    /// The last of those who have come lets it happen; so does who waited in vain. The others wait for it.
    fn be_ready(&self) {
        let mut state = self.state();
        state.unready = state.unready.saturating_sub(1);
        if state.unready > 0 {
            state = self.wait(state, |it| !it.is_over);
        }
        if !state.is_over {
            (self.event)();
            state.is_over = true;
            self.changed.notify_all();
        }
    }

    /// Waits until it has happened, if anybody has come: a command whose request was let through may
    /// end meanwhile.
    fn finish(&self) {
        let _over = self.wait(self.state(), |it| it.is_closed && !it.is_over);
    }
}

/// What became of one of them.
pub(crate) struct Gathered {
    pub(crate) output: Output,
    /// The request at which it happened; none if the command had ended before it, or came to it
    /// when it had happened to the others already.
    pub(crate) at: Option<String>,
    /// How far the command had come: when it was killed, or else when it made that request.
    pub(crate) phase: &'static str,
}

/// When a program is killed to which something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kills {
    Never,
    /// First, so that it happens to what it has left.
    Before,
    /// As soon as it has happened.
    After,
}

/// What happens, and to whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Struck<'a> {
    pub(crate) arguments: &'a [&'a str],
    /// When the programs are killed.
    pub(crate) kills: Kills,
    /// What becomes of their requests first.
    pub(crate) moment: Moment,
}

/// A command under way: the number of its request, and whether it was there when it happened.
type Started<'a> = (usize, &'a World, Proxy, Running, Noted, Arc<AtomicBool>);

/// Gives each world its command, through a proxy that holds its request of that number until all
/// have come so far; then, with these requests held back or let through, lets the event happen.
pub(crate) fn gathered(
    worlds: &[(usize, &World)],
    how: Struck<'_>,
    event: impl Fn() + Send + Sync + 'static,
) -> Vec<Gathered> {
    let gathering = Gathering::of(worlds.len(), Box::new(event));
    let started: Vec<_> =
        worlds.iter().map(|(at, world)| started(*at, world, how, &gathering)).collect();
    let end = |(number, world, proxy, running, noted, in_time): Started<'_>| {
        let output = running.wait();
        let line = proxy.requests().get(number - 1).cloned();
        let at = line.filter(|_| in_time.load(Ordering::SeqCst));
        let at = at.map(|it| format!("request {number} ({it})"));
        // Between its request and its end it may have gone on.
        let phase = if output.code.is_none() { world.phase() } else { noted.phase() };
        Gathered { output, at, phase }
    };
    let ended = started.into_iter().map(end).collect();
    gathering.finish();
    ended
}

fn started<'a>(
    at: usize,
    world: &'a World,
    Struck { arguments, kills, moment }: Struck<'_>,
    gathering: &Arc<Gathering>,
) -> Started<'a> {
    let (noted, in_time) = (Noted::of(world), Arc::new(AtomicBool::new(false)));
    let (here, told, comes) = (noted.clone(), Arc::clone(&in_time), Arc::clone(gathering));
    let waits = move || {
        here.now();
        told.store(comes.come(), Ordering::SeqCst);
    };
    let (is_there, readies) = (Arc::clone(&in_time), Arc::clone(gathering));
    let be_ready = move || {
        if is_there.load(Ordering::SeqCst) {
            readies.be_ready();
        }
    };
    let kill = |pid: Pid| {
        kill_process(pid, Signal::KILL).ok();
    };
    let act = match kills {
        Kills::Never => Act::Do(Box::new(move |_| be_ready())),
        Kills::Before => Act::End(Box::new(move |pid| {
            kill(pid);
            be_ready();
        })),
        Kills::After => Act::End(Box::new(move |pid| {
            be_ready();
            kill(pid);
        })),
    };
    let socket = world.folder.path().join("gathered.sock");
    let picks = move |it: &Request<'_>| it.number == at;
    let proxy = Proxy::waiting(&socket, world.lab.engine_url(), waits, (moment, act), picks);
    let running = Running::spawn(world.command("state", &proxy.url, arguments));
    proxy.watch(running.pid());
    (at, world, proxy, running, noted, in_time)
}

/// The requests that a command makes which nobody disturbs: how many records its journal has at each.
#[track_caller]
pub(crate) fn requests_of(world: &World, arguments: &[&str], code: i32) -> Vec<usize> {
    let socket = world.folder.path().join("counted.sock");
    let records = Arc::new(Mutex::new(Vec::new()));
    let (counted, state) = (Arc::clone(&records), world.state("state"));
    let picks = move |_: &Request<'_>| {
        counted.lock().unwrap_or_else(PoisonError::into_inner).push(records_in(&state));
        false
    };
    let never = (Moment::HeldBack, Act::Signal(Signal::INT));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), never, picks);
    let running = Running::spawn(world.command("state", &proxy.url, arguments));
    proxy.watch(running.pid());
    let output = running.wait();
    assert_eq!(output.code, Some(code), "{output}");
    let records = records.lock().unwrap_or_else(PoisonError::into_inner);
    records.clone()
}

/// The requests that a sweep tries, and what has become of them.
#[derive(Debug)]
pub(crate) struct Places {
    left: VecDeque<Vec<usize>>,
    wanted: Vec<usize>,
    struck: Vec<usize>,
    is_alone: bool,
}

impl Places {
    /// The numbers of the requests to try, `step` apart, in groups that are tried together; with
    /// `SWITCHBACK_SWEEP=full` in the environment, the first after each record of the journal, and
    /// besides every `full_step`-th.
    #[track_caller]
    pub(crate) fn new((first, step): (usize, usize), full_step: usize, requests: &[usize]) -> Self {
        let total = requests.len();
        assert!(total >= FEWEST, "the command made {total} requests");
        let is_full = is_full();
        let has_new_record = |at: usize| at > 1 && requests[at - 1] > requests[at - 2];
        let is_tried = |at: &usize| match is_full {
            true => *at % full_step == 1 || has_new_record(*at),
            false => *at >= first && (at - first).is_multiple_of(step),
        };
        let places: Vec<usize> = (1..=total).filter(is_tried).collect();
        let left = places.chunks(TOGETHER).map(<[usize]>::to_vec).collect();
        Self { left, wanted: places, struck: Vec::new(), is_alone: false }
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

    /// Fails unless it has happened to most of them.
    #[track_caller]
    pub(crate) fn assert_most_were_struck(&self) {
        assert_most_were_reached(&self.wanted, &self.struck);
    }
}
