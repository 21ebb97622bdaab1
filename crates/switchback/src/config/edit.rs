//! Reads and changes single keys; comments and order of the file survive.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Key, Table, Value};

use super::check::has_shape;
use super::document::{self, NotToml, dotted};
use super::fix::Fix;
use super::mask::mask_item;
use super::nearest::nearest_path;
use super::table::{Type, place};

/// Why a key cannot be read or changed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    /// The file is not TOML; no single key can be changed in it.
    #[error("the file is not TOML: {}", .0.message)]
    NotToml(NotToml),
    /// The path itself cannot be read.
    #[error("`{path}` is not a key such as deployment.web.image")]
    BadPath {
        /// As it was typed.
        path: String,
    },
    /// No such key exists.
    #[error("unknown key `{path}`{}", nearest.as_deref().map(|known| format!("; the nearest known one is `{known}`")).unwrap_or_default())]
    UnknownKey {
        /// As it was typed.
        path: String,
        /// One that exists.
        nearest: Option<String>,
    },
    /// The value is of a wrong type.
    #[error("`{path}` takes {expected}")]
    BadValue {
        /// The key.
        path: String,
        /// What it takes.
        expected: String,
    },
    /// The key is known, and not in the file.
    #[error("`{path}` is not set")]
    NotSet {
        /// The key.
        path: String,
    },
    /// Something that is no table stands on the way.
    #[error("`{path}` is not a table or a list, so nothing can stand below it")]
    InTheWay {
        /// What stands there.
        path: String,
    },
}

/// A value as `config get` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got {
    /// From the file, masked if it is secret.
    Set(String),
    /// Not in the file; this holds.
    Default(&'static str),
}

/// A path as it is typed: `deployment."my app".image`.
pub(crate) fn parse_path(text: &str) -> Result<Vec<String>, EditError> {
    match Key::parse(text) {
        Ok(keys) if !keys.is_empty() => Ok(keys.iter().map(|key| key.get().to_owned()).collect()),
        _ => Err(EditError::BadPath { path: text.to_owned() }),
    }
}

/// The edit that `config set KEY VALUE` asks for. The value is TOML, or plain text where the key
/// takes a string.
pub(crate) fn set_to(path: &[String], text: &str) -> Result<Fix, EditError> {
    let known = place(path).ok_or_else(|| unknown(path))?;
    let value = value_for(known.takes, text).ok_or_else(|| EditError::BadValue {
        path: dotted(path),
        expected: known.takes.describe(),
    })?;
    Ok(Fix::set(path, value))
}

/// Reads one key.
pub(crate) fn get(text: &str, path: &[String]) -> Result<Got, EditError> {
    let known = place(path).ok_or_else(|| unknown(path))?;
    let mut document = editable(text)?;
    match descend(document.as_item_mut(), path) {
        Some(item) => {
            mask_item(&mut path.to_vec(), item);
            let mut shown = item.clone();
            if let Item::Table(table) = &mut shown {
                table.decor_mut().clear();
                return Ok(Got::Set(as_text(path, table).trim().to_owned()));
            }
            Ok(Got::Set(plain(&shown)))
        }
        None => match known.row.filter(|_| known.exact).and_then(|row| row.default) {
            Some(default) => Ok(Got::Default(default)),
            None => Err(EditError::NotSet { path: dotted(path) }),
        },
    }
}

/// Makes one edit. The result is TOML; whether it is a valid configuration is not looked at.
pub(crate) fn apply(text: &str, edit: &Fix) -> Result<String, EditError> {
    let mut document = editable(text)?;
    match edit {
        Fix::Set { path, value } => {
            let bad = || EditError::BadValue { path: dotted(path), expected: "a value".to_owned() };
            let value: Value = value.parse().map_err(|_| bad())?;
            put(document.as_item_mut(), path, 0, value)?;
        }
        Fix::Unset { path } => {
            let (key, above) = path.split_last().ok_or_else(|| unknown(path))?;
            let parent = descend(document.as_item_mut(), above);
            if !parent.is_some_and(|parent| remove(parent, key)) {
                return Err(EditError::NotSet { path: dotted(path) });
            }
        }
        Fix::Rename { path, name } => return rename(text, path, name),
        Fix::Open { .. } => {}
    }
    Ok(document.to_string())
}

fn editable(text: &str) -> Result<DocumentMut, EditError> {
    let parsed: Result<DocumentMut, toml_edit::TomlError> = text.parse();
    parsed.map_err(|error| EditError::NotToml(error.into()))
}

fn unknown(path: &[String]) -> EditError {
    EditError::UnknownKey {
        path: dotted(path),
        nearest: nearest_path(path).map(|known| dotted(&known)),
    }
}

