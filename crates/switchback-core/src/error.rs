//! One error enum for each boundary.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// What a target answered in place of a result.
///
/// Plain data, because it goes into the journal and must mean the same when it is read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum TargetError {
    /// Something else stands there than the plan was made for; nothing was touched.
    #[error("expected to find {expected}, but found {found}")]
    Drifted {
        /// What the plan was made for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The effect did not come in its time.
    #[error("gave up after {}", crate::words::milliseconds(*.after))]
    TimedOut {
        /// The step's limit in milliseconds.
        after: Millis,
    },
    /// The target refused, or could not.
    #[error("cannot {action}: {reason}")]
    Failed {
        /// What was tried ("pull registry.example/web@sha256:…").
        action: String,
        /// Why it did not work, in the words of whoever refused.
        reason: String,
        /// The contract's error code (`pull_failed`, `no_space`, …).
        code: String,
    },
}

impl TargetError {
    /// A failure with its contract's error code.
    pub fn failed(code: &str, action: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Failed { action: action.into(), reason: reason.into(), code: code.to_owned() }
    }

    /// The contract's error code.
    pub fn code(&self) -> &str {
        match self {
            Self::Drifted { .. } => "drifted",
            Self::TimedOut { .. } => "timeout",
            Self::Failed { code, .. } => code,
        }
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// What is wanted is what runs.
    #[error("already at {version}")]
    NothingToDo {
        /// What runs.
        version: String,
    },
    /// It would lose something, or cannot work; nothing has been changed.
    #[error("{problem}")]
    Refused {
        /// The contract's error code.
        code: String,
        /// What stands in the way.
        problem: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Written by a newer version, or by a defect.
    #[error("the journal has a record that is illegal in its place, or of a newer format")]
    Illegal,
    /// The storage failed.
    #[error("the journal cannot be written or read")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl JournalError {
    /// A failure of the storage.
    pub fn storage(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Storage(error.into())
    }
}

/// The lease went to somebody else: whatever happens to the target is theirs now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lease on this target is held by {holder}")]
pub struct Fenced {
    /// Who holds it, as far as that is known.
    pub holder: String,
}
