//! What an update would do, before anybody agrees to it.

use serde_json::Value;

use super::facts::{failure, label, list, name, next, seconds, texts, word};
use crate::display::table::Table;
use crate::display::text::{self, AddLine as _};

/// The text of the document of `plan`.
pub fn plan(document: &Value) -> String {
    let mut told = headline(document) + "\n";
    told.push_str(&changes(document));
    told.push_str(&section("Steps", &steps(document)));
    told.push_str(&section("Preserved", &texts(document, "preserved")));
    told.push_str(&section("Not preserved", &texts(document, "not_preserved")));
    told.push_str(&checks(document));
    if let Some(downtime) = seconds(document, "downtime_estimate_seconds") {
        told.add_line(&format!("Estimated downtime: {downtime}"));
    }
    for warning in texts(document, "warnings") {
        told.add_line(&format!("Warning: {warning}"));
    }
    told + &ending(document)
}

/// `Plan for web: 1.0.0 -> 2.0.0`.
fn headline(document: &Value) -> String {
    let name = name(document);
    let current = label(document, "current");
    let target = label(document, "target");
    match (word(document, "status"), current, target) {
        (Some("up_to_date"), Some(current), _) => format!("{name} is up to date: {current}"),
        (Some("up_to_date"), None, _) => format!("{name} is up to date"),
        (_, Some(current), Some(target)) => format!("Plan for {name}: {current} -> {target}"),
        (_, None, Some(target)) => format!("Plan for {name}: install {target}"),
        (_, Some(current), None) => format!("Plan for {name}: {current} -> unknown"),
        (_, None, None) => format!("Plan for {name}"),
    }
}

/// A setting a line, old and new.
fn changes(document: &Value) -> String {
    let lines: Vec<String> = list(document, "changes")
        .iter()
        .filter_map(|change| {
            let path = text::one_line(word(change, "path")?);
            let (old, new) = (fact(change.get("old")), fact(change.get("new")));
            Some(format!("{path}: {old} -> {new}"))
        })
        .collect();
    section("Changes", &lines)
}

/// A value of any shape on one line.
fn fact(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "(none)".to_owned(),
        Some(Value::String(text)) => text::brief(text),
        Some(other) => text::brief(&other.to_string()),
    }
}

/// The steps in their order: plain texts, or objects with a title and a phase.
fn steps(document: &Value) -> Vec<String> {
    let title = |step: &Value| {
        let title = step.as_str().or_else(|| word(step, "title"))?;
        let phase = word(step, "phase").map(|phase| format!(" ({})", text::one_line(phase)));
        Some(text::brief(title) + &phase.unwrap_or_default())
    };
    let titles = list(document, "steps").iter().filter_map(title);
    titles.enumerate().map(|(at, title)| format!("{}. {title}", at + 1)).collect()
}

fn section(heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut told = format!("{heading}:\n");
    for line in lines {
        told.add_line(&format!("  {line}"));
    }
    told
}

fn checks(document: &Value) -> String {
    let checks = list(document, "checks");
    if checks.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["CHECK", "RESULT", "MESSAGE"]);
    for check in checks {
        let column = |key| word(check, key).map(text::brief).unwrap_or_default();
        table.push(vec![column("check"), column("result"), column("message")]);
    }
    table.render()
}

/// Why it would be refused, or how to run exactly this.
fn ending(document: &Value) -> String {
    let error = document.get("error").filter(|error| error.is_object());
    if let Some(error) = error {
        let hint = word(error, "hint").map(next).unwrap_or_default();
        return format!("This would be refused.\n{}{hint}", failure(error));
    }
    match word(document, "fingerprint") {
        Some(fingerprint) if word(document, "status") != Some("up_to_date") => {
            let fingerprint = text::one_line(fingerprint);
            next(&format!("switchback update {} --plan {fingerprint}", name(document)))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        json!({
            "deployment": "web", "kind": "container", "status": "available",
            "current_label": "1.0.0", "target_label": "2.0.0", "fingerprint": "f00d",
            "steps": [
                {"step": 1, "phase": "staging", "title": "Pulling latest image"},
                {"step": 2, "phase": "switching", "title": "Stopping service"},
            ],
            "changes": [
                {"path": "image", "old": format!("sha256:{}", "a".repeat(64)),
                 "new": format!("sha256:{}", "b".repeat(64))},
                {"path": "run.ports", "new": ["127.0.0.1:3000:4096"]},
            ],
            "preserved": ["volume opencode-session"], "not_preserved": ["/tmp in the container"],
            "checks": [
                {"check": "disk", "result": "passed", "message": "12 GB free, 1 GB needed"},
                {"check": "ports", "result": "skipped"},
            ],
            "downtime_estimate_seconds": 2.5, "warnings": ["no probe is configured"],
        })
    }

    #[test]
    fn a_plan_says_everything_before_it_is_agreed_to() {
        insta::assert_snapshot!(plan(&document()), @r#"
        Plan for web: 1.0.0 -> 2.0.0
        Changes:
          image: sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb
          run.ports: (none) -> ["127.0.0.1:3000:4096"]
        Steps:
          1. Pulling latest image (staging)
          2. Stopping service (switching)
        Preserved:
          volume opencode-session
        Not preserved:
          /tmp in the container
        CHECK   RESULT    MESSAGE
        disk    passed    12 GB free, 1 GB needed
        ports   skipped
        Estimated downtime: 2.5 s
        Warning: no probe is configured
        Next: switchback update web --plan f00d
        "#);
    }

    #[test]
    fn a_plan_that_would_be_refused_says_why_and_what_to_do() {
        let refused = json!({
            "deployment": "web", "status": "available", "current_label": "1.0.0",
            "target_label": "2.0.0", "fingerprint": "f00d",
            "checks": [
                {"check": "disk", "result": "failed", "message": "1 GB is needed, 0.2 GB are free"},
                {"check": "ports", "result": "passed"},
            ],
            "error": {"code": "no_space", "message": "1 GB is needed, 0.2 GB are free",
                      "hint": "switchback gc"},
        });
        insta::assert_snapshot!(plan(&refused), @r"
        Plan for web: 1.0.0 -> 2.0.0
        CHECK   RESULT   MESSAGE
        disk    failed   1 GB is needed, 0.2 GB are free
        ports   passed
        This would be refused.
          Why: 1 GB is needed, 0.2 GB are free
        Next: switchback gc
        ");
    }

    #[test]
    fn nothing_to_do_is_one_line() {
        let same = json!({"deployment": "web", "status": "up_to_date", "current_label": "1.0.0",
                          "fingerprint": "f00d"});
        assert_eq!(plan(&same), "web is up to date: 1.0.0\n");
    }
}
