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
    let command = if texts(document, "deployments").is_empty() {
        "switchback init   (again, once a container runs)"
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
    fn a_second_time_says_that_nothing_was_added() {
        let document = json!({"file": "/x.toml", "created": false, "changed": false, "added": [],
            "deployments": ["web"], "left_out": []});
        insta::assert_snapshot!(init(&document), @r"
        /x.toml is complete: nothing was added
        Next: switchback check
        ");
    }
}
