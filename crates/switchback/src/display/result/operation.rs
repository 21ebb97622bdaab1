//! What became of an update, a rollback or a recovery, in sentences.

use serde_json::Value;

use super::facts::{failure, label, list, name, next, seconds, texts, word};
use crate::display::text::{self, AddLine as _};
use crate::display::warning;

/// The text of a result object, or of `{"results":[…]}`.
pub fn operation_result(document: &Value) -> String {
    if document.get("results").is_none() {
        return one(document);
    }
    let results = list(document, "results");
    if results.is_empty() {
        return "Nothing to do\n".to_owned();
    }
    let told: String = results.iter().map(one).collect();
    if results.len() == 1 { told } else { told + &summary(results) }
}

/// `3 deployments: 2 committed, 1 rolled back`, in the order in which they came.
fn summary(results: &[Value]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for result in results {
        let outcome =
            text::one_line(word(result, "outcome").unwrap_or("unknown")).replace('_', " ");
        match counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome, 1)),
        }
    }
    let counts: Vec<String> =
        counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    format!("{}: {}\n", text::count(results.len(), "deployment"), counts.join(", "))
}

/// One operation: the sentence, what changed, why it failed, and what to type.
fn one(document: &Value) -> String {
    let outcome = word(document, "outcome").unwrap_or("unknown");
    let error = document.get("error").unwrap_or(&Value::Null);
    if word(error, "code") == Some("declined") {
        return format!("{}\n", warning::declined(action(document)));
    }
    let mut told = headline(document, outcome) + "\n";
    if let Some(aftermath) = aftermath(document, outcome) {
        told.add_line(&format!("  {aftermath}"));
    }
    for change in texts(document, "changes_applied") {
        told.add_line(&format!("  changed: {change}"));
    }
    for change in texts(document, "changes_reverted") {
        told.add_line(&format!("  taken back: {change}"));
    }
    for thing in list(document, "removed") {
        told.add_line(&format!("  removed: {}", super::gc::thing(thing)));
    }
    for thing in list(document, "left") {
        told.add_line(&format!("  left where it is: {}", super::gc::thing(thing)));
    }
    told.push_str(&failure(error));
    for message in texts(document, "warnings") {
        told.add_line(&format!("  Warning: {message}"));
    }
    if let Some(url) = word(document, "url") {
        told.add_line(&format!("  The service is at {}", text::one_line(url)));
    }
    match word(error, "hint").map(str::to_owned).or_else(|| remedy(document, outcome)) {
        Some(remedy) => told + &next(&remedy),
        None => told,
    }
}

fn action(document: &Value) -> &str {
    word(document, "action").unwrap_or("operation")
}

/// What happened, to what, and how long it took.
fn headline(document: &Value, outcome: &str) -> String {
    let name = name(document);
    let attempt = attempt(document, &name);
    match outcome {
        "committed" => committed(document, &name),
        "up_to_date" if action(document) == "recover" => format!("Nothing is left open of {name}"),
        "up_to_date" => {
            let version = label(document, "current").or_else(|| label(document, "new"));
            let version = version.map_or_else(String::new, |version| format!(": {version}"));
            format!("{name} is up to date{version}{}", release(document, "release"))
        }
        "skipped" => format!("Skipped {name}"),
        "failed" => format!("Failed: {attempt}"),
        "refused" => format!("Refused: {attempt}"),
        "rolled_back" => {
            format!("Rolled back: {attempt} did not hold{}", times(document, "; it took"))
        }
        "stuck" if document.get("operation").is_none() => {
            format!("Stuck: {attempt} was not begun")
        }
        // `auto_rollback = false`: nobody has tried to go back yet.
        "stuck" if document["error"]["code"] != "undo_failed" => {
            format!("Stuck: {attempt} failed, and what it left stands; a person must decide")
        }
        "stuck" => format!("Stuck: {attempt} failed, and so did the way back; a person must look"),
        "interrupted" => format!("Interrupted: {attempt}"),
        other => format!("Unknown outcome '{}': {attempt}", text::one_line(other)),
    }
}

/// `the update of web to 2.0.0`.
fn attempt(document: &Value, name: &str) -> String {
    let to = label(document, "new").map_or_else(String::new, |version| format!(" to {version}"));
    format!("the {} of {name}{to}", text::one_line(action(document)))
}

