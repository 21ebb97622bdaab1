//! What was cleared away, or would be.

use serde_json::Value;

use super::facts::{list, name, texts, word};
use crate::display::text::{self, AddLine as _};

/// The text of the document of `gc`.
pub fn gc(document: &Value) -> String {
    let is_dry = document.get("dry_run").and_then(Value::as_bool) == Some(true);
    let verb = if is_dry { "would remove" } else { "removed" };
    let mut told = String::new();
    let mut many = 0;
    for deployment in list(document, "deployments") {
        let name = name(deployment);
        for thing in list(deployment, "removed") {
            many += 1;
            told.add_line(&format!("{name}: {verb} {}", self::thing(thing)));
        }
        for warning in texts(deployment, "warnings") {
            told.add_line(&format!("{name}: {warning}"));
        }
        if let Some(message) = deployment.get("error").and_then(|it| word(it, "message")) {
            told.add_line(&format!("{name}: {}", text::brief(message)));
        }
    }
    if many == 0 {
        return told + "Nothing to remove\n";
    }
    let bytes = document.get("bytes").and_then(Value::as_u64).unwrap_or(0);
    let size = if bytes > 0 { format!(", {}", text::bytes(bytes)) } else { String::new() };
    told + &format!("{verb} {}{size}\n", text::count(many, "thing"))
}

/// `snapshot 06f…-failed, 12.5 MB`.
pub(super) fn thing(thing: &Value) -> String {
    let kind = match word(thing, "what") {
        Some("tag") => "image name",
        Some("container") => "container",
        Some("snapshot") => "snapshot",
        _ => "thing",
    };
    let name = text::one_line(word(thing, "name").unwrap_or("?"));
    let size = thing.get("bytes").and_then(Value::as_u64);
    let size = size.map_or_else(String::new, |it| format!(", {}", text::bytes(it)));
    format!("{kind} {name}{size}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_goes_is_named_and_counted() {
        let document = json!({"dry_run": true, "bytes": 12_582_912, "deployments": [
            {"deployment": "web", "removed": [
                {"what": "container", "id": "x", "name": "web.switchback-op1-old"},
                {"what": "snapshot", "name": "op1-failed", "bytes": 12_582_912},
            ]},
            {"deployment": "db", "removed": [], "error": {"code": "locked", "message": "held by ann"}},
        ]});
        insta::assert_snapshot!(gc(&document), @r"
        web: would remove container web.switchback-op1-old
        web: would remove snapshot op1-failed, 12.5 MB
        db: held by ann
        would remove 2 things, 12.5 MB
        ");
        assert_eq!(gc(&json!({"deployments": []})), "Nothing to remove\n");
    }
}
