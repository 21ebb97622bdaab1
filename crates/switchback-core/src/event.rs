//! What a display, a log or an API learns of a running operation.
//!
//! The engine sends these and prints nothing. A step is announced only once its record is durable,
//! so whoever watches never sees more than a crash would leave behind.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// One thing that happened in an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the epoch.
    pub at: Millis,
    /// The id of the operation.
    pub operation: String,
    /// The deployment it belongs to.
    pub deployment: String,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. The variants are the words of the `event` key in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum EventKind {
    /// The operation began; these are all its steps in their order, so that a display can draw them.
    Started {
        /// `update`, `rollback`, `recover`, `adopt`.
        action: String,
        /// Every step of the plan.
        steps: Vec<StepTitle>,
    },
    /// Another phase began.
    Phase {
        /// The phase that begins.
        phase: PhaseName,
    },
    /// A step changed its state.
    Step {
        /// Which one.
        step: u16,
        /// The phase that it belongs to.
        phase: PhaseName,
        /// What it is, in words for people ("Pulling latest image").
        title: String,
        /// What became of it.
        state: StepState,
        /// A reason or a detail, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A long step got on. `done` and `total` are in `unit`.
    Progress {
        /// What moves: a layer's short id, a mount's path.
        item: String,
        /// What is being done to it ("downloading", "extracting", "copying").
        message: String,
        /// How much is done.
        done: u64,
        /// Out of how much, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// Of what.
        unit: Unit,
    },
    /// One look at the service by the gate.
    Probe {
        /// Whether the service was ready.
        ready: bool,
        /// What was seen.
        message: String,
        /// How many looks in a row were good, this one included, if the gate counts them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        streak: Option<u32>,
        /// How many in a row it takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        streak_needed: Option<u32>,
    },
    /// Something that a person should know and that stops nothing.
    Warning {
        /// A stable word for scripts, such as `no_probe`.
        code: String,
        /// The sentence for people.
        message: String,
    },
    /// The operation ended. `result` is the document of the contract.
    Finished {
        /// The result object.
        result: Box<serde_json::Value>,
    },
    /// A kind of event that this version does not know.
    #[serde(other)]
    Unknown,
}

/// A step, named before it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTitle {
    /// Its number in the plan.
    pub step: u16,
    /// The phase that it belongs to.
    pub phase: PhaseName,
    /// What it is, in words for people.
    pub title: String,
}

/// Where an operation is. The words of the `phase` key in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// Nothing is going on.
    Idle,
    /// Looking and deciding; nothing has been changed.
    Planning,
    /// Everything slow is being prepared beside the running version.
    Staging,
    /// The only phase that costs downtime.
    Switching,
    /// The new version has to prove itself.
    Verifying,
    /// It is committed; what no kept release needs is being removed.
    Retiring,
    /// Everything goes back.
    RollingBack,
    /// Nobody is at work on it; `recover` will be.
    Interrupted,
    /// The way back failed too.
    Stuck,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It is about to run.
    Started,
    /// It ran.
    Done,
    /// There was nothing to do: what it makes was there.
    Skipped,
    /// It failed.
    Failed,
    /// What it changed is being taken back.
    Undoing,
    /// What it changed was taken back.
    Undone,
    /// It is left as it is, because nothing that runs depends on it.
    Abandoned,
}

/// What a progress counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Files.
    Files,
    /// Milliseconds of a wait.
    Milliseconds,
}
