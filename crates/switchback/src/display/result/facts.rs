//! Reading documents of the contract: what is absent, or of another shape, is simply not said.

use serde_json::Value;

use crate::display::text::{self, AddLine as _};
use crate::display::typed;

/// How much of a log an error shows; the rest is in `switchback logs`.
const LOG_LINES_MAX: usize = 20;

/// The text under a key.
pub(crate) fn word<'a>(document: &'a Value, key: &str) -> Option<&'a str> {
    document.get(key).and_then(Value::as_str).filter(|word| !word.is_empty())
}

/// The number of seconds under a key, in words.
pub(super) fn seconds(document: &Value, key: &str) -> Option<String> {
    document.get(key).and_then(Value::as_f64).map(text::seconds)
}

/// The objects of the list under a key.
pub(super) fn list<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of the list under a key, safe and short.
pub(crate) fn texts(document: &Value, key: &str) -> Vec<String> {
    list(document, key).iter().filter_map(Value::as_str).map(text::brief).collect()
}

/// What people call a version: its label (`new_label`), else the short form of the version itself
/// (`new_version`).
pub(crate) fn label(document: &Value, which: &str) -> Option<String> {
    let of = |what| word(document, &format!("{which}_{what}"));
    of("label").map(text::brief).or_else(|| of("version").map(text::version))
}

/// The name of the deployment.
pub(super) fn name(document: &Value) -> String {
    word(document, "deployment").map_or_else(|| "?".to_owned(), text::one_line)
}

/// Lines that say why something failed, from an error object: the reason and the end of the log.
pub(super) fn failure(error: &Value) -> String {
    let mut said = String::new();
    if let Some(message) = word(error, "message") {
        let step = word(error, "step")
            .map_or_else(String::new, |step| format!(" (at {})", text::one_line(step)));
        said.add_line(&format!("  Why: {}{step}", text::brief(message)));
    }
    said + &log_tail(error)
}

/// The last lines of a log, indented.
fn log_tail(error: &Value) -> String {
    let lines = texts(error, "log_tail");
    if lines.is_empty() {
        return String::new();
    }
    let skipped = lines.len().saturating_sub(LOG_LINES_MAX);
    let mut said = match skipped {
        0 => "  The end of its log:\n".to_owned(),
        _ => format!("  The end of its log ({} above):\n", text::count(skipped, "line")),
    };
    for line in &lines[skipped..] {
        said.add_line(&format!("    {line}"));
    }
    said
}

/// The line that says what to type.
pub(crate) fn next(what: &str) -> String {
    format!("Next: {}\n", text::one_line(&typed::as_typed(what)))
}
