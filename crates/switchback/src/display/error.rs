//! An error that ended a command, as text: what happened, why, and what to type next.

use serde_json::Value;

use super::result::{next, texts, word};
use super::text::{self, AddLine as _};

/// The text of `{"error":{…}}`, or of the error object itself. An error of the configuration has
/// its own form, in which the command to type stands last.
pub fn error(document: &Value) -> String {
    let error = document.get("error").unwrap_or(document);
    if word(error, "code") == Some("config_invalid") {
        return configuration(error);
    }
    let message = word(error, "message").or_else(|| word(error, "code")).unwrap_or("unknown");
    let mut told = format!("Error: {}\n", text::brief(message));
    if let Some(step) = word(error, "step") {
        told.add_line(&format!("  at step: {}", text::one_line(step)));
    }
    for cause in texts(error, "causes") {
        told.add_line(&format!("  because: {cause}"));
    }
    for line in texts(error, "log_tail") {
        told.add_line(&format!("    {line}"));
    }
    told + &word(error, "hint").map(next).unwrap_or_default()
}

/// Field, problem, and the command that clears it.
fn configuration(error: &Value) -> String {
    let mut told = "Error: Configuration error\n\n".to_owned();
    if let Some(file) = word(error, "file") {
        let at = ["line", "column"].iter().filter_map(|key| error.get(key)?.as_u64());
        let at = at.fold(String::new(), |at, number| at + ":" + &number.to_string());
        told.add_line(&format!("  File:    {}{at}", text::one_line(file)));
    }
    for (key, name) in [("field", "Field:  "), ("message", "Problem:")] {
        if let Some(fact) = word(error, key) {
            told.add_line(&format!("  {name} {}", text::one_line(fact)));
        }
    }
    match word(error, "fix_command") {
        Some(command) => told + &format!("\nTo fix, run:\n  {}\n", text::one_line(command)),
        None => told + &word(error, "hint").map(next).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_happened_why_and_what_to_type() {
        let document = json!({"error": {
            "code": "engine_unreachable", "message": "the engine at unix:///run/e.sock is silent",
            "causes": ["connection refused"], "hint": "systemctl start docker", "retryable": true,
        }});
        insta::assert_snapshot!(error(&document), @r"
        Error: the engine at unix:///run/e.sock is silent
          because: connection refused
        Next: systemctl start docker
        ");
    }

    #[test]
    fn an_error_of_the_configuration_names_field_problem_and_remedy() {
        let document = json!({"error": {
            "code": "config_invalid", "field": "deployment.web.image", "file": "switchback.toml",
            "line": 4, "column": 9, "message": "Not an image reference: 'We b'",
            "fix_command": "switchback config set deployment.web.image registry.example/web:1",
        }});
        insta::assert_snapshot!(error(&document), @r"
        Error: Configuration error

          File:    switchback.toml:4:9
          Field:   deployment.web.image
          Problem: Not an image reference: 'We b'

        To fix, run:
          switchback config set deployment.web.image registry.example/web:1
        ");
    }

    #[test]
    fn an_error_without_words_still_says_its_code() {
        assert_eq!(error(&json!({"error": {"code": "internal"}})), "Error: internal\n");
        assert_eq!(error(&json!({})), "Error: unknown\n");
    }
}
