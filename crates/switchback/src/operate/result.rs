//! The result object of the contract, from what was written and what was seen.

use serde_json::{Map, Value, json};
use switchback_core::{Cause, Outcome, Plan, Record, StepId, release::Release};
use switchback_targets::{
    container::{
        change::{Change, CommitDraft, PreviousDraft},
        driver::Evidence,
    },
    engine_api::NO_SPACE_HINT,
};

use super::connect::Fact;
use crate::error::CommandError;

/// How many lines of a version's log are shown with its failure.
const SHOWN_LINES: usize = 20;

/// What a result is made of.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The operation.
    pub operation: &'a str,
    /// The deployment.
    pub deployment: &'a str,
    /// `update`, `rollback`, `recover`.
    pub action: &'a str,
    /// `manual`, `recovery`, …
    pub trigger: &'a str,
    /// Everything that was written.
    pub records: &'a [Fact],
    /// How it ended.
    pub outcome: Result<&'a Outcome, &'a CommandError>,
    /// What was kept of a version that was taken back.
    pub evidence: Option<&'a Evidence>,
    /// When it began and ended, in milliseconds since the epoch.
    pub span: (u64, u64),
    /// For how long nothing served, in milliseconds; none where nobody has seen all of it.
    pub downtime_ms: Option<u64>,
    /// Which parts of the specification are changed, as far as that is known here.
    pub specified: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Where the service is now.
    pub url: Option<String>,
}

/// The result object.
pub fn document(facts: &Facts<'_>) -> Value {
    let plan = facts.records.first().and_then(|it| match it {
        Record::Opened { plan, .. } => Some(plan),
        _ => None,
    });
    // What a person accepted is whatever runs; the plan says nothing about it.
    let is_accepted = matches!(facts.outcome, Ok(Outcome::Accepted));
    let commit = plan.and_then(commit_of).filter(|_| !is_accepted);
    let (outcome, error) = outcome(facts, plan);
    let is_success = matches!(outcome, "committed" | "up_to_date" | "skipped");
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            object.insert(key.to_owned(), value);
        }
    };
    put("operation", json!(facts.operation));
    put("deployment", json!(facts.deployment));
    put("action", json!(facts.action));
    put("trigger", json!(facts.trigger));
    put("outcome", json!(outcome));
    put("success", json!(is_success));
    if let Some(commit) = commit {
        if outcome == "committed" {
            put("release", json!(name(&commit.release)));
        }
        if let Some(previous) = &commit.previous {
            put("previous_release", json!(name(&previous.release)));
            put("previous_version", json!(previous.release.version));
            put("previous_label", json!(previous.release.label));
        }
        put("new_version", json!(commit.release.version));
        put("new_label", json!(commit.release.label));
        let changes = changes(commit, &facts.specified);
        let (applied, reverted) = match facts.outcome {
            _ if outcome == "committed" => (changes, vec![]),
            Ok(Outcome::RolledBack { .. }) => (vec![], changes),
            _ => (vec![], vec![]),
        };
        put("changes_applied", json!(applied));
        put("changes_reverted", json!(reverted));
        let previous = commit.previous.as_ref().map_or_else(|| json!({}), |it| state(&it.release));
        // Of what is stuck, or went to another controller half-way, nobody here knows what runs.
        let now = match facts.outcome {
            Ok(_) if outcome == "committed" => state(&commit.release),
            Ok(Outcome::Stuck { .. }) | Err(_) => Value::Null,
            Ok(_) => previous.clone(),
        };
        put("previous_state", previous);
        put("new_state", now);
    }
    let seconds =
        |milliseconds: u64| json!(std::time::Duration::from_millis(milliseconds).as_secs_f64());
    put("duration_seconds", seconds(facts.span.1.saturating_sub(facts.span.0)));
    put("downtime_seconds", facts.downtime_ms.map_or(Value::Null, seconds));
    put("warnings", json!(warnings(facts, plan)));
    put("url", json!(facts.url.as_ref().filter(|_| outcome == "committed")));
    put("error", error);
    Value::Object(object)
}

/// What a person should know besides.
fn warnings(facts: &Facts<'_>, plan: Option<&Plan<Change>>) -> Vec<String> {
    let mut warnings = facts.warnings.clone();
    if matches!(facts.outcome, Ok(Outcome::Accepted)) {
        warnings.push("what runs now was accepted; nothing was finished or undone".to_owned());
    }
    if is_stuck_on_kept_data(facts.outcome, plan) {
        warnings.push(format!(
            "{} runs on the data as the failed version left it: none was taken back, because data.policy is \
             not \"snapshot\" and there is no data.restore. If that is why, put its data back from your own \
             backup first",
            facts.deployment
        ));
    }
    warnings.extend(facts.records.iter().filter_map(|it| abandoned(it, plan)));
    warnings
}

/// What was left as it is, because nothing that runs depends on it.
fn abandoned(record: &Fact, plan: Option<&Plan<Change>>) -> Option<String> {
    let Record::StepAbandoned { step, error } = record else { return None };
    let title = title(*step, plan);
    Some(format!(
        "left as it is: {title}: {error} (what remains of it is listed by `switchback gc --dry-run`)"
    ))
}