/// `Updated web: 1.0.0 -> 2.0.0 (r2) in 3.1 s, 0.8 s of downtime`.
fn committed(document: &Value, name: &str) -> String {
    let previous = label(document, "previous");
    let verb = match (action(document), &previous) {
        ("update", None) => "Installed",
        ("update", Some(_)) => "Updated",
        ("rollback", _) => "Went back on",
        ("recover", _) => "Recovered",
        ("adopt", _) => "Adopted",
        ("forget", _) => "Forgot",
        _ => "Changed",
    };
    let versions = match (previous, label(document, "new")) {
        (Some(previous), Some(new)) => format!(": {previous} -> {new}"),
        (None, Some(new)) => format!(": {new}"),
        (_, None) => String::new(),
    };
    format!("{verb} {name}{versions}{}{}", release(document, "release"), times(document, " in"))
}

fn release(document: &Value, key: &str) -> String {
    word(document, key)
        .map_or_else(String::new, |release| format!(" ({})", text::one_line(release)))
}

/// ` in 3.1 s, 0.8 s of downtime`, after that preposition.
fn times(document: &Value, preposition: &str) -> String {
    let Some(took) = seconds(document, "duration_seconds") else { return String::new() };
    let downtime = match document.get("downtime_seconds").and_then(Value::as_f64) {
        Some(downtime) if downtime > 0.0 => format!(", {} of downtime", text::seconds(downtime)),
        Some(_) => ", no downtime".to_owned(),
        None => String::new(),
    };
    format!("{preposition} {took}{downtime}")
}

/// What runs now, which is the first question after everything that is not a success.
fn aftermath(document: &Value, outcome: &str) -> Option<String> {
    let name = name(document);
    let runs = label(document, "current").or_else(|| label(document, "previous"));
    let runs = runs.map(|version| version + &release(document, "previous_release"));
    match (outcome, runs) {
        ("rolled_back", Some(runs)) => Some(format!("{name} serves {runs} again, verified.")),
        ("rolled_back", None) => Some("What ran before serves again, verified.".to_owned()),
        ("failed", Some(runs)) => Some(format!("{name} still runs {runs}; nothing was changed.")),
        ("failed", None) | ("refused", _) => Some("Nothing was changed.".to_owned()),
        ("interrupted", Some(runs)) => Some(format!("{name} runs {runs}.")),
        _ => None,
    }
}

