//! The smallest world that can be updated: facts, which a few verbs make and end at once.
//!
//! For sweeps that are about the journal and not about the world.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use switchback_core::{
    Baseline, Before, Driver, Expectation, Force, GatePolicy, HealthGate, Millis, Plan, PlanError,
    ProbeSeen, Seen, Step, StepId, Target, TargetError,
};

/// Each verb, the fact that it is about, and whether it makes or ends that fact.
const VERBS: [(&str, &str, bool); 6] = [
    ("pull", "image", true),
    ("create", "new", true),
    ("stop", "old up", false),
    ("start", "new up", true),
    ("confirm", "confirmed", true),
    ("remove", "old", false),
];

/// How long each effect may take, in milliseconds of a virtual clock.
const LIMIT: Millis = 10_000;

/// What holds at this moment.
#[derive(Debug)]
pub struct Facts {
    holds: Mutex<BTreeSet<&'static str>>,
    new_is_ill: bool,
}

impl Facts {
    /// The old version runs.
    pub fn before_an_update() -> BTreeSet<&'static str> {
        BTreeSet::from(["old", "old up"])
    }

    /// A world in which this holds. An ill new version never becomes ready.
    pub fn new(holds: BTreeSet<&'static str>, new_is_ill: bool) -> Self {
        Self { holds: Mutex::new(holds), new_is_ill }
    }

    /// Everything that holds.
    pub fn all(&self) -> BTreeSet<&'static str> {
        self.holds().clone()
    }

    /// `old`, `new`, `both` or `nothing`.
    pub fn serves(&self) -> &'static str {
        let holds = self.holds();
        let up = |fact| usize::from(holds.contains(fact));
        ["nothing", "old", "new", "both"][up("old up") + 2 * up("new up")]
    }

    /// An update from the old version to the new one.
    pub fn update() -> Plan<String> {
        let mut numbers = 0..;
        let mut part = |verbs: &[&str]| {
            let step = |verb: &&str| Step {
                id: StepId(numbers.next().unwrap_or(u16::MAX)),
                change: (*verb).to_owned(),
                limit: LIMIT,
            };
            verbs.iter().map(step).collect()
        };
        let gate = GatePolicy {
            interval: 1_000,
            patience: 2_000,
            streak: 2,
            deadline: 20_000,
            window: 5_000,
            expect: Expectation::default(),
            baseline: Some(Baseline {
                running: true,
                probes: vec![probe(true)],
                restarting: false,
            }),
        };
        Plan {
            stage: part(&["pull", "create"]),
            apply: part(&["stop", "start"]),
            gate,
            seal: part(&["confirm"]),
            retire: part(&["remove"]),
            auto_rollback: true,
        }
    }

    fn holds(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_made(&self, verb: &str) -> bool {
        VERBS.iter().any(|(it, fact, makes)| *it == verb && self.holds().contains(fact) == *makes)
    }

    fn make(&self, verb: &str, whether: bool) {
        for (_, fact, makes) in VERBS.iter().filter(|it| it.0 == verb) {
            if *makes == whether {
                self.holds().insert(fact);
            } else {
                self.holds().remove(fact);
            }
        }
    }
}

fn probe(ready: bool) -> ProbeSeen {
    ProbeSeen { probe: "http".to_owned(), ready, detail: format!("ready: {ready}") }
}

type Done<T> = std::future::Ready<Result<T, TargetError>>;

fn done<T>(answer: T) -> Done<T> {
    std::future::ready(Ok(answer))
}

impl Target for Facts {
    type Observed = ();
    type Desired = ();
    type Change = String;

    fn inspect(&self) -> impl switchback_core::Answer<()> {
        done(())
    }

    fn plan((): &(), (): &()) -> Result<Plan<String>, PlanError> {
        Ok(Self::update())
    }

    fn is_irreversible(change: &String) -> bool {
        change == "remove"
    }
}

impl Driver for Facts {
    type Receipt = String;

    fn precheck(&self, change: &String) -> impl switchback_core::Answer<Before> {
        done(if self.is_made(change) { Before::Present } else { Before::Absent })
    }

    async fn apply(&self, change: &String) -> Result<String, TargetError> {
        self.make(change, true);
        Ok(format!("id of {change}"))
    }

    fn settle(&self, _: &String, _: Millis, _: Force) -> impl switchback_core::Answer<()> {
        done(())
    }

    async fn undo(
        &self,
        change: &String,
        _: &Before,
        _: Option<&String>,
    ) -> Result<(), TargetError> {
        self.make(change, false);
        Ok(())
    }

    fn recall(&self, _: &String, _: &String) {}

    fn presumed(_: &String) -> Before {
        Before::Absent
    }

    async fn revive(&self, change: &String) -> Result<(), TargetError> {
        if change == "stop" {
            self.make(change, false);
        }
        Ok(())
    }
}

impl HealthGate for Facts {
    fn probe(&self) -> impl Future<Output = Seen> + Send {
        let serves = self.serves();
        let is_ready = serves == "old" || serves == "new" && !self.new_is_ill;
        let running = serves == "old" || serves == "new";
        let pid = if serves == "new" { 43 } else { 42 };
        std::future::ready(Seen { running, pid, probes: vec![probe(is_ready)], ..Seen::default() })
    }
}