/// Whether the old version is in place again and does not hold, with data that nobody has taken back.
fn is_stuck_on_kept_data(
    outcome: Result<&Outcome, &CommandError>,
    plan: Option<&Plan<Change>>,
) -> bool {
    let takes_back =
        |it: &Change| matches!(it, Change::HandOverData { .. } | Change::HandOverBackup { .. });
    let Ok(Outcome::Stuck { undo_error, .. }) = outcome else { return false };
    // A step that failed is a reason of its own.
    let did_not_hold = !matches!(undo_error, Cause::Step { .. } | Cause::Requested);
    did_not_hold && plan.is_some_and(|it| !it.apply.iter().any(|it| takes_back(&it.change)))
}

fn commit_of(plan: &Plan<Change>) -> Option<&CommitDraft> {
    plan.seal.iter().find_map(|it| match &it.change {
        Change::RecordRelease { commit } => Some(&**commit),
        _ => None,
    })
}

fn name(release: &Release) -> String {
    format!("r{}", release.number)
}

fn state(release: &Release) -> Value {
    let mut state = json!({ "release": name(release), "version": release.version });
    if let Some(label) = &release.label {
        state["label"] = json!(label);
    }
    state
}

fn changes(commit: &CommitDraft, specified: &[String]) -> Vec<String> {
    let is_same = |it: &PreviousDraft| it.release.version == commit.release.version;
    let is_same_image = commit.previous.as_ref().is_some_and(is_same);
    let mut changes = Vec::new();
    if !is_same_image {
        changes.push(change(commit));
    }
    changes.extend(specified.iter().map(|it| format!("{it} of {}", commit.name)));
    if changes.is_empty() {
        changes.push(format!("specification of {}", commit.name));
    }
    changes
}

fn change(commit: &CommitDraft) -> String {
    let words = |it: &Release| match &it.label {
        Some(label) => format!("{} ({label})", it.version),
        None => it.version.clone(),
    };
    match &commit.previous {
        Some(previous) => {
            format!(
                "image of {}: {} -> {}",
                commit.name,
                words(&previous.release),
                words(&commit.release)
            )
        }
        None => format!("container {} installed: {}", commit.name, words(&commit.release)),
    }
}

/// The word for the outcome, and the error object.
fn outcome(facts: &Facts<'_>, plan: Option<&Plan<Change>>) -> (&'static str, Value) {
    let outcome = match facts.outcome {
        Ok(outcome) => outcome,
        Err(error) => return ("interrupted", error.object()),
    };
    let (word, cause, undo_error) = match outcome {
        Outcome::Committed | Outcome::Accepted => return ("committed", Value::Null),
        Outcome::Failed { cause: Cause::Interrupted }
        | Outcome::RolledBack { cause: Cause::Interrupted } => {
            ("interrupted", &Cause::Interrupted, None)
        }
        Outcome::Failed { cause } => ("failed", cause, None),
        Outcome::RolledBack { cause } => ("rolled_back", cause, None),
        Outcome::Stuck { cause, undo_error } => ("stuck", cause, Some(undo_error)),
    };
    let mut error = match undo_error {
        None => {
            let error = CommandError::new(cause.code(), sentence(cause, plan));
            // What steps fill is on the engine's machine; the store has errors of its own.
            if cause.code() == "no_space" { error.hint(NO_SPACE_HINT) } else { error }
        }
        Some(Cause::Requested) => CommandError::new(cause.code(), sentence(cause, plan)).hint(format!(
            "switchback recover {0}   # goes back; or keep what runs: switchback recover {0} --accept-current",
            facts.deployment
        )),
        Some(undo) => {
            let message = format!("{}; the way back failed too: {}", sentence(cause, plan), sentence(undo, plan));
            CommandError::new("undo_failed", message).hint(format!(
                "switchback recover {0}   # tries again; after a repair by hand: switchback recover {0} --accept-current",
                facts.deployment
            ))
        }
    };
    if let Cause::Step { step, .. } = undo_error.unwrap_or(cause) {
        error = error.fact("step", json!(title(*step, plan)));
    } else if !matches!(cause, Cause::Interrupted) {
        error = error.fact("step", json!("verify"));
    }
    if let Some(evidence) = facts.evidence {
        let from = evidence.log_tail.len().saturating_sub(SHOWN_LINES);
        error = error.fact("log_tail", json!(evidence.log_tail[from..]));
    }
    (word, error.object())
}

fn sentence(cause: &Cause, plan: Option<&Plan<Change>>) -> String {
    match cause {
        Cause::Step { step, error } => format!("{}: {error}", title(*step, plan)),
        other => other.to_string(),
    }
}

fn title(step: StepId, plan: Option<&Plan<Change>>) -> String {
    let found = plan.and_then(|it| it.step(step));
    found.map_or_else(|| format!("step {}", step.0), |it| it.change.to_string())
}

/// A result for an operation that never became a transaction.
pub fn without_transaction(
    deployment: &str,
    action: &str,
    outcome: &str,
    error: Option<&CommandError>,
) -> Value {
    let is_success = matches!(outcome, "up_to_date" | "skipped");
    let mut document = json!({ "deployment": deployment, "action": action, "trigger": "manual",
        "outcome": outcome, "success": is_success });
    if let Some(error) = error {
        document["error"] = error.object();
    }
    document
}
