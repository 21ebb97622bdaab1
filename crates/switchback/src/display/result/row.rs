//! A row of a list, for where there are thousands of them: its texts are borrowed from what was read.
//!
//! A [`Value`] of each row, with a table of hashes and a copy of each key and text, took a third of the
//! time of a list of a thousand.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{
        Error, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::Value;

/// An object of the contract: keys and values in their order, each key once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row<'a>(Vec<(Cow<'a, str>, Fact<'a>)>);

/// A value under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Anything else.
    Other(Value),
}

impl<'a> Row<'a> {
    /// The same as a document; of what is no object there is nothing.
    pub fn of(document: &'a Value) -> Self {
        let entries = document.as_object().into_iter().flatten();
        Self(entries.map(|(key, value)| (key.as_str().into(), Fact::of(value))).collect())
    }

    /// The same as a document.
    pub fn into_value(self) -> Value {
        self.0.into_iter().map(|(key, fact)| (key.into_owned(), fact.into_value())).collect()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is under a key.
    pub fn get(&self, key: &str) -> Option<&Fact<'a>> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, fact)| fact)
    }

    /// The text under a key, if there is one with anything in it.
    pub fn word(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Fact::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// What else is under a key.
    pub fn other(&self, key: &str) -> Option<&Value> {
        match self.get(key) {
            Some(Fact::Other(value)) => Some(value),
            _ => None,
        }
    }

    /// Puts something under a key, in the place of what was there.
    pub fn put(&mut self, key: &'a str, fact: impl Into<Fact<'a>>) {
        let fact = fact.into();
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, there)) => *there = fact,
            None => self.0.push((key.into(), fact)),
        }
    }
}

impl<'a> Fact<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.as_str().into()),
            other => Self::Other(other.clone()),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.into_owned()),
            Self::Other(value) => value,
        }
    }
}

impl<'a> From<&'a str> for Fact<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Fact<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Value> for Fact<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => text.into(),
            other => Self::Other(other),
        }
    }
}

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(AsRow)
    }
}

struct AsRow;

impl<'de> Visitor<'de> for AsRow {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
        /// A key; serde borrows only what is asked to be borrowed.
        #[derive(Deserialize)]
        struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

        // As many as a row of `status` has.
        let mut entries = Vec::with_capacity(32);
        while let Some((Key(key), fact)) = map.next_entry()? {
            entries.push((key, fact));
        }
        Ok(Row(entries))
    }
}

impl<'de> Deserialize<'de> for Fact<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AsFact)
    }
}

struct AsFact;

impl<'de> Visitor<'de> for AsFact {
    type Value = Fact<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Fact<'de>, E> {
        Ok(text.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Fact<'de>, E> {
        Ok(text.to_owned().into())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Fact<'de>, E> {
        Ok(Fact::Other(truth.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Fact<'de>, E> {
        Ok(Fact::Other(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Fact<'de>, E> {
        Ok(Fact::Other(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Fact<'de>, E> {
        Ok(Fact::Other(number.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Fact<'de>, E> {
        Ok(Fact::Other(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Fact<'de>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(Fact::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fact<'de>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(Fact::Other)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_what_its_document_says_in_the_same_order() {
        let text =
            r#"{"b":"a \"quoted\" word","a":[1,{"c":null}],"n":-2,"f":1.5,"t":true,"z":null}"#;
        let document: Value = serde_json::from_str(text).unwrap();
        let row: Row<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(row, Row::of(&document));
        assert_eq!(row.into_value().to_string(), text);
    }

    #[test]
    fn a_text_is_where_it_was_read() {
        let text = r#"{"deployment":"web"}"#.to_owned();
        let row: Row<'_> = serde_json::from_str(&text).unwrap();
        let is_borrowed = matches!(row.get("deployment"), Some(Fact::Text(Cow::Borrowed("web"))));
        assert!(is_borrowed, "{row:?}");
    }

    #[test]
    fn what_is_put_takes_the_place_of_what_was_there() {
        let document = json!({ "phase": "idle", "held": false });
        let mut row = Row::of(&document);
        row.put("phase", "stuck");
        row.put("held_at", "2".to_owned());
        let expected = json!({ "phase": "stuck", "held": false, "held_at": "2" });
        assert_eq!(row.into_value(), expected);
    }

    #[test]
    fn what_is_no_object_is_no_row() {
        assert!(serde_json::from_str::<Row<'_>>("[1]").is_err());
        assert!(Row::of(&json!([1])).is_empty());
    }
}
