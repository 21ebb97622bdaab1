//! The facts of a transaction. A record on disk never changes meaning: new facts get new variants.

use serde::{Deserialize, Serialize};

use crate::{Before, Millis, Plan, StepId, TargetError};

/// The format of the records that this version writes.
pub const FORMAT: u16 = 1;

/// A fact, durable before anyone acts on it. An intent log, not a debug log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record")]
pub enum Record<C, R> {
    /// The transaction began.
    Opened {
        /// All that it will do.
        plan: Plan<C>,
        /// [`FORMAT`] of the writer.
        format: u16,
        /// Who runs it.
        holder: String,
    },
    /// A step is about to act. `before` was looked up before this was written, so "it was there"
    /// never means "we did it".
    StepStarted {
        /// Which one.
        step: StepId,
        /// What stood there.
        before: Before,
        /// When, in milliseconds since the epoch.
        at: Millis,
        /// When the effect will have happened, if its caller dies now.
        settles_by: Millis,
        /// Whether nobody knows that it was started: written by who takes back another's transaction,
        /// of whose records he has not seen all.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        presumed: bool,
    },
    /// A step has acted. Without a receipt, the change was found made.
    StepApplied {
        /// Which one.
        step: StepId,
        /// The ids of what it made.
        receipt: Option<R>,
    },
    /// Left as it is, because nothing that runs depends on it.
    StepAbandoned {
        /// Which one.
        step: StepId,
        /// Why.
        error: TargetError,
    },
    /// The gate has opened, to the new version or, on the way back, to the old one.
    Verified {
        /// What was seen, in words.
        evidence: String,
    },
    /// Somebody took the transaction up again after its process ended.
    Interrupted,
    /// Everything goes back.
    RollbackStarted {
        /// Why.
        cause: Cause,
    },
    /// A step was taken back.
    StepUndone {
        /// Which one.
        step: StepId,
    },
    /// A stuck transaction is tried again.
    Retried,
    /// A person declared that what runs now is right.
    Accepted,
    /// The new version is what runs.
    Committed,
    /// The end.
    Closed {
        /// How it ended.
        outcome: Outcome,
    },
}

impl<C, R> Record<C, R> {
    /// The step that the record is about.
    pub fn step(&self) -> Option<StepId> {
        match self {
            Self::StepStarted { step, .. }
            | Self::StepApplied { step, .. }
            | Self::StepAbandoned { step, .. }
            | Self::StepUndone { step } => Some(*step),
            Self::Opened { .. }
            | Self::Verified { .. }
            | Self::Interrupted
            | Self::RollbackStarted { .. }
            | Self::Retried
            | Self::Accepted
            | Self::Committed
            | Self::Closed { .. } => None,
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
#[must_use = "a rollback is not a success"]
pub enum Outcome {
    /// The new version runs, proven.
    Committed,
    /// Never touched what ran; what was staged is gone again.
    Failed {
        /// Why.
        cause: Cause,
    },
    /// What ran before runs again, verified.
    RolledBack {
        /// Why.
        cause: Cause,
    },
    /// Neither version; a person has to look.
    Stuck {
        /// Why it went back.
        cause: Cause,
        /// Why the way back failed too.
        undo_error: Cause,
    },
    /// A person repaired it and declared what runs to be right.
    Accepted,
}

/// Why it went back, as data: exit codes and the memory of rejected releases depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Cause {
    /// A signal, or the end of the process.
    Interrupted,
    /// A step failed.
    Step {
        /// Which one.
        step: StepId,
        /// How.
        error: TargetError,
    },
    /// It did not become ready before its deadline, or did not stay so.
    NeverReady {
        /// What the last look saw.
        seen: String,
    },
    /// Its process changed in the stability window.
    Restarted {
        /// What was seen.
        seen: String,
    },
    /// It ended.
    Exited {
        /// Its exit code.
        code: i64,
        /// Whether the kernel killed it for its memory.
        out_of_memory: bool,
    },
    /// It may be well, but a container that goes along with it did not stay up.
    Beside {
        /// Which one.
        name: String,
        /// What was seen of it.
        seen: String,
    },
    /// It is ready, but reports another version than was to be installed.
    VersionMismatch {
        /// What was to be installed.
        expected: String,
        /// What answers.
        found: String,
    },
    /// Somebody else took the new version away while it was proving itself.
    Vanished,
    /// Nobody could look at it for long enough to prove it.
    Unobserved {
        /// What stood in the way.
        why: String,
    },
    /// The journal could not be written.
    JournalLost {
        /// Why.
        error: String,
    },
    /// A person asked for it after the transaction was stuck.
    Requested,
}

impl Cause {
    /// The contract's error code.
    pub fn code(&self) -> &str {
        match self {
            Self::Interrupted | Self::Requested => "interrupted",
            Self::Step { error, .. } => error.code(),
            Self::NeverReady { .. }
            | Self::Restarted { .. }
            | Self::Exited { .. }
            | Self::Beside { .. } => "gate_failed",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::Vanished => "drifted",
            Self::Unobserved { .. } => "engine_unreachable",
            Self::JournalLost { .. } => "store_unusable",
        }
    }

    /// Whether this is a verdict about the release itself. Only such a verdict is remembered;
    /// interruptions, drift, full disks and unreachable hosts ban nothing.
    pub fn is_verdict(&self) -> bool {
        match self {
            Self::NeverReady { .. }
            | Self::Restarted { .. }
            | Self::Exited { .. }
            | Self::Beside { .. }
            | Self::VersionMismatch { .. } => true,
            Self::Step { error, .. } => {
                matches!(error.code(), "start_failed" | "hook_failed" | "build_failed")
            }
            Self::Interrupted
            | Self::JournalLost { .. }
            | Self::Requested
            | Self::Vanished
            | Self::Unobserved { .. } => false,
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interrupted => f.write_str("it was interrupted"),
            Self::Requested => f.write_str("it was asked to go back"),
            Self::Step { error, .. } => write!(f, "{error}"),
            Self::NeverReady { seen } => write!(f, "it did not become ready in time: {seen}"),
            Self::Restarted { seen } => write!(f, "it did not stay up: {seen}"),
            Self::Exited { code, out_of_memory: true } => {
                write!(f, "it was killed for its memory (exit code {code})")
            }
            Self::Exited { code, .. } => write!(f, "it ended with exit code {code}"),
            Self::Beside { name, seen } => {
                write!(f, "container {name}, which goes along with it, did not stay up: {seen}")
            }
            Self::VersionMismatch { expected, found } => {
                write!(f, "it reports version {found}, but {expected} was to be installed")
            }
            Self::Vanished => f.write_str("somebody else removed it while it was proving itself"),
            Self::Unobserved { why } => write!(f, "nobody could see whether it is well: {why}"),
            Self::JournalLost { error } => write!(f, "the journal cannot be written: {error}"),
        }
    }
}
