//! The JSON Schema of a configuration, from the table of keys.

use serde_json::{Map, Value, json};

use super::keys::ROOT;
use super::table::{ENDLESS, Row, Type};

/// A JSON Schema (draft 2020-12) of the whole file, for editors.
pub(crate) fn schema() -> Value {
    let mut schema = of(ROOT);
    if let Value::Object(table) = &mut schema {
        table.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        table.insert("title".into(), "switchback.toml".into());
    }
    schema
}

fn of(takes: Type) -> Value {
    match takes {
        Type::Text => json!({ "type": "string" }),
        Type::Path => json!({ "type": "string", "pattern": "^(/|.*\\$\\{)" }),
        Type::Word(words) => json!({ "type": "string", "enum": words }),
        Type::Boolean => json!({ "type": "boolean" }),
        Type::Integer(least, ENDLESS) => json!({ "type": "integer", "minimum": least }),
        Type::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Type::Number => json!({ "type": "number" }),
        Type::Duration => {
            json!({ "type": "string", "pattern": "^(0|([0-9.]+(ms|s|m|h))+|.*\\$\\{.*)$" })
        }
        Type::Command => json!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        ] }),
        Type::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Type::Any => json!({}),
        Type::ListOf(element) => json!({ "type": "array", "items": of(*element) }),
        Type::MapOf(inner) => json!({ "type": "object", "additionalProperties": of(*inner) }),
        Type::Table(_) => {
            let properties: Map<String, Value> =
                takes.rows().map(|row| (row.key.to_owned(), property(row))).collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
        Type::OneOf(types) => {
            json!({ "anyOf": types.iter().map(|kind| of(*kind)).collect::<Vec<_>>() })
        }
    }
}

fn property(row: &Row) -> Value {
    let mut property = of(row.takes);
    let Value::Object(table) = &mut property else { return property };
    let mut doc = row.doc.to_owned();
    if !row.kinds.is_empty() {
        let kinds: Vec<&str> = row.kinds.iter().map(|kind| kind.word()).collect();
        doc = format!("{doc} (kind {})", kinds.join(", "));
    }
    table.insert("description".into(), doc.into());
    // The schema's own word for what is never shown.
    if row.secret {
        table.insert("writeOnly".into(), true.into());
    }
    if let Some(default) = row.default.and_then(json_of) {
        table.insert("default".into(), default);
    }
    if let Some(example) = row.example.and_then(json_of) {
        table.insert("examples".into(), json!([example]));
    }
    property
}

fn json_of(toml: &str) -> Option<Value> {
    Some(super::document::parse_value(toml).ok()?.to_json())
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::super::document::parse_value;
    use super::*;

    /// Every row of the table, with its path for people.
    fn rows(takes: Type, above: &str, found: &mut Vec<(String, &'static Row)>) {
        match takes {
            Type::Table(_) => {
                for row in takes.rows() {
                    let path = format!("{above}.{}", row.key);
                    found.push((path.clone(), row));
                    rows(row.takes, &path, found);
                }
            }
            Type::MapOf(inner) | Type::ListOf(inner) => rows(*inner, &format!("{above}.*"), found),
            Type::OneOf(types) => types.iter().for_each(|kind| rows(*kind, above, found)),
            _ => {}
        }
    }

    #[test]
    fn every_default_and_every_proposal_is_right_where_it_stands() {
        let mut all = Vec::new();
        rows(ROOT, "", &mut all);
        assert!(all.len() > 300, "{}", all.len());
        for (path, row) in all {
            for text in [row.default, row.example].into_iter().flatten() {
                let mut node = parse_value(text).unwrap();
                assert_eq!(check(&mut node, row.takes, &|_| None), Ok(()), "{path} = {text}");
            }
        }
    }

    #[test]
    fn every_key_is_described() {
        let text = schema().to_string();
        let mut all = Vec::new();
        rows(ROOT, "", &mut all);
        for (path, row) in all {
            let doc = Value::from(row.doc).to_string();
            assert!(text.contains(doc.trim_matches('"')), "{path}");
        }
        assert_eq!(
            schema()["properties"]["deployment"]["additionalProperties"]["properties"]["retain"]["properties"]
                ["releases"]["default"],
            5
        );
    }

    #[test]
    fn the_words_of_run_are_those_that_are_understood() {
        let mut listed: Vec<&str> = super::super::keys_run::RUN.iter().map(|row| row.key).collect();
        listed.sort_unstable();
        assert_eq!(listed, switchback_targets::container::run::WORDS);
    }
}
