//! Changes a file by one edit, if the result is at least no worse.

use super::document::dotted;
use super::edit::{EditError, apply};
use super::error::{ConfigError, Warning};
use super::fix::Fix;
use super::locate::{Location, Surroundings};
use super::write::write_atomically;
use super::{Config, LoadError};

/// What an edit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The text of the file now.
    pub(crate) text: String,
    /// A mistake that was there before and still is: one report at a time.
    pub(crate) remaining: Option<ConfigError>,
    /// What is allowed and probably not meant; empty while a mistake remains.
    pub(crate) warnings: Vec<Warning>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// The edit itself is wrong.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The file would be wrong afterwards.
    #[error(transparent)]
    WouldBeInvalid(Box<ConfigError>),
    /// The file cannot be read, or is not TOML.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The file cannot be written.
    #[error("Cannot write the configuration {}", path.display())]
    Unwritable {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Makes an edit of a text. A right file must stay right; a wrong one may be mended step by step,
/// but never by a value that is itself wrong.
pub(crate) fn change_text(
    text: &str,
    edit: &Fix,
    location: &Location,
    world: &dyn Surroundings,
) -> Result<Changed, ChangeError> {
    let before = Config::parse(text, location, world).err();
    let text = apply(text, edit)?;
    match Config::parse(&text, location, world) {
        Ok(config) => Ok(Changed { text, remaining: None, warnings: config.warnings }),
        Err(error) if before.is_some_and(|before| is_progress(edit, &before, &error, location)) => {
            Ok(Changed { text, remaining: Some(error), warnings: Vec::new() })
        }
        Err(error) => Err(ChangeError::WouldBeInvalid(Box::new(error))),
    }
}

/// The same with a file. A file that is not there is taken for an empty one.
pub(crate) fn change_file(
    edit: &Fix,
    location: &Location,
    world: &dyn Surroundings,
) -> Result<Changed, ChangeError> {
    let text = match world.read(&location.path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => {
            return Err(LoadError::Unreadable { path: location.path.clone(), source }.into());
        }
    };
    let changed = change_text(&text, edit, location, world)?;
    if changed.text != text {
        write_atomically(&location.path, &changed.text)
            .map_err(|source| ChangeError::Unwritable { path: location.path.clone(), source })?;
    }
    Ok(changed)
}

/// Whether a wrong file became no worse: what is wrong now was wrong before, behind the first
/// mistake. The command that the first report printed always counts as a step; of a list with
/// several wrong elements it mends one.
fn is_progress(edit: &Fix, before: &ConfigError, after: &ConfigError, at: &Location) -> bool {
    !concerns(edit, after) || edit.command(at.flag.as_deref()) == before.fix_command
}

/// Whether a mistake lies in what was just set.
fn concerns(edit: &Fix, error: &ConfigError) -> bool {
    let Fix::Set { path, .. } = edit else { return false };
    let field = dotted(path);
    error.field == field
        || error.field.starts_with(&format!("{field}."))
        || field.starts_with(&format!("{}.", error.field))
}
