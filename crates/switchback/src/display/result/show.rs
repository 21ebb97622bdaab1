//! One release or one operation whole: every fact of its document, a line each.

use serde_json::Value;

use crate::display::text::{self, AddLine as _};

/// How deep facts may lie within facts before the rest is shown as it stands.
const DEPTH_MAX: usize = 6;

/// The text of the document of `show`.
pub fn show(document: &Value) -> String {
    let mut told = String::new();
    fields(document, 0, &mut told);
    told
}

/// The keys of an object under each other, nested ones indented.
fn fields(value: &Value, depth: usize, told: &mut String) {
    let Value::Object(facts) = value else {
        told.add_line(&format!("{}{}", indent(depth), scalar(value)));
        return;
    };
    for (key, fact) in facts {
        let name = text::one_line(key).replace('_', " ");
        if is_flat(fact) || depth >= DEPTH_MAX {
            told.add_line(&format!("{}{name}: {}", indent(depth), scalar(fact)));
        } else {
            told.add_line(&format!("{}{name}:", indent(depth)));
            nested(fact, depth + 1, told);
        }
    }
}

fn nested(value: &Value, depth: usize, told: &mut String) {
    let Value::Array(items) = value else { return fields(value, depth, told) };
    for item in items {
        if is_flat(item) || depth >= DEPTH_MAX {
            told.add_line(&format!("{}- {}", indent(depth), scalar(item)));
        } else {
            told.add_line(&format!("{}-", indent(depth)));
            nested(item, depth + 1, told);
        }
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// Whether a value fits on the line of its key.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Object(facts) => facts.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

/// A value on one line. Here digests stay whole: who asks for everything may want to copy them.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(words) => text::one_line(words),
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Object(facts) if facts.is_empty() => "none".to_owned(),
        other => text::one_line(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_fact_has_a_line() {
        let document = json!({
            "release": "r2", "version": format!("sha256:{}", "b".repeat(64)), "pinned": false,
            "warnings": [], "changes_applied": ["image a -> b", "ports"],
            "error": {"code": "gate_failed", "log_tail": ["panic\u{1b}[2J"]},
            "steps": [{"step": 1, "state": "done"}],
        });
        insta::assert_snapshot!(show(&document), @r"
        release: r2
        version: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
        pinned: no
        warnings: none
        changes applied:
          - image a -> b
          - ports
        error:
          code: gate_failed
          log tail:
            - panic
        steps:
          -
            step: 1
            state: done
        ");
    }

    #[test]
    fn a_deep_document_ends_somewhere() {
        let deep = (0..100).fold(json!("bottom"), |inner, _| json!({ "in": inner }));
        assert!(show(&deep).lines().count() <= DEPTH_MAX + 1);
    }
}
