//! What was done: who, when, from where, and how it ended.

use jiff::Timestamp;
use serde_json::Value;

use super::facts::{label, list, name, seconds, word};
use crate::display::table::Table;
use crate::display::text;

/// The text of the document of `history`, read at `now`.
pub fn history(document: &Value, now: Timestamp) -> String {
    let operations = list(document, "operations");
    if operations.is_empty() {
        return "Nothing was done yet\n".to_owned();
    }
    let mut table = Table::new(&[
        "WHEN",
        "NAME",
        "ACTION",
        "OUTCOME",
        "RELEASE",
        "VERSION",
        "TOOK",
        "BY",
        "OPERATION",
    ]);
    for operation in operations {
        let plain = |key| word(operation, key).map(text::one_line).unwrap_or_default();
        let at = word(operation, "started_at").map(|at| text::ago_of(at, now));
        table.push(vec![
            at.unwrap_or_default(),
            name(operation),
            plain("action"),
            plain("outcome").replace('_', " "),
            plain("release"),
            versions(operation),
            seconds(operation, "duration_seconds").unwrap_or_default(),
            by(operation),
            plain("operation"),
        ]);
    }
    table.render()
}

fn versions(operation: &Value) -> String {
    match (label(operation, "previous"), label(operation, "new")) {
        (Some(previous), Some(new)) => format!("{previous} -> {new}"),
        (None, Some(only)) | (Some(only), None) => only,
        (None, None) => String::new(),
    }
}

/// `alice@laptop`; where nobody typed it, what started it as well.
fn by(operation: &Value) -> String {
    let user = word(operation, "user").map(text::one_line);
    let host = word(operation, "host").map(|host| format!("@{}", text::one_line(host)));
    let who: String = user.into_iter().chain(host).collect();
    let who = match word(operation, "trigger") {
        None | Some("manual") => who,
        Some(trigger) if who.is_empty() => text::one_line(trigger),
        Some(trigger) => format!("{who} ({})", text::one_line(trigger).replace('_', " ")),
    };
    match operation.get("recovered") {
        None => who,
        Some(by) => {
            let of = |key| word(by, key).map(text::one_line).unwrap_or_default();
            format!("{who}, recovered by {}@{}", of("user"), of("host"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_operation_has_a_row() {
        let document = json!({"operations": [
            {"operation": "01B", "deployment": "web", "action": "update", "trigger": "schedule",
             "outcome": "rolled_back", "previous_label": "1.0.0", "new_label": "2.0.0",
             "duration_seconds": 63.8, "started_at": "2026-01-10T11:57:00Z", "user": "root",
             "host": "vps1"},
            {"operation": "01A", "deployment": "web", "action": "update", "trigger": "manual",
             "outcome": "committed", "release": "r1", "new_version": "sha256:abcdef",
             "duration_seconds": 3.1, "started_at": "2026-01-08T11:57:00Z", "user": "alice"},
        ]});
        let now = "2026-01-10T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!(history(&document, now), @r"
        WHEN         NAME   ACTION   OUTCOME       RELEASE   VERSION          TOOK        BY                     OPERATION
        3 min ago    web    update   rolled back             1.0.0 -> 2.0.0   1 min 4 s   root@vps1 (schedule)   01B
        2 days ago   web    update   committed     r1        abcdef           3.1 s       alice                  01A
        ");
        assert_eq!(history(&json!({"operations": []}), now), "Nothing was done yet\n");
    }
}
