//! What a change costs, said before anybody is asked to agree to it.

use serde_json::Value;

use super::result::{label, word};
use super::text;

/// The lines to show before an update or a rollback: what it costs, and whom; and what the checks warn
/// of, such as data that stays behind, which nobody wants to learn afterwards. `plan` is the document of
/// `plan`; with `uptime_seconds` in it, the uptime is shown too.
pub fn before_change(action: &str, plan: &Value) -> Vec<String> {
    let purpose = match action {
        "rollback" => "to restore the previous version",
        "update" => "to apply the update",
        _ => "to apply the change",
    };
    let name = word(plan, "deployment").map_or_else(|| "it".to_owned(), text::one_line);
    let uptime = plan.get("uptime_seconds").and_then(Value::as_f64);
    let uptime = uptime.map(|uptime| format!("; {name} has been up for {}", text::seconds(uptime)));
    let mut lines = vec![
        format!("This will briefly stop the service {purpose}."),
        format!("Active sessions will be cut{}.", uptime.unwrap_or_default()),
    ];
    let checks = plan.get("checks").and_then(Value::as_array).into_iter().flatten();
    let warned = checks.filter(|it| word(it, "result") == Some("warned"));
    let messages = warned.filter_map(|it| word(it, "message"));
    lines.extend(messages.map(|it| format!("Warning: {}", text::brief(it))));
    lines
}

/// The question, with what runs and what will.
pub fn question(action: &str, plan: &Value) -> String {
    let verb = match action {
        "rollback" => "Roll back",
        "update" => "Update",
        _ => "Change",
    };
    let name = word(plan, "deployment").map_or_else(|| "this".to_owned(), text::one_line);
    match (label(plan, "current"), label(plan, "target")) {
        (Some(current), Some(target)) => format!("{verb} {name}: {current} -> {target}?"),
        (None, Some(target)) => format!("{verb} {name} to {target}?"),
        _ => format!("{verb} {name}?"),
    }
}

/// What is said when a person declined.
pub fn declined(action: &str) -> &'static str {
    match action {
        "rollback" => "Rollback cancelled.",
        "recover" => "Recovery cancelled.",
        "adopt" => "Adoption cancelled.",
        _ => "Update cancelled.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_update_says_what_it_costs_and_how_long_it_has_been_up() {
        let plan = json!({"deployment": "web", "uptime_seconds": 7500, "current_label": "1.0.0",
                          "target_label": "2.0.0"});
        assert_eq!(
            before_change("update", &plan),
            [
                "This will briefly stop the service to apply the update.",
                "Active sessions will be cut; web has been up for 2 h 5 min.",
            ]
        );
        assert_eq!(question("update", &plan), "Update web: 1.0.0 -> 2.0.0?");
    }

    #[test]
    fn what_a_check_warns_of_is_said_before_and_not_only_afterwards() {
        let plan = json!({"checks": [
            {"check": "layer", "result": "warned", "message": "/notes stays behind"},
            {"check": "ports", "result": "passed", "message": "nobody has port 80"},
        ]});
        assert_eq!(before_change("update", &plan)[2..], ["Warning: /notes stays behind"]);
    }

    #[test]
    fn a_rollback_does_too_even_where_little_is_known() {
        assert_eq!(
            before_change("rollback", &json!({})),
            [
                "This will briefly stop the service to restore the previous version.",
                "Active sessions will be cut.",
            ]
        );
        assert_eq!(question("rollback", &json!({"deployment": "web"})), "Roll back web?");
    }
}
