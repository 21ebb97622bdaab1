//! Everything one update will do.

pub mod check;

use serde::{Deserialize, Serialize};

use crate::{GatePolicy, Millis, event::PhaseName};

/// An immutable plan that leaves execution no choices: digests, commits, and names are resolved.
///
/// Only `apply` may disturb the running version. The last step of `seal`, if there is one, is the
/// commit point on the target. Only `retire`, which runs after the commit, may destroy what a way
/// back would need: irreversibility is a place, not a flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan<C> {
    /// Everything slow or fallible, while the old version serves.
    pub stage: Vec<Step<C>>,
    /// The switch, which costs the downtime.
    pub apply: Vec<Step<C>>,
    /// How the new version, and a restored old one, proves itself.
    pub gate: GatePolicy,
    /// What makes the update final on the target.
    pub seal: Vec<Step<C>>,
    /// What no kept release needs goes.
    pub retire: Vec<Step<C>>,
    /// Whether a failed gate goes back by itself; false leaves the new version, stuck.
    pub auto_rollback: bool,
}

/// One change of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step<C> {
    /// Its number, unique in the plan.
    pub id: StepId,
    /// What it does.
    pub change: C,
    /// How long the effect may take, in milliseconds; it follows from the effect, never from the
    /// transport.
    pub limit: Millis,
}

/// The number of a step in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepId(pub u16);

/// The part of a plan that a step belongs to, in the order of execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// While the old version serves.
    Stage,
    /// The switch.
    Apply,
    /// After the gate, before the commit.
    Seal,
    /// After the commit.
    Retire,
}

impl Part {
    /// The phase that people see while steps of this part run.
    pub fn phase(self) -> PhaseName {
        match self {
            Self::Stage => PhaseName::Staging,
            Self::Apply => PhaseName::Switching,
            Self::Seal => PhaseName::Verifying,
            Self::Retire => PhaseName::Retiring,
        }
    }
}

impl<C> Plan<C> {
    /// All steps, in the order of execution.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (Part, &Step<C>)> {
        let parts = [Part::Stage, Part::Apply, Part::Seal, Part::Retire];
        let steps = [&self.stage, &self.apply, &self.seal, &self.retire];
        parts.into_iter().zip(steps).flat_map(|(part, it)| it.iter().map(move |it| (part, it)))
    }

    /// The part that a step belongs to, if the plan has it.
    pub fn part(&self, id: StepId) -> Option<Part> {
        self.steps().find(|(_, it)| it.id == id).map(|(part, _)| part)
    }

    /// The step of that number.
    pub fn step(&self, id: StepId) -> Option<&Step<C>> {
        self.steps().find(|(_, it)| it.id == id).map(|(_, it)| it)
    }

    /// The longest time that an effect of this plan may still take after its caller is gone.
    pub fn longest_limit(&self) -> Millis {
        self.steps().map(|(_, it)| it.limit).max().unwrap_or(0)
    }
}