fn value_for(takes: Type, text: &str) -> Option<Value> {
    let parsed = text.trim().parse::<Value>().ok();
    let fits = |value: &Value| {
        let node = document::parse_value(value.to_string().trim());
        node.is_ok_and(|node| has_shape(takes, &node))
    };
    parsed.filter(fits).or_else(|| Some(Value::from(text)).filter(fits))
}

fn descend<'a>(item: &'a mut Item, path: &[String]) -> Option<&'a mut Item> {
    path.iter().try_fold(item, |item, key| child(item, key))
}

fn child<'a>(item: &'a mut Item, key: &str) -> Option<&'a mut Item> {
    // Indexing a table by a missing key would leave an empty entry behind.
    if item.is_table_like() {
        return item.as_table_like_mut()?.get_mut(key);
    }
    item.get_mut(key.parse::<usize>().ok()?)
}

/// Puts a value at a path, making the tables on the way.
fn put(item: &mut Item, path: &[String], depth: usize, value: Value) -> Result<(), EditError> {
    let in_the_way = || EditError::InTheWay { path: dotted(&path[..depth]) };
    let key = &path[depth];
    if depth + 1 < path.len() {
        let inline = item.is_value();
        if child(item, key).is_none() {
            let mut table = Table::new();
            table.set_implicit(true);
            let made = if inline {
                Item::Value(Value::InlineTable(InlineTable::new()))
            } else {
                Item::Table(table)
            };
            item.as_table_like_mut().ok_or_else(in_the_way)?.insert(key, made);
        }
        let below = child(item, key).ok_or_else(in_the_way)?;
        return put(below, path, depth + 1, value);
    }
    match child(item, key) {
        Some(Item::Value(old)) => {
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
            Ok(())
        }
        Some(_) | None => insert(item, key, value).ok_or_else(in_the_way),
    }
}

fn insert(item: &mut Item, key: &str, value: Value) -> Option<()> {
    if let Some(table) = item.as_table_like_mut() {
        // What was a table under a header of its own would keep the place of that header.
        table.remove(key);
        table.insert(key, Item::Value(value));
        return Some(());
    }
    let list: &mut Array = item.as_array_mut()?;
    (key.parse() == Ok(list.len())).then(|| list.push(value))
}

fn remove(parent: &mut Item, key: &str) -> bool {
    if let Some(table) = parent.as_table_like_mut() {
        return table.remove(key).is_some();
    }
    let Ok(index) = key.parse::<usize>() else { return false };
    if let Some(tables) = parent.as_array_of_tables_mut() {
        let there = index < tables.len();
        if there {
            tables.remove(index);
        }
        return there;
    }
    let Some(list) = parent.as_array_mut() else { return false };
    let there = index < list.len();
    if there {
        list.remove(index);
    }
    there
}

/// Writes another key over the old one, wherever it stands: a table may have several headers.
fn rename(text: &str, path: &[String], name: &str) -> Result<String, EditError> {
    // More headers of one table than this are no configuration.
    const MOST: usize = 1000;
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    let name = Key::new(name).to_string();
    let mut text = text.to_owned();
    for renamed in 0..MOST {
        let root = document::parse(&text).map_err(EditError::NotToml)?;
        match root.find(&keys).map(|node| node.key_span.clone()) {
            Some(Some(span)) => text.replace_range(span, &name),
            None if renamed > 0 => return Ok(text),
            Some(None) | None => break,
        }
    }
    Err(EditError::NotSet { path: dotted(path) })
}

/// A string without its quotation marks, anything else as TOML.
fn plain(item: &Item) -> String {
    match item.as_str() {
        Some(text) => text.to_owned(),
        None => item.to_string().trim().to_owned(),
    }
}

