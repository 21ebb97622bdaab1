//! What clears a mistake: an edit of the file, and the command that makes it.

use std::path::Path;

use super::document::{Node, dotted};
use super::table::place;

/// A change of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fix {
    /// `config set KEY VALUE`
    Set {
        /// Where.
        path: Vec<String>,
        /// What, as TOML.
        value: String,
    },
    /// `config unset KEY`
    Unset {
        /// Where.
        path: Vec<String>,
    },
    /// `config rename KEY NAME`: what stands there stays.
    Rename {
        /// Where.
        path: Vec<String>,
        /// The last key's new name.
        name: String,
    },
    /// For a person with an editor: the file is not TOML.
    Open {
        /// The file.
        file: std::path::PathBuf,
        /// Counted from 1.
        line: u32,
    },
}

impl Fix {
    /// Sets a key to a TOML value.
    pub(crate) fn set(path: &[String], value: impl Into<toml_edit::Value>) -> Self {
        let value = value.into().decorated("", "").to_string();
        Self::Set { path: path.to_vec(), value }
    }

    /// Sets a key to what the table proposes there, or takes it away where it proposes nothing.
    pub(crate) fn propose(path: &[String]) -> Self {
        let row = place(path).filter(|place| place.exact).and_then(|place| place.row);
        match row.and_then(super::table::Row::proposal) {
            Some(value) => Self::Set { path: path.to_vec(), value: value.to_owned() },
            None => Self::unset(path),
        }
    }

    /// Takes a key away.
    pub(crate) fn unset(path: &[String]) -> Self {
        Self::Unset { path: path.to_vec() }
    }

    /// Gives a key another name.
    pub(crate) fn rename(path: &[String], name: &str) -> Self {
        Self::Rename { path: path.to_vec(), name: name.to_owned() }
    }

    /// Sets a list to itself with one element replaced by others. A list that may hold secrets is
    /// never printed: there the element is taken away by its index.
    pub(crate) fn replace_element(list: &Node, index: usize, others: &[toml_edit::Value]) -> Self {
        let whole_row = place(&list.path);
        if whole_row.is_none_or(|place| place.secret) {
            let element = list.path.iter().cloned().chain([index.to_string()]);
            return Self::Unset { path: element.collect() };
        }
        let mut values = toml_edit::Array::new();
        for (at, element) in list.elements().iter().enumerate() {
            if at == index {
                values.extend(others.iter().cloned());
            } else {
                values.push(element.to_toml());
            }
        }
        if values.is_empty() { Self::unset(&list.path) } else { Self::set(&list.path, values) }
    }

    /// The command as it can be run. `flag` is the path that `--config` named.
    pub(crate) fn command(&self, flag: Option<&Path>) -> String {
        let (verb, arguments) = match self {
            Self::Set { path, value } => ("set", vec![dotted(path), value.clone()]),
            Self::Unset { path } => ("unset", vec![dotted(path)]),
            Self::Rename { path, name } => ("rename", vec![dotted(path), name.clone()]),
            Self::Open { file, line } => {
                let file = file.to_string_lossy();
                return format!("${{EDITOR:-vi}} +{line} {}", shell_words::quote(&file));
            }
        };
        let mut words = vec!["switchback".to_owned()];
        if let Some(path) = flag {
            words.extend(["--config".to_owned(), path.to_string_lossy().into_owned()]);
        }
        words.extend(["config".to_owned(), verb.to_owned()]);
        if arguments.iter().any(|argument| argument.starts_with('-')) {
            words.push("--".to_owned());
        }
        shell_words::join(words.into_iter().chain(arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::parse;
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_value_is_quoted_for_the_shell() {
        let fix = Fix::set(&path("deployment.web.image"), "it's");
        assert_eq!(fix.command(None), r#"switchback config set deployment.web.image '"it'\''s"'"#);
    }

    #[test]
    fn a_named_file_is_named_again() {
        let fix = Fix::unset(&path("deployment.web.image"));
        assert_eq!(
            fix.command(Some(Path::new("/my files/x.toml"))),
            "switchback --config '/my files/x.toml' config unset deployment.web.image"
        );
    }

    #[test]
    fn a_value_that_looks_like_a_flag_is_not_taken_for_one() {
        let fix = Fix::set(&path("deployment.web.run.pids_limit"), -1);
        assert_eq!(fix.command(None), "switchback config set -- deployment.web.run.pids_limit -1");
    }

    #[test]
    fn a_list_of_secrets_is_never_printed() {
        let text =
            "[deployment.web.run]\nenvironment = [\"A=canary\", \"=x\"]\nports = [\"80\", 1]";
        let root = parse(text).unwrap();
        let list = |key| root.find(&["deployment", "web", "run", key]).unwrap();
        let fix = Fix::replace_element(list("environment"), 1, &[]);
        assert_eq!(fix, Fix::unset(&path("deployment.web.run.environment.1")));
        let fix = Fix::replace_element(list("ports"), 1, &["81".into()]);
        assert_eq!(
            fix.command(None),
            r#"switchback config set deployment.web.run.ports '["80", "81"]'"#
        );
    }
}