/// What to type where the error does not say it.
fn remedy(document: &Value, outcome: &str) -> Option<String> {
    let name = name(document);
    let retryable = document.pointer("/error/retryable").and_then(Value::as_bool) == Some(true);
    // What did not come to an operation has logged nothing.
    let logs = word(document, "operation").map(|id| format!("switchback logs {name} {id}"));
    match outcome {
        "failed" if retryable => Some(format!("switchback {} {name}", action(document))),
        "failed" | "rolled_back" => Some(logs.unwrap_or(format!("switchback plan {name}"))),
        "refused" => Some(format!("switchback plan {name}")),
        "stuck" => Some(format!("switchback recover {name}")),
        "interrupted" => Some(format!("switchback status {name}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn update(outcome: &str) -> Value {
        json!({
            "operation": "01OP", "deployment": "web", "action": "update", "trigger": "manual",
            "outcome": outcome, "previous_release": "r1", "previous_version": digest('a'),
            "previous_label": "1.0.0", "new_version": digest('b'), "new_label": "2.0.0",
            "duration_seconds": 3.1, "downtime_seconds": 0.8,
        })
    }

    /// The update with that outcome, and with more facts.
    fn told(outcome: &str, more: &Value) -> String {
        let mut document = update(outcome);
        for (key, fact) in more.as_object().unwrap() {
            document[key] = fact.clone();
        }
        operation_result(&document)
    }

    fn error() -> Value {
        json!({
            "code": "gate_failed", "message": "HTTP 500 from /health for 60 s", "step": "verify",
            "log_tail": ["listening", "panic: \u{1b}[31mno database"], "retryable": false,
        })
    }

    #[test]
    fn a_committed_update_says_what_to_what_and_what_it_cost() {
        let change = format!("image registry.example/acme/web: {} -> {}", digest('a'), digest('b'));
        let more = json!({
            "release": "r2", "changes_applied": [change], "url": "http://127.0.0.1:3000/",
            "warnings": ["no probe is configured"],
        });
        insta::assert_snapshot!(told("committed", &more), @r"
        Updated web: 1.0.0 -> 2.0.0 (r2) in 3.1 s, 0.8 s of downtime
          changed: image registry.example/acme/web: sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb
          Warning: no probe is configured
          The service is at http://127.0.0.1:3000/
        ");
    }

    #[test]
    fn without_labels_the_digests_are_short() {
        let mut document = update("committed");
        let facts = document.as_object_mut().unwrap();
        facts.remove("previous_label");
        facts.remove("new_label");
        facts["downtime_seconds"] = json!(0);
        insta::assert_snapshot!(operation_result(&document), @"Updated web: aaaaaaaaaaaa -> bbbbbbbbbbbb in 3.1 s, no downtime");
    }

    #[test]
    fn a_first_install_is_not_an_update() {
        let document = json!({
            "deployment": "web", "action": "update", "outcome": "committed", "release": "r1",
            "new_version": digest('b'),
        });
        assert_eq!(operation_result(&document), "Installed web: bbbbbbbbbbbb (r1)\n");
    }

    #[test]
    fn a_rollback_of_a_failed_version_says_what_serves_and_where_to_look() {
        let more = json!({"error": error(), "changes_reverted": ["image 2.0.0 -> 1.0.0"]});
        insta::assert_snapshot!(told("rolled_back", &more), @r"
        Rolled back: the update of web to 2.0.0 did not hold; it took 3.1 s, 0.8 s of downtime
          web serves 1.0.0 (r1) again, verified.
          taken back: image 2.0.0 -> 1.0.0
          Why: HTTP 500 from /health for 60 s (at verify)
          The end of its log:
            listening
            panic: no database
        Next: switchback logs web 01OP
        ");
    }

    #[test]
    fn a_failure_that_can_be_tried_again_says_so() {
        let error = json!({
            "code": "pull_failed", "message": "the registry closed the connection",
            "step": "Pulling latest image", "retryable": true,
        });
        insta::assert_snapshot!(told("failed", &json!({"error": error})), @r"
        Failed: the update of web to 2.0.0
          web still runs 1.0.0 (r1); nothing was changed.
          Why: the registry closed the connection (at Pulling latest image)
        Next: switchback update web
        ");
    }

    #[test]
    fn stuck_asks_for_a_person_and_names_the_way_out() {
        let error = json!({
            "code": "undo_failed", "message": "port 3000 is taken by 'other'",
            "hint": "stop 'other', then run: switchback recover web",
        });
        insta::assert_snapshot!(told("stuck", &json!({"error": error})), @r"
        Stuck: the update of web to 2.0.0 failed, and so did the way back; a person must look
          Why: port 3000 is taken by 'other'
        Next: stop 'other', then run: switchback recover web
        ");
    }

    #[test]
    fn a_refusal_changes_nothing_and_says_what_it_takes() {
        let error = json!({
            "code": "confirmation_required", "message": "there is no terminal on which to ask",
            "hint": "run the same command with --yes",
        });
        insta::assert_snapshot!(told("refused", &json!({"error": error})), @r"
        Refused: the update of web to 2.0.0
          Nothing was changed.
          Why: there is no terminal on which to ask
        Next: run the same command with --yes
        ");
    }

    #[test]
    fn a_person_who_says_no_reads_one_line() {
        let declined = json!({"error": {"code": "declined"}});
        assert_eq!(told("refused", &declined.clone()), "Update cancelled.\n");
        let mut rollback = declined;
        rollback["action"] = json!("rollback");
        assert_eq!(told("refused", &rollback), "Rollback cancelled.\n");
    }

    #[test]
    fn the_quiet_outcomes() {
        let current = json!({"current_label": "1.0.0", "release": "r1"});
        assert_eq!(told("up_to_date", &current), "web is up to date: 1.0.0 (r1)\n");
        let held = json!({"error": {"message": "held at 1.0.0"}});
        assert_eq!(told("skipped", &held), "Skipped web\n  Why: held at 1.0.0\n");
        insta::assert_snapshot!(told("interrupted", &json!({})), @r"
        Interrupted: the update of web to 2.0.0
          web runs 1.0.0 (r1).
        Next: switchback status web
        ");
    }

    #[test]
    fn a_recovery_that_finds_nothing_says_no_more_than_that() {
        let document = json!({"deployment": "web", "action": "recover", "outcome": "up_to_date"});
        assert_eq!(operation_result(&document), "Nothing is left open of web\n");
    }

    #[test]
    fn several_end_in_a_count() {
        let results = json!({"results": [update("up_to_date"), update("up_to_date"), {
            "deployment": "db", "action": "update", "outcome": "skipped",
        }]});
        insta::assert_snapshot!(operation_result(&results), @r"
        web is up to date: 2.0.0
        web is up to date: 2.0.0
        Skipped db
        3 deployments: 2 up to date, 1 skipped
        ");
        assert_eq!(operation_result(&json!({"results": []})), "Nothing to do\n");
    }

    #[test]
    fn a_word_from_the_future_is_shown_and_not_guessed_at() {
        let told = told("teleported", &json!({}));
        assert_eq!(told, "Unknown outcome 'teleported': the update of web to 2.0.0\n");
    }
}
