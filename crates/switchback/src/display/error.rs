//! An error that ended a command, as text: what happened, why, and what to type next.

use serde_json::Value;

use super::result::{next, texts, word};
use super::text::{self, AddLine as _};

/// The text of `{"error":{…}}`, or of the error object itself. An error of the configuration has
/// its own form, in which the command to type stands last.
pub fn error(document: &Value) -> String {
    let error = document.get("error").unwrap_or(document);
    // A file that is not there, or cannot be read, has no field.
    if let (Some("config_invalid"), Some(field)) = (word(error, "code"), word(error, "field")) {
        return configuration(error, field);
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

/// Field, problem, and the command that clears it; an empty line sets it off from what was printed
/// before.
fn configuration(error: &Value, field: &str) -> String {
    let problem = word(error, "problem").or_else(|| word(error, "message")).unwrap_or("unknown");
    let mut told = "\nError: Configuration error\n\n".to_owned();
    told.add_line(&format!("  Field:   {}", text::one_line(field)));
    told.add_line(&format!("  Problem: {}", text::one_line(problem)));
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
            "line": 4, "column": 9, "problem": "Not an image reference: 'We b'",
            "message": "deployment.web.image: Not an image reference: 'We b'",
            "fix_command": "switchback config set deployment.web.image registry.example/web:1",
        }});
        assert_eq!(
            error(&document),
            "\nError: Configuration error\n\n  Field:   deployment.web.image\n  \
             Problem: Not an image reference: 'We b'\n\nTo fix, run:\n  \
             switchback config set deployment.web.image registry.example/web:1\n"
        );
    }

    #[test]
    fn an_error_without_words_still_says_its_code() {
        assert_eq!(error(&json!({"error": {"code": "internal"}})), "Error: internal\n");
        assert_eq!(error(&json!({})), "Error: unknown\n");
    }
}
