//! What was said of a command, by its exit code, in the histories and in the results of those who took
//! it up, against what has really become of it.

use serde_json::Value;

use super::rule::{Left, Open};
use crate::common::store::Line;

/// Lines of a history that are open, or that say something else than what has become of the command.
pub(super) fn in_history(lines: &[Line], committed: bool) -> Vec<String> {
    let agrees = |it: &&Line| match (it.action.as_str(), it.outcome.as_deref(), it.exit_code) {
        (_, Some("committed"), Some(0)) => committed,
        // A recovery has done its work when nothing is left open, whichever way that went.
        ("recover", Some("interrupted" | "rolled_back" | "failed"), Some(0)) => !committed,
        ("recover", ..) => false,
        (_, Some("interrupted"), Some(130))
        | (_, Some("rolled_back"), Some(4))
        | (_, Some("failed"), Some(1)) => !committed,
        _ => false,
    };
    let wrong = lines.iter().filter(|it| !agrees(it));
    wrong.map(|it| format!("the history has {:?}, committed: {committed}", it.text())).collect()
}

/// Whether an exit code is that of what has become of the command. Who was killed has none, and who was
/// interrupted or is stuck does not claim to know.
pub(super) fn by_exit_code(code: Option<i32>, committed: bool) -> Option<String> {
    let agrees = match code {
        Some(0) => committed,
        Some(1 | 3 | 4) => !committed,
        _ => true,
    };
    (!agrees).then(|| format!("its exit code is {code:?}, committed: {committed}"))
}

/// What is wrong with the line of a command that has told its end: who has told one is held to it, whatever
/// anybody recovers afterwards.
pub(super) fn by_its_line(code: Option<i32>, line: Option<&Line>) -> Option<String> {
    let told = code.filter(|it| matches!(it, 0 | 1 | 4))?;
    // What was refused before it began has no line.
    let line = line.filter(|it| it.exit_code != Some(told.into()))?;
    Some(format!("its exit code is {told}, and the history has {:?}", line.text()))
}

/// What is wrong with the result of a recovery, whose store had something to bring to an end or had not.
pub(super) fn by_recovery(
    document: &Value,
    left: &Left,
    is_open: Open,
    committed: bool,
) -> Option<String> {
    let outcome = document["outcome"].as_str().unwrap_or_default();
    let agrees = match outcome {
        "up_to_date" => is_open != Open::Yes,
        "committed" => is_open != Open::No && committed,
        "interrupted" | "rolled_back" | "failed" => is_open != Open::No && !committed,
        _ => false,
    };
    let is_success = matches!(outcome, "up_to_date" | "committed");
    let is_its =
        outcome == "up_to_date" || document["operation"].as_str() == left.operation.as_deref();
    let holds = agrees && document["success"] == is_success && is_its;
    (!holds).then(|| {
        format!("a recovery says {document}, committed: {committed}, was open: {is_open:?}")
    })
}
