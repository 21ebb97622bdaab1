//! What was written into a configuration, and what to type next.

use serde_json::Value;

use super::facts::{list, next, texts, word};
use crate::display::text::{self, AddLine as _};

/// The text of the document of `init`.
pub fn init(document: &Value) -> String {
    let file = text::one_line(word(document, "file").unwrap_or("?"));
    let is = |key: &str| document.get(key).and_then(Value::as_bool) == Some(true);
    let added = texts(document, "added");
    let what = match added.len() {
        0 => "no new deployment".to_owned(),
        many => format!("{}: {}", text::count(many, "deployment"), added.join(", ")),
    };
    let mut told = match (is("created"), is("changed")) {
        (true, _) => format!("Wrote {file}\n  {what}\n"),
        (false, true) => format!("Added to {file}\n  {what}\n"),
        (false, false) => format!("{file} is complete: nothing was added\n"),
    };
    for left in list(document, "left_out") {
        let name = text::one_line(word(left, "container").unwrap_or("?"));
        let reason = word(left, "reason").map(text::brief).unwrap_or_default();
        told.add_line(&format!("  left out: {name} ({reason})"));
    }
    let unit = document.get("recover_service").unwrap_or(&Value::Null);
    let path = text::one_line(word(unit, "path").unwrap_or("?"));
    match word(unit, "state") {
        Some("installed") => told.add_line(&format!(
            "Installed {path}: what a power cut interrupts is finished or undone at boot"
        )),
        Some("offered") => {
            told.add_line(
                "What a power cut interrupts waits for the next command. To have it finished or undone at boot:",
            );
            told.add_line(&format!("  {}", text::one_line(word(unit, "command").unwrap_or("?"))));
        }
        _ => {}
    }
    let command = if texts(document, "deployments").is_empty() {
        "switchback init   # again, once a container runs"
    } else {
        "switchback check"
    };
    told + &next(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_new_file_says_what_is_in_it_and_what_is_not() {
        let document = json!({"file": "/etc/switchback/switchback.toml", "created": true,
            "changed": true, "added": ["api", "web"], "deployments": ["api", "web"],
            "left_out": [{"container": "db", "reason": "it belongs to the compose project shop"}]});
        insta::assert_snapshot!(init(&document), @r"
        Wrote /etc/switchback/switchback.toml
          2 deployments: api, web
          left out: db (it belongs to the compose project shop)
        Next: switchback check
        ");
    }

    #[test]
    fn the_unit_that_recovers_at_boot_is_offered() {
        let mut document = json!({"file": "/x.toml", "created": false, "changed": false,
            "added": [], "deployments": ["web"], "left_out": [],
            "recover_service": {"state": "offered", "path": "/etc/systemd/system/x.service",
                "command": "sudo switchback --config /x.toml init --recover-service"}});
        insta::assert_snapshot!(init(&document), @r"
        /x.toml is complete: nothing was added
        What a power cut interrupts waits for the next command. To have it finished or undone at boot:
          sudo switchback --config /x.toml init --recover-service
        Next: switchback check
        ");
        document["recover_service"]["state"] = json!("installed");
        insta::assert_snapshot!(init(&document), @r"
        /x.toml is complete: nothing was added
        Installed /etc/systemd/system/x.service: what a power cut interrupts is finished or undone at boot
        Next: switchback check
        ");
    }

    #[test]
    fn a_second_time_says_that_nothing_was_added() {
        let document = json!({"file": "/x.toml", "created": false, "changed": false, "added": [],
            "deployments": ["web"], "left_out": []});
        insta::assert_snapshot!(init(&document), @r"
        /x.toml is complete: nothing was added
        Next: switchback check
        ");
    }
}
