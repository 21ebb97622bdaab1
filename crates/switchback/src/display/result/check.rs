//! Is there something newer? A row a deployment.

use serde_json::Value;

use super::facts::{label, list, name, texts, word};
use crate::display::table::Table;
use crate::display::text::{self, AddLine as _};

/// The text of the document of `check`.
pub fn check(document: &Value) -> String {
    let deployments = list(document, "deployments");
    if deployments.is_empty() {
        return "No deployments\n".to_owned();
    }
    let mut table = Table::new(&["NAME", "STATUS", "CURRENT", "NEWEST", "REASON"]);
    for deployment in deployments {
        table.push(vec![
            name(deployment),
            status(deployment),
            label(deployment, "current").unwrap_or_default(),
            label(deployment, "target").unwrap_or_default(),
            reason(deployment),
        ]);
    }
    table.render() + &errors(deployments) + &advice(deployments)
}

/// Why it cannot be said, in whole sentences: a cell has no room for them.
fn errors(deployments: &[Value]) -> String {
    let mut told = String::new();
    for deployment in deployments {
        if let Some(message) = deployment.get("error").and_then(|it| word(it, "message")) {
            told.add_line(&format!("{}: {}", name(deployment), text::brief(message)));
        }
    }
    told
}

fn status(deployment: &Value) -> String {
    text::one_line(word(deployment, "status").unwrap_or("unknown")).replace('_', " ")
}

fn reason(deployment: &Value) -> String {
    let held = deployment.get("held").is_some_and(|held| *held != Value::Bool(false));
    let services = texts(deployment, "services");
    let mut reasons: Vec<String> =
        word(deployment, "reason").map(text::brief).into_iter().collect();
    if held {
        reasons.push("held".to_owned());
    }
    if !services.is_empty() {
        reasons.push(format!("services: {}", services.join(", ")));
    }
    reasons.join("; ")
}

/// What to type, if there is anything to do.
fn advice(deployments: &[Value]) -> String {
    let available: Vec<String> = deployments
        .iter()
        .filter(|deployment| word(deployment, "status") == Some("available"))
        .map(name)
        .collect();
    match available.as_slice() {
        [] => String::new(),
        names => super::next(&format!("switchback update {}", names.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_deployment_has_a_row_and_what_can_be_done_a_command() {
        let document = json!({"deployments": [
            {"deployment": "web", "kind": "container", "status": "available",
             "current_version": format!("sha256:{}", "a".repeat(64)), "current_label": "1.0.0",
             "target_version": format!("sha256:{}", "b".repeat(64)), "held": false},
            {"deployment": "db", "status": "unknown", "reason": "the registry did not answer",
             "current_version": format!("sha256:{}", "c".repeat(64))},
            {"deployment": "old", "status": "up_to_date", "current_label": "7.1", "held": true},
        ]});
        insta::assert_snapshot!(check(&document), @r"
        NAME   STATUS       CURRENT        NEWEST         REASON
        web    available    1.0.0          bbbbbbbbbbbb
        db     unknown      cccccccccccc                  the registry did not answer
        old    up to date   7.1                           held
        Next: switchback update web
        ");
    }

    #[test]
    fn with_nothing_to_do_there_is_no_advice() {
        let document = json!({"deployments": [{"deployment": "web", "status": "up_to_date"}]});
        insta::assert_snapshot!(check(&document), @r"
        NAME   STATUS
        web    up to date
        ");
        assert_eq!(check(&json!({"deployments": []})), "No deployments\n");
    }
}
