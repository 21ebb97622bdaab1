//! The one table of everything that may stand in a configuration: from it come the check for
//! unknown keys, the types of values, the JSON Schema, the defaults and the fixes.

use super::keys::ROOT;

/// One key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) key: &'static str,
    /// What it takes.
    pub(crate) takes: Type,
    /// What it is for, in one line.
    pub(crate) doc: &'static str,
    /// What holds without it, as TOML.
    pub(crate) default: Option<&'static str>,
    /// A value that is always right there, as TOML: what a fix proposes.
    pub(crate) example: Option<&'static str>,
    /// The kinds of deployment that have it. Empty: all.
    pub(crate) kinds: &'static [Kind],
    /// Whether its values are masked wherever they would be shown.
    pub(crate) secret: bool,
}

/// What a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A container on a Docker-compatible engine.
    Container,
    /// A git checkout under systemd.
    Git,
    /// A compose project.
    Compose,
    /// A cloud instance that carries a compose project.
    Instance,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    /// Any string.
    Text,
    /// An absolute path without detours.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// True or false.
    Boolean,
    /// A whole number between these, both included.
    Integer(i64, i64),
    /// Any number.
    Number,
    /// `90s`.
    Duration,
    /// A string for `sh -c` or a list of words; variables are left to the shell.
    Command,
    /// A string, a number or a truth value.
    Scalar,
    /// Anything at all.
    Any,
    /// A list of these.
    ListOf(&'static Type),
    /// A table whose keys people choose.
    MapOf(&'static Type),
    /// A table with these keys, in groups that several tables share.
    Table(&'static [&'static [Row]]),
    /// Any of these; each of another shape.
    OneOf(&'static [Type]),
}

/// All numbers of at least the given one.
pub(crate) const ENDLESS: i64 = i64::MAX;

impl Row {
    /// A key of all kinds without a default.
    pub(crate) const fn new(key: &'static str, takes: Type, doc: &'static str) -> Self {
        Self { key, takes, doc, default: None, example: None, kinds: &[], secret: false }
    }

    /// With what holds without it.
    pub(crate) const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// With what a fix proposes.
    pub(crate) const fn example(mut self, value: &'static str) -> Self {
        self.example = Some(value);
        self
    }

    /// Only for these kinds.
    pub(crate) const fn of(mut self, kinds: &'static [Kind]) -> Self {
        self.kinds = kinds;
        self
    }

    /// Masked wherever it would be shown.
    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// What a fix proposes: the example, else the default.
    pub(crate) fn proposal(&self) -> Option<&'static str> {
        self.example.or(self.default)
    }
}

impl Kind {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Git => "git",
            Self::Compose => "compose",
            Self::Instance => "instance",
        }
    }

    /// The kind of that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Container, Self::Git, Self::Compose, Self::Instance]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

impl Type {
    /// The keys of a table of ours.
    pub(crate) fn rows(self) -> impl Iterator<Item = &'static Row> {
        let groups = if let Self::Table(groups) = self { groups } else { &[] };
        groups.iter().copied().flatten()
    }

    /// What stands there, for people: "a duration such as 90s".
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Text => "a string".to_owned(),
            Self::Path => "an absolute path".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Boolean => "true or false".to_owned(),
            Self::Integer(least, ENDLESS) => format!("a whole number of at least {least}"),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number => "a number".to_owned(),
            Self::Duration => "a duration such as 500ms, 90s or 1h30m".to_owned(),
            Self::Command => "a command: a string, or a list of words".to_owned(),
            Self::Scalar => "a string, a number or a truth value".to_owned(),
            Self::Any => "any value".to_owned(),
            Self::ListOf(Self::Text) => "a list of strings".to_owned(),
            Self::ListOf(element) => format!("a list, each element {}", element.describe()),
            Self::MapOf(_) | Self::Table(_) => "a table".to_owned(),
            Self::OneOf(types) => {
                let all: Vec<String> = types.iter().map(|kind| kind.describe()).collect();
                all.join(", or ")
            }
        }
    }
}

/// What the table says of one path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// What may stand there.
    pub(crate) takes: Type,
    /// The key the path ends in or goes through last.
    pub(crate) row: Option<&'static Row>,
    /// Whether that key or one above it is masked.
    pub(crate) secret: bool,
    /// Whether the path ends in that key itself.
    pub(crate) exact: bool,
}

/// Finds a path. None if the table has no such key.
pub(crate) fn place(path: &[String]) -> Option<Place> {
    let start = Place { takes: ROOT, row: None, secret: false, exact: true };
    path.iter().try_fold(start, |place, key| step(place, key))
}

fn step(at: Place, key: &str) -> Option<Place> {
    match at.takes {
        Type::Table(_) => {
            let row = at.takes.rows().find(|row| row.key == key)?;
            let secret = at.secret || row.secret;
            Some(Place { takes: row.takes, row: Some(row), secret, exact: true })
        }
        Type::MapOf(inner) => Some(Place { takes: *inner, exact: false, ..at }),
        Type::ListOf(inner) => {
            key.parse::<usize>().ok().map(|_| Place { takes: *inner, exact: false, ..at })
        }
        Type::OneOf(types) => types.iter().find_map(|kind| step(Place { takes: *kind, ..at }, key)),
        Type::Any => Some(Place { exact: false, ..at }),
        _ => None,
    }
}
