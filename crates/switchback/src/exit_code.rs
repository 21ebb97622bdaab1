//! The exit codes that scripts rely on, and what each outcome and error is worth.

use serde_json::Value;

/// How a command ended, as a number for whoever started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Done and committed, or there was nothing to do.
    Done = 0,
    /// It failed, and nothing was changed or everything staged was removed again.
    Failed = 1,
    /// Wrong usage, configuration or name. Comes from before anything runs.
    Usage = 2,
    /// Refused before any change.
    Refused = 3,
    /// The switch happened, did not hold, and what ran before serves again.
    RolledBack = 4,
    /// The way back failed too; a person must look.
    Stuck = 5,
    /// A rollout stopped or ended with hosts that are not on its target.
    RolloutIncomplete = 6,
    /// Something newer is available.
    Available = 10,
    /// At least one answer is unknown.
    Unknown = 11,
    /// SIGINT ended it; everything uncommitted was taken back, or is left to `recover`.
    Interrupted = 130,
    /// SIGTERM ended it, with the same meaning as [`ExitCode::Interrupted`].
    Terminated = 143,
}

impl ExitCode {
    /// The number itself.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The worst of several, which is what a command over several deployments ends with.
    /// Of none it is [`ExitCode::Done`].
    pub fn worst(codes: impl IntoIterator<Item = Self>) -> Self {
        codes.into_iter().max_by_key(|code| code.severity()).unwrap_or(Self::Done)
    }

    /// How bad it is to have ended so; only the order counts. It is not the order of the numbers:
    /// a target that nobody looks after outranks everything, and a failure that changed nothing
    /// is less than a service that went down and came back.
    const fn severity(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unknown => 1,
            Self::Available => 2,
            Self::Refused => 3,
            Self::Usage => 4,
            Self::Failed => 5,
            Self::RolloutIncomplete => 6,
            Self::RolledBack => 7,
            Self::Interrupted | Self::Terminated => 8,
            Self::Stuck => 9,
        }
    }

    /// What the `outcome` of one operation is worth. A word that this version does not know is a
    /// failure: what we cannot read is never success.
    pub fn of_outcome(outcome: &str) -> Self {
        match outcome {
            "committed" | "up_to_date" | "skipped" => Self::Done,
            "refused" => Self::Refused,
            "rolled_back" => Self::RolledBack,
            "stuck" => Self::Stuck,
            "interrupted" => Self::Interrupted,
            _ => Self::Failed,
        }
    }

    /// What an error is worth that ended a command without a result.
    pub fn of_error(code: &str) -> Self {
        match code {
            "usage" | "config_invalid" | "not_found" => Self::Usage,
            "declined"
            | "confirmation_required"
            | "locked"
            | "owned_elsewhere"
            | "plan_stale"
            | "quarantined"
            | "data_at_risk"
            | "preflight_failed"
            | "no_previous_release"
            | "drifted"
            | "not_permitted" => Self::Refused,
            "undo_failed" => Self::Stuck,
            _ => Self::Failed,
        }
    }

    /// What a result object, a `{"results":[…]}` or an `{"error":{…}}` is worth.
    pub fn of_result(document: &Value) -> Self {
        if let Some(results) = document.get("results").and_then(Value::as_array) {
            return Self::worst(results.iter().map(Self::of_result));
        }
        let word = |pointer| document.pointer(pointer).and_then(Value::as_str);
        let has_begun = document.get("operation").is_some();
        match (word("/outcome"), word("/error/code")) {
            // A wrong name stays wrong usage, also where it was found out late.
            (Some("failed"), Some(code)) if !has_begun && Self::of_error(code) == Self::Usage => {
                Self::Usage
            }
            (Some(outcome), _) => Self::of_outcome(outcome),
            (None, Some(code)) => Self::of_error(code),
            (None, None) => Self::Failed,
        }
    }

    /// What the result of a recovery is worth: it has done its work when nothing is left open,
    /// whichever way that went.
    pub fn of_recovery(result: &Value) -> Self {
        match result["outcome"].as_str() {
            Some("committed" | "rolled_back" | "interrupted" | "failed")
                if result.get("operation").is_some() && result["error"]["code"] != "locked" =>
            {
                Self::Done
            }
            _ => Self::of_result(result),
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{self, *};
    use serde_json::json;

    const WORST_FIRST: [ExitCode; 10] = [
        Stuck,
        Interrupted,
        RolledBack,
        RolloutIncomplete,
        Failed,
        Usage,
        Refused,
        Available,
        Unknown,
        Done,
    ];

    #[test]
    fn of_several_the_worst_counts_in_either_order() {
        for (position, worse) in WORST_FIRST.iter().enumerate() {
            for better in &WORST_FIRST[position..] {
                assert_eq!(ExitCode::worst([*worse, *better]), *worse);
                assert_eq!(ExitCode::worst([*better, *worse]), *worse);
            }
        }
        assert_eq!(ExitCode::worst([RolledBack, Terminated]), Terminated);
    }

    #[test]
    fn of_none_it_is_done() {
        assert_eq!(ExitCode::worst([]), Done);
    }

    #[test]
    fn a_word_from_the_future_is_a_failure() {
        assert_eq!(ExitCode::of_outcome("evaporated"), Failed);
        assert_eq!(ExitCode::of_error("evaporated"), Failed);
        assert_eq!(ExitCode::of_result(&json!({})), Failed);
    }

    #[test]
    fn a_list_of_results_ends_as_its_worst() {
        let document = json!({"results": [
            {"outcome": "committed"}, {"outcome": "rolled_back"}, {"outcome": "refused"},
        ]});
        assert_eq!(ExitCode::of_result(&document), RolledBack);
    }

    #[test]
    fn an_error_without_a_result_has_its_own_code() {
        let worth = |code| ExitCode::of_result(&json!({"error": {"code": code}})).number();
        assert_eq!(worth("config_invalid"), 2);
        assert_eq!(worth("confirmation_required"), 3);
        assert_eq!(worth("engine_unreachable"), 1);
        assert_eq!(worth("undo_failed"), 5);
    }

    #[test]
    fn an_outcome_outranks_the_error_that_explains_it() {
        let document = json!({"outcome": "rolled_back", "error": {"code": "gate_failed"}});
        assert_eq!(ExitCode::of_result(&document), RolledBack);
    }
}