fn as_text(path: &[String], table: &Table) -> String {
    let mut document = DocumentMut::new();
    let mut at = document.as_table_mut();
    let (last, above) = path.split_last().map_or((None, path), |(last, above)| (Some(last), above));
    for key in above {
        let mut implicit = Table::new();
        implicit.set_implicit(true);
        let made = at.entry(key).or_insert(Item::Table(implicit));
        let Some(table) = made.as_table_mut() else { return String::new() };
        at = table;
    }
    if let Some(last) = last {
        let mut shown = table.clone();
        shown.set_dotted(false);
        at.insert(last, Item::Table(shown));
    }
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# all\n[deployment.web] # web\nimage = \"web:1\" # follow\n\
        retain = { releases = 5 }\nhealth.interval = \"1s\"\n\n# the other\n[deployment.api]\n\
        image = \"api\"\n";

    fn set(text: &str, path: &str, value: &str) -> String {
        let path = parse_path(path).unwrap();
        apply(text, &set_to(&path, value).unwrap()).unwrap()
    }

    fn got(text: &str, path: &str) -> String {
        match get(text, &parse_path(path).unwrap()).unwrap() {
            Got::Set(text) => text,
            Got::Default(text) => format!("default {text}"),
        }
    }

    #[test]
    fn comments_and_order_survive_a_change() {
        let changed = set(TEXT, "deployment.web.image", "web:2");
        assert_eq!(changed, TEXT.replace("\"web:1\"", "\"web:2\""));
        let changed = set(TEXT, "deployment.web.retain.releases", "7");
        assert_eq!(changed, TEXT.replace("releases = 5", "releases = 7"));
        let changed = set(TEXT, "deployment.web.health.timeout", "2s");
        assert!(
            changed.contains("health.interval = \"1s\"\nhealth.timeout = \"2s\"\n"),
            "{changed}"
        );
    }

    #[test]
    fn tables_on_the_way_are_made() {
        let changed = set("", "deployment.web.run.ports", "[\"80\"]");
        assert_eq!(changed, "[deployment.web.run]\nports = [\"80\"]\n");
        let changed = set(TEXT, "deployment.web.run.restart", "always");
        assert_eq!(got(&changed, "deployment.web.run.restart"), "always");
        assert!(changed.contains("# the other\n[deployment.api]"), "{changed}");
    }

    #[test]
    fn text_is_taken_where_a_string_is_wanted() {
        assert_eq!(got(&set(TEXT, "deployment.web.image", "1.5"), "deployment.web.image"), "1.5");
        let number = set_to(&parse_path("deployment.web.retain.releases").unwrap(), "many");
        assert_eq!(
            number.unwrap_err().to_string(),
            "`deployment.web.retain.releases` takes a whole number from 1 to 1000"
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        let error = set_to(&parse_path("deployment.web.imgae").unwrap(), "x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown key `deployment.web.imgae`; the nearest known one is `deployment.web.image`"
        );
    }

    #[test]
    fn a_key_is_read_with_its_default_and_without_its_secret() {
        assert_eq!(got(TEXT, "deployment.web.health.timeout"), "default \"5s\"");
        assert_eq!(got(TEXT, "deployment.web.image"), "web:1");
        assert_eq!(got(TEXT, "deployment.api"), "[deployment.api]\nimage = \"api\"");
        let secret = "[deployment.web.run]\nenvironment = { A = \"canary\" }";
        assert_eq!(got(secret, "deployment.web.run.environment.A"), "***");
        assert!(matches!(
            get(TEXT, &parse_path("deployment.web.engine").unwrap()),
            Err(EditError::NotSet { .. })
        ));
    }

    #[test]
    fn elements_of_lists_have_numbers() {
        let text = "[[deployment.web.health.probe]]\nhttp = \"a\"\n[[deployment.web.health.probe]]\ntcp = \"b\"\n";
        assert_eq!(
            got(
                &set(text, "deployment.web.health.probe.1.tcp", "c"),
                "deployment.web.health.probe.1.tcp"
            ),
            "c"
        );
        let path = parse_path("deployment.web.health.probe.0").unwrap();
        let changed = apply(text, &Fix::unset(&path)).unwrap();
        assert_eq!(changed, "[[deployment.web.health.probe]]\ntcp = \"b\"\n");
    }

    #[test]
    fn a_key_is_renamed_in_every_header() {
        let text =
            "[deployment.web.runn] # x\ntty = true\n[deployment.web.runn.labels]\na = \"b\"\n";
        let path = parse_path("deployment.web.runn").unwrap();
        let changed = apply(text, &Fix::rename(&path, "run")).unwrap();
        assert_eq!(changed, text.replace("runn", "run"));
    }

    proptest::proptest! {
        #[test]
        fn no_edit_panics(
            text in "(\\[[a-z.]{1,12}\\]\n|[a-z.]{1,8} = (1|\"x\"|\\[1\\]|\\{ a = 1 \\})\n){0,6}",
            path in "(deployment|template|run|[0-9a-z]{1,3})(\\.(web|run|ports|health|probe|0)){0,5}",
            value in "[\\[\\]\"a-z0-9{}= ]{0,10}",
        ) {
            if let Ok(path) = parse_path(&path) {
                let _read = get(&text, &path);
                let edits = [
                    Fix::Set { path: path.clone(), value: value.clone() },
                    Fix::unset(&path),
                    Fix::rename(&path, &value),
                ];
                for edit in edits {
                    let _edited = apply(&text, &edit);
                }
                let _set = set_to(&path, &value);
            }
        }
    }
}
