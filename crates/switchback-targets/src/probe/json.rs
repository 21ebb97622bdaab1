//! What an application says of itself in JSON: expected values, and its version. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::words::cut;

/// The first expectation that does not hold, in words.
pub(super) fn unmet(document: &Value, expected: &BTreeMap<String, Value>) -> Option<String> {
    expected.iter().find_map(|(pointer, wanted)| match document.pointer(pointer) {
        None => Some(format!("{pointer} is missing, expected {wanted}")),
        Some(found) if !equal(found, wanted) => {
            Some(format!("{pointer} is {}, expected {wanted}", cut(&found.to_string())))
        }
        Some(_) => None,
    })
}

/// Equal as JSON means it: 1 and 1.0 are one number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.as_f64() == other.as_f64() && one.is_f64() != other.is_f64())
        }
        _ => one == other,
    }
}

/// The version at `pointer`, or in words why there is none.
pub(super) fn version_at(document: &Value, pointer: &str) -> Result<String, String> {
    match document.pointer(pointer) {
        Some(Value::String(text)) if !text.is_empty() => Ok(cut(text)),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(other) => Err(format!(
            "the version at {pointer} is {}, expected a text or a number",
            cut(&other.to_string())
        )),
        None => Err(format!("the version at {pointer} is missing")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expecting(pointer: &str, value: Value) -> BTreeMap<String, Value> {
        BTreeMap::from([(pointer.to_owned(), value)])
    }

    #[test]
    fn what_is_not_as_expected_is_named() {
        let document = json!({"healthy": false, "checks": [{"ok": 1.0}]});
        let told = |pointer, value| unmet(&document, &expecting(pointer, value));
        assert_eq!(
            told("/healthy", json!(true)).as_deref(),
            Some("/healthy is false, expected true")
        );
        assert_eq!(
            told("/ready", json!(true)).as_deref(),
            Some("/ready is missing, expected true")
        );
        assert_eq!(told("/healthy", json!(false)), None);
        assert_eq!(told("/checks/0/ok", json!(1)), None);
        assert!(told("/checks/0/ok", json!("1")).is_some());
    }

    #[test]
    fn a_version_is_a_text_or_a_number() {
        let document = json!({"text": "1.4.2", "number": 7, "none": null, "empty": ""});
        assert_eq!(version_at(&document, "/text").as_deref(), Ok("1.4.2"));
        assert_eq!(version_at(&document, "/number").as_deref(), Ok("7"));
        for pointer in ["/none", "/empty", "/absent"] {
            assert!(version_at(&document, pointer).is_err_and(|why| why.contains(pointer)));
        }
    }
}
