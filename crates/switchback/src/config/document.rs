//! The file as a tree of values, each of which knows where it is written.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, TomlError, Value};

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

/// Reads the file. The error is the TOML parser's.
pub(crate) fn parse(text: &str) -> Result<Node, TomlError> {
    let document = Document::parse(text)?;
    Ok(table_node(Vec::new(), document.as_table()))
}

fn table_node(path: Vec<String>, table: &dyn TableLike) -> Node {
    let mut entries = Vec::new();
    for (key, item) in table.iter() {
        let mut below = Vec::with_capacity(path.len() + 1);
        below.extend_from_slice(&path);
        below.push(key.to_owned());
        if let Some(mut node) = item_node(below, item) {
            node.key_span = table.key(key).and_then(toml_edit::Key::span);
            entries.push((key.to_owned(), node));
        }
    }
    Node { path, key_span: None, start: None, data: Data::Table(entries) }
}

fn item_node(path: Vec<String>, item: &Item) -> Option<Node> {
    let start = item.span().map(|span| span.start);
    let mut node = match item {
        Item::None => return None,
        Item::Value(value) => value_node(path, value),
        Item::Table(table) => table_node(path, table),
        Item::ArrayOfTables(tables) => {
            let nodes = tables.iter().enumerate().map(|(index, table)| Node {
                start: table.span().map(|span| span.start),
                ..table_node(element(&path, index), table)
            });
            let data = Data::List(nodes.collect());
            Node { path, key_span: None, start: None, data }
        }
    };
    node.start = start;
    Some(node)
}

/// A single value.
pub(crate) fn value_node(path: Vec<String>, value: &Value) -> Node {
    let start = value.span().map(|span| span.start);
    let data = match value {
        Value::String(text) => {
            Data::Text { raw: text.value().clone(), value: text.value().clone() }
        }
        Value::Integer(number) => Data::Integer(*number.value()),
        Value::Float(number) => Data::Float(*number.value()),
        Value::Boolean(truth) => Data::Boolean(*truth.value()),
        Value::Datetime(date) => Data::Date(date.value().to_string()),
        Value::InlineTable(table) => {
            return Node { start, ..table_node(path, table) };
        }
        Value::Array(list) => {
            let nodes = list.iter().enumerate();
            Data::List(
                nodes.map(|(index, value)| value_node(element(&path, index), value)).collect(),
            )
        }
    };
    Node { path, key_span: None, start, data }
}

fn element(path: &[String], index: usize) -> Vec<String> {
    path.iter().cloned().chain([index.to_string()]).collect()
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
