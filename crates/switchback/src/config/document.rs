//! The file as a tree of values, each of which knows where it is written.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use toml_edit::Value;

/// One value of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it is written: keys, and indices of lists. A value that a deployment takes from a
    /// template keeps the path in the template, because that is where it has to be mended.
    pub(crate) path: Vec<String>,
    /// Where its key stands, in bytes.
    pub(crate) key_span: Option<Range<usize>>,
    /// Where it begins, in bytes.
    pub(crate) start: Option<usize>,
    /// What it is.
    pub(crate) data: Data,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// A table, in the order of the file.
    Table(Vec<(String, Node)>),
    /// A list.
    List(Vec<Node>),
    /// A string.
    Text {
        /// As it is written: what may be shown.
        raw: String,
        /// With variables filled in.
        value: String,
    },
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// A truth value.
    Boolean(bool),
    /// A date; no key takes one.
    Date(String),
}

/// Why a text is not TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotToml {
    /// What the parser says of it.
    pub(crate) message: String,
    /// Where, in bytes.
    pub(crate) start: Option<usize>,
}

/// Reads the file.
///
/// By a parser that keeps places, and no blanks and comments: those are a third of the time that
/// a thousand deployments take to be read, and only a change of the file needs them.
pub(crate) fn parse(text: &str) -> Result<Node, NotToml> {
    let table = DeTable::parse(text)?;
    Ok(Node { start: None, ..table_node(Vec::new(), table.get_ref())? })
}

/// Reads a single value.
pub(crate) fn parse_value(text: &str) -> Result<Node, NotToml> {
    node(Vec::new(), &DeValue::parse(text)?)
}

fn table_node(path: Vec<String>, table: &DeTable<'_>) -> Result<Node, NotToml> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let mut below = Vec::with_capacity(path.len() + 1);
        below.extend_from_slice(&path);
        below.push(key.get_ref().to_string());
        let node = Node { key_span: Some(key.span()), ..node(below, value)? };
        entries.push((key.get_ref().to_string(), node));
    }
    Ok(Node { path, key_span: None, start: None, data: Data::Table(entries) })
}

fn node(path: Vec<String>, value: &Spanned<DeValue<'_>>) -> Result<Node, NotToml> {
    let start = Some(value.span().start);
    let overflow = |kind| NotToml { message: format!("{kind} number overflowed"), start };
    let data = match value.get_ref() {
        DeValue::String(text) => Data::Text { raw: text.to_string(), value: text.to_string() },
        DeValue::Integer(number) => Data::Integer(
            i64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| overflow("integer"))?,
        ),
        DeValue::Float(number) => {
            let float = number.as_str().parse::<f64>().ok();
            let is_right = |it: &f64| !it.is_infinite() || number.as_str().contains("inf");
            Data::Float(float.filter(is_right).ok_or_else(|| overflow("floating-point"))?)
        }
        DeValue::Boolean(truth) => Data::Boolean(*truth),
        DeValue::Datetime(date) => Data::Date(date.to_string()),
        DeValue::Table(table) => return Ok(Node { start, ..table_node(path, table)? }),
        DeValue::Array(list) => {
            let nodes = list.iter().enumerate();
            let nodes = nodes.map(|(index, value)| node(element(&path, index), value));
            Data::List(nodes.collect::<Result<_, _>>()?)
        }
    };
    Ok(Node { path, key_span: None, start, data })
}

fn element(path: &[String], index: usize) -> Vec<String> {
    path.iter().cloned().chain([index.to_string()]).collect()
}

impl From<toml::de::Error> for NotToml {
    fn from(error: toml::de::Error) -> Self {
        let start = error.span().map(|span| span.start);
        Self { message: error.message().to_owned(), start }
    }
}

impl From<toml_edit::TomlError> for NotToml {
    fn from(error: toml_edit::TomlError) -> Self {
        let start = error.span().map(|span| span.start);
        Self { message: error.message().to_owned(), start }
    }
}

impl Node {
    /// An empty table.
    pub(crate) fn empty(path: Vec<String>) -> Self {
        Self { path, key_span: None, start: None, data: Data::Table(Vec::new()) }
    }

