//! The way from one process of ours to the fake engine, on which everything can happen.

use std::{
    collections::BTreeMap,
    future::{pending, ready},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use switchback_core::{Clock, Millis};
use switchback_testkit::{
    Answer, Effect, Engine, Event, Fault, Refusal, Reply, Request, World, faults::ANY,
};
use tokio::sync::{Notify, watch};

use super::{
    act::{Act, can_be_late},
    schedule::Places,
};

/// What the runner of the process has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// End it.
    Kill,
    /// Let it stand still while another store takes over.
    TakeOver,
}

/// Where the engine cannot be reached, for whichever process.
#[derive(Debug, Default)]
pub(super) struct Away(AtomicU64);

impl Away {
    /// It can be reached again.
    pub(super) fn end(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

/// One process's way to the engine.
#[derive(Debug)]
pub(super) struct Wire {
    world: Arc<World>,
    away: Arc<Away>,
    acts: BTreeMap<usize, Act>,
    seen: Mutex<Vec<String>>,
    places: Mutex<Places>,
    signal: watch::Sender<Option<Signal>>,
    is_dead: AtomicBool,
    is_frozen: AtomicBool,
    thaw: Notify,
    interrupt: watch::Sender<bool>,
}

/// A line with ids and digests cut to what a person can compare.
pub(super) fn short(line: &str) -> String {
    let mut out = String::new();
    for part in line.split_inclusive(|it: char| !it.is_ascii_hexdigit()) {
        let digits = part.trim_end_matches(|it: char| !it.is_ascii_hexdigit());
        if digits.len() < 40 {
            out.push_str(part);
        } else {
            out.push_str(&digits[..8]);
            out.push_str(&part[digits.len()..]);
        }
    }
    out
}

type Answered = Result<Answer, Refusal>;

fn lost() -> Answered {
    Err(Refusal { status: 0, message: "the connection was lost".to_owned() })
}

impl Wire {
    pub(super) fn new(world: &Arc<World>, away: &Arc<Away>, acts: BTreeMap<usize, Act>) -> Self {
        Self {
            world: world.clone(),
            away: away.clone(),
            acts,
            seen: Mutex::default(),
            places: Mutex::default(),
            signal: watch::channel(None).0,
            is_dead: AtomicBool::new(false),
            is_frozen: AtomicBool::new(false),
            thaw: Notify::new(),
            interrupt: watch::channel(false).0,
        }
    }

    /// A line for each request, with what happened at it.
    pub(super) fn seen(&self) -> MutexGuard<'_, Vec<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where something could have happened.
    pub(super) fn places(&self) -> Places {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_place(&self, index: usize, request: &Request) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.lines.push(format!("{index}: {}", request.line()));
        if !request.is_a_look() {
            places.changes.push(index);
        }
        if can_be_late(request) {
            places.late.push(index);
        }
    }

    /// Whether somebody asks the process to stop.
    pub(super) fn interrupt(&self) -> watch::Receiver<bool> {
        self.interrupt.subscribe()
    }

    /// Returns once the runner has something to do.
    pub(super) async fn signalled(&self) -> Signal {
        let mut receiver = self.signal.subscribe();
        let signal = receiver.wait_for(Option::is_some).await.expect("we hold the sender");
        signal.expect("it is one")
    }

    /// The process goes on.
    pub(super) fn thaw(&self) {
        self.signal.send_replace(None);
        self.is_frozen.store(false, Ordering::SeqCst);
        self.thaw.notify_waiters();
    }

    async fn die(&self) -> Answered {
        self.is_dead.store(true, Ordering::SeqCst);
        self.signal.send_replace(Some(Signal::Kill));
        pending().await
    }

    /// What is asked while the process stands still never left it.
    async fn frozen(&self) -> Answered {
        let thawed = self.thaw.notified();
        if self.is_frozen.load(Ordering::SeqCst) {
            thawed.await;
        }
        lost()
    }

    /// The engine takes the request with that fault.
    async fn with(&self, request: Request, effect: Effect, reply: Reply) -> Answered {
        self.world.fault(Fault::of(ANY, effect, reply));
        self.world.call(request).await
    }

    /// The effect, unheard of.
    async fn quietly(&self, request: Request, happens: bool) {
        if happens {
            drop(self.world.call(request).await);
        }
    }

    /// The effect, later and unheard of.
    async fn later(&self, request: Request, after: Millis) {
        let effect = if can_be_late(&request) { Effect::Late(after) } else { Effect::Whole };
        tokio::select! {
            biased;
            _ = self.with(request, effect, Reply::Never) => {}
            () = ready(()) => {}
        }
    }

    async fn perform(&self, act: &Act, request: Request) -> Answered {
        let whole = |effect: bool| if effect { Effect::Whole } else { Effect::Never };
        match act {
            Act::DieBefore => return self.die().await,
            Act::DieAfter => {
                self.quietly(request, true).await;
                return self.die().await;
            }
            Act::DieDuring(after) => {
                self.later(request, *after).await;
                return self.die().await;
            }
            Act::PowerCut { effect } => {
                self.quietly(request, *effect).await;
                self.world.happen(&Event::EngineRestart);
                return self.die().await;
            }
            Act::EngineRestart { effect } => {
                self.quietly(request, *effect).await;
                self.world.happen(&Event::EngineRestart);
                return lost();
            }
            Act::EngineKilled { effect } => {
                self.quietly(request, *effect).await;
                self.world.happen(&Event::EngineKilled);
                return lost();
            }
            Act::Half => return self.with(request, Effect::Half, Reply::True).await,
            Act::Fails { effect } => {
                return self.with(request, whole(*effect), Reply::Refused(500)).await;
            }
            Act::Hangs { effect } => {
                return self.with(request, whole(*effect), Reply::Never).await;
            }
            Act::Late(after) => {
                self.later(request, *after).await;
                return pending().await;
            }
            Act::Lost { effect } => return self.with(request, whole(*effect), Reply::Lost).await,
            // Nothing between here and an engine repeats what makes something.
            Act::Twice if matches!(request, Request::Create { .. }) => {}
            Act::Twice => return self.with(request, Effect::Twice, Reply::True).await,
            Act::Away(span) => {
                self.away.0.store(self.world.clock().now() + span, Ordering::SeqCst);
                return lost();
            }
            Act::TakenOver => {
                self.is_frozen.store(true, Ordering::SeqCst);
                self.signal.send_replace(Some(Signal::TakeOver));
                return self.frozen().await;
            }
            Act::Suspend(span) => self.world.clock().pass(*span),
            Act::Interrupt => drop(self.interrupt.send_replace(true)),
            Act::Crash => {
                self.world.happen(&Event::Crash { container: "web".to_owned(), code: 1 });
            }
            Act::RemoveLease => {
                let container = "switchback-lease-web".to_owned();
                self.world.happen(&Event::Stranger(Request::Remove { container, force: true }));
            }
            Act::Prune => self.world.happen(&Event::Prune { volumes: true }),
            Act::Stranger(request) => self.world.happen(&Event::Stranger(request.clone())),
        }
        self.world.call(request).await
    }
}

impl Engine for Wire {
    async fn call(&self, request: Request) -> Answered {
        if self.is_dead.load(Ordering::SeqCst) {
            return pending().await;
        }
        if self.is_frozen.load(Ordering::SeqCst) {
            return self.frozen().await;
        }
        if self.world.clock().now() < self.away.0.load(Ordering::SeqCst) {
            return lost();
        }
        let (index, act) = {
            let mut seen = self.seen();
            let index = seen.len();
            let act = self.acts.get(&index);
            let mark = act.map(|it| format!("   <- {it:?}")).unwrap_or_default();
            let at = self.world.clock().now();
            seen.push(format!("{index:4} at {at:>8} ms: {}{mark}", short(&request.line())));
            (index, act)
        };
        assert!(index < 100_000, "a process that asks for ever");
        self.note_place(index, &request);
        match act {
            None => self.world.call(request).await,
            Some(act) => self.perform(act, request).await,
        }
    }
}
