//! What is wrong with a configuration, and how that is shown.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::document::{dotted, line_and_column};
use super::fix::Fix;

/// One mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field}: {problem}")]
pub(crate) struct ConfigError {
    /// The key, as it is typed; `FILE:LINE:COLUMN` where the file is not TOML at all.
    pub(crate) field: String,
    /// Why it is wrong.
    pub(crate) problem: String,
    /// A command that clears it, run as it stands.
    pub(crate) fix_command: String,
    /// The configuration file.
    pub(crate) file: PathBuf,
    /// Counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u32>,
    /// Counted from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<u32>,
}

/// Something that is allowed and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Warning {
    /// The key, as it is typed.
    pub(crate) field: String,
    /// What is to be said.
    pub(crate) message: String,
    /// A command that ends it, run as it stands.
    pub(crate) fix_command: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// No file at all.
    #[error("No configuration found. Looked for: {}", list(looked_for))]
    NotFound {
        /// The places, in their order; with a remark where one was passed by.
        looked_for: Vec<String>,
    },
    /// A file that cannot be read.
    #[error("Cannot read the configuration {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that is wrong.
    #[error(transparent)]
    Invalid(#[from] Box<ConfigError>),
}

impl LoadError {
    /// What to type next, where it is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some(
                "switchback init   # writes one from what runs here; --config FILE names one"
                    .to_owned(),
            ),
            Self::Unreadable { path, source } => {
                let path = shell_words::quote(&path.to_string_lossy()).into_owned();
                Some(match source.kind() {
                    std::io::ErrorKind::InvalidData => format!(
                        "file {path}   # it has to be text in UTF-8; --config FILE names another"
                    ),
                    _ => format!("ls -ld {path}   # see what it is; --config FILE names another"),
                })
            }
            Self::Invalid(_) => None,
        }
    }
}

fn list(places: &[String]) -> String {
    places.join(", ")
}

/// A mistake before it is put into the words of a report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) path: Vec<String>,
    pub(crate) start: Option<usize>,
    pub(crate) problem: String,
    pub(crate) fix: Fix,
}

impl Fault {
    /// For a report about the file with this text. `flag` is the path that `--config` named.
    pub(crate) fn report(self, file: &Path, text: &str, flag: Option<&Path>) -> ConfigError {
        let at = self.start.map(|start| line_and_column(text, start));
        ConfigError {
            field: dotted(&self.path),
            problem: self.problem,
            fix_command: self.fix.command(flag),
            file: file.to_path_buf(),
            line: at.map(|(line, _)| line),
            column: at.map(|(_, column)| column),
        }
    }

    /// The same as a warning.
    pub(crate) fn warning(self, flag: Option<&Path>) -> Warning {
        Warning {
            field: dotted(&self.path),
            message: self.problem,
            fix_command: self.fix.command(flag),
        }
    }
}