    /// The value of a key, if this is a table that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The value at the end of a chain of keys.
    pub(crate) fn find(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The keys and values, if this is a table.
    pub(crate) fn entries(&self) -> &[(String, Self)] {
        if let Data::Table(entries) = &self.data { entries } else { &[] }
    }

    /// The elements, if this is a list; the value itself as the only one if it is not.
    pub(crate) fn elements(&self) -> &[Self] {
        if let Data::List(list) = &self.data { list } else { std::slice::from_ref(self) }
    }

    /// The string, with variables filled in.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Data::Text { value, .. } = &self.data { Some(value) } else { None }
    }

    /// The whole number.
    pub(crate) fn integer(&self) -> Option<i64> {
        if let Data::Integer(number) = self.data { Some(number) } else { None }
    }

    /// The truth value.
    pub(crate) fn boolean(&self) -> Option<bool> {
        if let Data::Boolean(truth) = self.data { Some(truth) } else { None }
    }

    /// The same as JSON, with variables filled in.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.data {
            Data::Table(entries) => {
                entries.iter().map(|(key, node)| (key.clone(), node.to_json())).collect()
            }
            Data::List(list) => list.iter().map(Self::to_json).collect(),
            Data::Text { value, .. } => value.as_str().into(),
            Data::Integer(number) => (*number).into(),
            Data::Float(number) => (*number).into(),
            Data::Boolean(truth) => (*truth).into(),
            Data::Date(date) => date.as_str().into(),
        }
    }

    /// The same as a TOML value on one line, as it is written: no variable is filled in.
    pub(crate) fn to_toml(&self) -> Value {
        match &self.data {
            Data::Table(entries) => Value::InlineTable(
                entries.iter().map(|(key, node)| (key, node.to_toml())).collect(),
            ),
            Data::List(list) => Value::Array(list.iter().map(Self::to_toml).collect()),
            Data::Text { raw, .. } => raw.as_str().into(),
            Data::Integer(number) => (*number).into(),
            Data::Float(number) => (*number).into(),
            Data::Boolean(truth) => (*truth).into(),
            Data::Date(date) => date.as_str().into(),
        }
    }
}

/// Line and column of a byte, counted from 1; columns are characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
    (count(before.matches('\n').count()), count(before[line_start..].chars().count()))
}

/// A chain of keys as it is typed: `deployment."my app".image`.
pub(crate) fn dotted(path: &[String]) -> String {
    let keys: Vec<String> =
        path.iter().map(|key| toml_edit::Key::new(key.as_str()).to_string()).collect();
    keys.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_knows_where_it_is_written() {
        let text = "[deployment.web]\nimage = \"web\"\nrun.ports = [\"80\", \"81\"]\n";
        let root = parse(text).unwrap();
        let ports = root.find(&["deployment", "web", "run", "ports"]).unwrap();
        assert_eq!(ports.path, ["deployment", "web", "run", "ports"]);
        let second = &ports.elements()[1];
        assert_eq!(second.path[4], "1");
        assert_eq!(line_and_column(text, second.start.unwrap()), (3, 20));
        let image = root.find(&["deployment", "web", "image"]).unwrap();
        assert_eq!(line_and_column(text, image.key_span.clone().unwrap().start), (2, 1));
    }

    #[test]
    fn a_number_that_no_machine_holds_is_a_fault_at_its_place() {
        for (text, kind) in
            [("a = 1\nb = 9223372036854775808", "integer"), ("a = 1\nb = 1e999", "floating-point")]
        {
            let error = parse(text).unwrap_err();
            assert_eq!(error.message, format!("{kind} number overflowed"));
            assert_eq!(line_and_column(text, error.start.unwrap()), (2, 5));
        }
        let same = parse("a = 0xff\nb = 1_000\nc = -inf").unwrap();
        assert_eq!(same.get("a").and_then(Node::integer), Some(255));
        assert_eq!(same.get("b").and_then(Node::integer), Some(1000));
        assert_eq!(same.get("c").unwrap().data, Data::Float(f64::NEG_INFINITY));
    }

    #[test]
    fn keys_with_dots_are_quoted() {
        let path = ["deployment".to_owned(), "my.app".to_owned(), "image".to_owned()];
        assert_eq!(dotted(&path), "deployment.\"my.app\".image");
    }

    #[test]
    fn columns_are_characters() {
        assert_eq!(line_and_column("é = 1", 3), (1, 3));
        assert_eq!(line_and_column("a\n", 99), (2, 1));
    }
}
