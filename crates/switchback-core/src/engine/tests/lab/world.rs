//! What is updated in the lab: facts, the plan that changes them, and what can go wrong.

use std::collections::BTreeSet;

use crate::{
    Cause, Expectation, GatePolicy, Millis, Plan, Step, StepId, TargetError,
    gate::{Baseline, ProbeSeen},
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
/// How many records come before the switch, before the gate has opened, and before the commit.
pub(in super::super) const SWITCH: usize = 5;
pub(in super::super) const VERIFIED: usize = 9;
pub(in super::super) const COMMIT: usize = 12;
pub(in super::super) const LIMIT: Millis = 10_000;

/// The parts of an update, by their verbs.
pub(in super::super) fn plan_of(parts: [&[&str]; 4]) -> Plan<String> {
    let mut ids = 0..;
    let mut part = |verbs: &[&str]| {
        let step = |verb: &&str| Step {
            id: StepId(ids.next().unwrap()),
            change: (*verb).to_owned(),
            limit: LIMIT,
        };
        verbs.iter().map(step).collect()
    };
    let [stage, apply, seal, retire] = parts.map(&mut part);
    let probe = ProbeSeen { probe: "http".into(), ready: true, detail: "HTTP 200".into() };
    let gate = GatePolicy {
        interval: 1_000,
        patience: 2_000,
        streak: 3,
        deadline: 60_000,
        window: 10_000,
        expect: Expectation::default(),
        baseline: Some(Baseline { running: true, probes: vec![probe], restarting: false }),
    };
    Plan { stage, apply, gate, seal, retire, auto_rollback: true }
}

pub(in super::super) fn plan() -> Plan<String> {
    plan_of([&["pull", "create"], &["stop", "start"], &["confirm"], &["remove"]])
}

pub(in super::super) fn broken(step: u16, action: &str) -> Cause {
    Cause::Step { step: StepId(step), error: error(action) }
}

pub(in super::super) fn late(step: u16) -> Cause {
    Cause::Step { step: StepId(step), error: TargetError::TimedOut { after: LIMIT } }
}

pub(super) fn error(action: &str) -> TargetError {
    TargetError::failed("injected", action, "it was told to")
}

#[derive(Debug, Clone, Default)]
pub(in super::super) struct World {
    pub(in super::super) facts: BTreeSet<&'static str>,
    /// An effect that its caller no longer waits for, and when it comes.
    pub(in super::super) pending: Option<(Millis, String)>,
    pub(in super::super) now: Millis,
    pub(in super::super) log: Vec<String>,
}

impl World {
    pub(in super::super) fn make(&mut self, verb: &str, forward: bool) {
        let (_, fact, goal) = VERBS.into_iter().find(|it| it.0 == verb).unwrap();
        if goal == forward {
            self.facts.insert(fact)
        } else {
            self.facts.remove(fact)
        };
    }

    pub(super) fn holds(&self, verb: &str) -> bool {
        VERBS.iter().any(|it| it.0 == verb && self.facts.contains(it.1) == it.2)
    }

    pub(super) fn pass(&mut self, span: Millis) {
        self.now += span;
        if let Some((_, verb)) = self.pending.take_if(|(due, _)| *due <= self.now) {
            self.make(&verb, true);
        }
    }

    pub(super) fn log(&mut self, line: impl Into<String>) {
        self.log.push(line.into());
        self.log.dedup_by(|a, b| a == b && a == "probe");
    }

    /// Everything in the log that is not a look.
    pub(in super::super) fn effects(&self) -> usize {
        self.log.iter().filter(|it| *it != "probe").count()
    }
}

/// What one call does besides, or in place of, what it was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Fault {
    /// `apply` has its effect and reports a failure.
    Fails,
    /// `apply` has no effect and reports a failure.
    Refuses,
    /// `apply` never returns, and its effect comes long after.
    Late,
    /// `apply` never returns and has no effect.
    Hangs,
    /// `apply` never returns, and somebody asks to stop meanwhile.
    HangsAndInterrupts,
    /// `precheck` finds that somebody else was there.
    Drifts,
    /// `precheck` gets no answer.
    Unanswered,
    /// `precheck` never returns.
    LookHangs,
    /// `settle` never returns.
    SettleHangs,
    /// `undo` reports a failure.
    UndoFails,
    /// `undo` never returns.
    UndoHangs,
}

/// How the service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) enum Health {
    #[default]
    Well,
    NewHangs,
    /// Its restart count moves at the look of that number.
    NewCrashesAt(u32),
    NewIsIll,
    BothAreIll,
}
