//! Reads single words out of JSON: each reader takes what the compose specification takes there.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use switchback_core::Millis;

use super::{RunError, parse_bytes, parse_duration_ms};

/// The words of one service.
#[derive(Clone, Copy)]
pub(super) struct Words<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Words<'a> {
    pub(super) fn get(self, word: &str) -> Option<&'a Value> {
        self.0.get(word).filter(|value| !value.is_null())
    }

    /// A string; a number or a truth value is taken as its text.
    pub(super) fn text(self, word: &str) -> Result<Option<String>, RunError> {
        self.get(word)
            .map(|value| scalar(value).ok_or_else(|| RunError::at(word, "must be a string")))
            .transpose()
    }

    pub(super) fn boolean(self, word: &str) -> Result<Option<bool>, RunError> {
        self.get(word)
            .map(|value| value.as_bool().ok_or_else(|| RunError::at(word, "must be true or false")))
            .transpose()
    }

    pub(super) fn integer(
        self,
        word: &str,
        least: i64,
        most: i64,
    ) -> Result<Option<i64>, RunError> {
        let Some(value) = self.get(word) else { return Ok(None) };
        value.as_i64().filter(|number| (least..=most).contains(number)).map(Some).ok_or_else(|| {
            let limit = if most == i64::MAX {
                format!("of at least {least}")
            } else {
                format!("from {least} to {most}")
            };
            RunError::at(word, format!("must be a whole number {limit}"))
        })
    }

    /// A number of bytes, or a text with a unit.
    pub(super) fn bytes(self, word: &str, least: i64) -> Result<Option<i64>, RunError> {
        let Some(value) = self.get(word) else { return Ok(None) };
        let bytes = match value {
            Value::String(text) if text == "-1" => Ok(-1),
            Value::String(text) => parse_bytes(text),
            _ => value.as_i64().ok_or_else(|| "must be a size such as 64m".to_owned()),
        };
        let bytes = bytes.map_err(|problem| RunError::at(word, problem))?;
        if bytes < least {
            return Err(RunError::at(word, format!("must be at least {least}")));
        }
        Ok(Some(bytes))
    }

    pub(super) fn duration_ms(self, word: &str) -> Result<Option<Millis>, RunError> {
        let Some(value) = self.get(word) else { return Ok(None) };
        let text = value.as_str().unwrap_or_default();
        parse_duration_ms(text).map(Some).map_err(|problem| RunError::at(word, problem))
    }

    /// A string or a list of them.
    pub(super) fn texts(self, word: &str) -> Result<Vec<String>, RunError> {
        match self.get(word) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                let element = |(index, value)| {
                    scalar(value).ok_or_else(|| RunError::at_index(word, index, "must be a string"))
                };
                list.iter().enumerate().map(element).collect()
            }
            Some(value) => {
                let text = scalar(value);
                Ok(vec![text.ok_or_else(|| RunError::at(word, "must be a list of strings"))?])
            }
        }
    }

    /// A list of strings, or the words of one string as a shell would split them.
    pub(super) fn command(self, word: &str) -> Result<Option<Vec<String>>, RunError> {
        match self.get(word) {
            None => Ok(None),
            Some(Value::String(line)) => shell_words::split(line)
                .map(Some)
                .map_err(|_| RunError::at(word, "a quotation mark is not closed")),
            Some(Value::Array(_)) => self.texts(word).map(Some),
            Some(_) => Err(RunError::at(word, "must be a string or a list of strings")),
        }
    }

    /// A table, or a list of `NAME=VALUE`, where a bare NAME has no value.
    pub(super) fn pairs(self, word: &str) -> Result<BTreeMap<String, Option<String>>, RunError> {
        let value = self.get(word);
        let Some(map) = value.and_then(Value::as_object) else { return self.listed_pairs(word) };
        map.iter()
            .map(|(name, value)| {
                let below = || vec![word.to_owned(), name.clone()];
                let problem = "must be a string, a number or a truth value".to_owned();
                match value {
                    Value::Null => Ok((name.clone(), None)),
                    value => scalar(value)
                        .map(|text| (name.clone(), Some(text)))
                        .ok_or_else(|| RunError { path: below(), problem, replacement: None }),
                }
            })
            .collect()
    }

    fn listed_pairs(self, word: &str) -> Result<BTreeMap<String, Option<String>>, RunError> {
        let mut pairs = BTreeMap::new();
        for (index, line) in self.texts(word)?.into_iter().enumerate() {
            let (name, value) = match line.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (line.as_str(), None),
            };
            if name.is_empty() {
                return Err(RunError::at_index(word, index, "has no name before the ="));
            }
            pairs.insert(name.to_owned(), value);
        }
        Ok(pairs)
    }

    /// The same where a name without a value has an empty one.
    pub(super) fn labels(self, word: &str) -> Result<BTreeMap<String, String>, RunError> {
        let pairs = self.pairs(word)?;
        Ok(pairs.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect())
    }
}

/// The text of a string, a number or a truth value.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Refuses a key that a table inside a word does not have.
pub(super) fn only(
    path: &[&str],
    table: &Map<String, Value>,
    known: &[&str],
) -> Result<(), RunError> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(RunError {
            path: path.iter().copied().chain([key.as_str()]).map(str::to_owned).collect(),
            problem: format!("unknown key `{key}`; known are {}", known.join(", ")),
            replacement: None,
        }),
    }
}
