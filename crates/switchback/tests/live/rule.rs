//! How an interrupted command has to end, known from what was written before anybody takes it up.

use serde_json::Value;

use super::{consistent::Standing, scenario::Scenario};
use crate::common::{World, store::Line, target::Recorded};

/// How it has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Must {
    /// The new version is recorded as what runs.
    Commit,
    /// It is not, and nobody is about to record it.
    GoBack,
    /// The last step of the seal was begun, which records the new version with the target, and the
    /// record is not there: the program that writes it goes on without its caller, so that whoever
    /// takes it up may find either.
    Either,
}

/// Whether there is anything to be brought to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    Yes,
    No,
    /// What decides it is being written to the target: the program that writes goes on without whoever
    /// asked for it, so that it may be there when somebody else looks.
    Either,
}

impl Open {
    /// Whether it is open, and what decides that is just being written.
    fn of(is_open: bool, is_being_written: bool) -> Self {
        match (is_open, is_being_written) {
            (false, _) => Self::No,
            (true, false) => Self::Yes,
            (true, true) => Self::Either,
        }
    }
}

/// What a command has left.
#[derive(Debug)]
pub(super) struct Left {
    /// None if it had not begun.
    pub(super) operation: Option<String>,
    pub(super) must: Must,
    /// Whether its own store has anything to bring to an end.
    pub(super) is_open_here: Open,
    /// Whether another one has, which knows only what lies with the target.
    pub(super) is_open_there: Open,
}

impl Left {
    /// Looks at it. An error where what was written contradicts itself.
    pub(super) fn of(world: &World, scenario: Scenario, before: &Standing) -> Result<Self, String> {
        let lines = world.history_of("state")[before.operations..].to_vec();
        let recorded = world.recorded();
        let [line] = &lines[..] else {
            let is_new = recorded.current_label() == Some(scenario.to);
            return match lines.len() {
                0 if !is_new => Ok(Self::nothing()),
                0 => Err("the new version is recorded, and nobody has begun anything".to_owned()),
                _ => Err(format!("one command has the lines {lines:?}")),
            };
        };
        let records = world.journal(&line.id);
        let must = must(&records, is_recorded(&recorded, line, scenario)?)?;
        let is_theirs = recorded.journal["operation"] == line.id.as_str();
        let there = recorded.journal["records"].as_array().filter(|_| is_theirs);
        let is_open = matches!(line.outcome.as_deref(), None | Some("stuck"));
        // The target hears first that it begins, and last that it has ended.
        let is_beginning = is_open && records.is_empty() && there.is_none();
        let is_ending = has_ended(&records);
        Ok(Self {
            operation: Some(line.id.clone()),
            must,
            is_open_here: Open::of(is_open, is_beginning),
            is_open_there: match there {
                Some(records) => Open::of(!has_ended(records), is_ending),
                None => Open::of(is_beginning, is_beginning),
            },
        })
    }

    fn nothing() -> Self {
        let must = Must::GoBack;
        Self { operation: None, must, is_open_here: Open::No, is_open_there: Open::No }
    }
}

/// Whether the target names the new version as what this operation has left running.
fn is_recorded(recorded: &Recorded, line: &Line, scenario: Scenario) -> Result<bool, String> {
    let is_its = recorded.state["operation"] == line.id.as_str();
    match recorded.current_label() {
        Some(label) if is_its && label != scenario.to => {
            Err(format!("it has recorded {label}, and was to lead to {}", scenario.to))
        }
        _ if is_its && scenario.code != 0 => {
            Err("a version is recorded that never is ready".to_owned())
        }
        label => Ok(is_its && label.is_some()),
    }
}

/// Whether nothing is left to be done after these records.
fn has_ended(records: &[Value]) -> bool {
    records.last().is_some_and(|it| match it["record"].as_str() {
        Some("closed") => it["outcome"]["outcome"] != "stuck",
        Some(word) => word == "accepted",
        None => false,
    })
}

/// The rule: what is recorded with the target is committed, unless the way back had begun.
pub(super) fn must(records: &[Value], is_recorded: bool) -> Result<Must, String> {
    let has = |word: &str| records.iter().any(|it| it["record"] == word);
    let seal = records.first().and_then(|it| it["plan"]["seal"].as_array()?.last());
    let of_the_seal = |word: &str| {
        let is_it =
            |it: &&Value| it["record"] == word && Some(&it["step"]) == seal.map(|it| &it["id"]);
        records.iter().any(|it| is_it(&it))
    };
    if has("rollback_started") {
        // Nobody goes forward after it; its own record, if there is one, is still to be taken back.
        return Ok(Must::GoBack);
    }
    match (is_recorded, has("committed") || of_the_seal("step_applied")) {
        (true, _) if !of_the_seal("step_started") => {
            Err("the new version is recorded, and nobody was about to record it".to_owned())
        }
        (true, _) => Ok(Must::Commit),
        (false, true) => Err("the journal is past the seal, and nothing is recorded".to_owned()),
        (false, false) if of_the_seal("step_started") => Ok(Must::Either),
        (false, false) => Ok(Must::GoBack),
    }
}
