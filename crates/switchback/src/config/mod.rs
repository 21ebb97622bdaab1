//! The configuration: found, read, held against the table of keys, and changed key by key.
//!
//! `locate` → [`Config::load`] → deployments with every default filled in. Whatever is wrong is one
//! [`ConfigError`] with a command that clears it; `change` makes such a command's edit.

mod change;
mod check;
mod daemon;
mod deployment;
mod document;
mod duration;
mod edit;
mod error;
#[cfg(test)]
mod fault_cases;
#[cfg(test)]
mod fault_tests;
mod fix;
mod fleet;
mod health;
mod init_text;
mod keys;
mod keys_run;
mod locate;
mod mask;
mod nearest;
mod schema;
mod table;
mod template;
mod validate;
mod variables;
mod watchtower;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) use change::{ChangeError, Changed, change_file};
pub(crate) use daemon::{Notify, Schedule, Serve};
pub(crate) use deployment::{Deployment, Updates};
pub(crate) use edit::{EditError, Got, get, parse_path, set_to};
pub(crate) use error::{ConfigError, LoadError, Warning};
pub(crate) use fix::Fix;
pub(crate) use fleet::Fleet;
pub(crate) use init_text::{FoundContainer, init_text, merge_found};
pub(crate) use locate::{Location, RealWorld, Surroundings, locate, place_for_new};
pub(crate) use mask::{MASK, as_json, masked};
pub(crate) use schema::schema;
pub(crate) use table::Kind;
pub(crate) use validate::{PortUse, port_in_use};
pub(crate) use write::write_atomically;

use document::{Node, NotToml};
use error::Fault;

/// A configuration that has been read and found right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// The file, and whether `--config` named it.
    pub(crate) location: Location,
    /// Folder of the database, if the file names one.
    pub(crate) state: Option<PathBuf>,
    /// How long the answer about a newer Switchback is good for; none where nobody wants to know.
    pub(crate) notice_interval_ms: Option<switchback_core::Millis>,
    /// What is updated, by name.
    pub(crate) deployments: BTreeMap<String, Deployment>,
    /// Fleets, by name.
    pub(crate) fleets: BTreeMap<String, Fleet>,
    /// The daemon.
    pub(crate) serve: Serve,
    /// When the daemon does what.
    pub(crate) schedule: Option<Schedule>,
    /// Who is told.
    pub(crate) notify: BTreeMap<String, Notify>,
    /// What is allowed and probably not meant.
    pub(crate) warnings: Vec<Warning>,
}

impl Config {
    /// Reads a file.
    pub(crate) fn load(location: &Location, world: &dyn Surroundings) -> Result<Self, LoadError> {
        let text = world.read(&location.path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => {
                LoadError::NotFound { looked_for: vec![location.path.display().to_string()] }
            }
            _ => LoadError::Unreadable { path: location.path.clone(), source },
        })?;
        Self::parse(&text, location, world).map_err(|error| LoadError::Invalid(Box::new(error)))
    }

    /// Reads the text of a file. The first mistake is the error; which one is first depends on
    /// the text alone.
    pub(crate) fn parse(
        text: &str,
        location: &Location,
        world: &dyn Surroundings,
    ) -> Result<Self, ConfigError> {
        let root = document::parse(text).map_err(|error| not_toml(&error, text, location))?;
        let flag = location.flag.as_deref();
        Self::from_root(root, location, world)
            .map_err(|fault| fault.report(&location.path, text, flag))
    }

    fn from_root(
        mut root: Node,
        location: &Location,
        world: &dyn Surroundings,
    ) -> Result<Self, Fault> {
        check::check(&mut root, keys::ROOT, &|name| world.variable(name))?;
        let folder = deployment::folder_of(&location.path);
        let mut built = Vec::new();
        for (name, node) in validate::by_name(&root, "deployment") {
            validate::name(name, node)?;
            let merged = validate::with_template(&root, node)?;
            let made = deployment::deployment(name, &node.path, &merged, &folder, world)?;
            built.push((made, merged));
        }
        let fleets = fleet::fleets(&root, &folder, world)?;
        let faults = validate::together(&built)?;
        let flag = location.flag.as_deref();
        Ok(Self {
            location: location.clone(),
            state: root.get("state").and_then(Node::text).map(PathBuf::from),
            notice_interval_ms: daemon::notice_interval_ms(&root),
            deployments: built.into_iter().map(|(made, _)| (made.name.clone(), made)).collect(),
            fleets,
            serve: daemon::serve(&root)?,
            schedule: daemon::schedule(&root)?,
            notify: daemon::notify(&root)?,
            warnings: faults.into_iter().map(|fault| fault.warning(flag)).collect(),
        })
    }
}

/// No command can mend what cannot be read: a person has to look at the line.
fn not_toml(error: &NotToml, text: &str, location: &Location) -> ConfigError {
    let (line, column) = document::line_and_column(text, error.start.unwrap_or(0));
    let file = location.path.clone();
    ConfigError {
        field: format!("{}:{line}:{column}", file.display()),
        problem: format!("not TOML: {}", error.message.replace('\n', ", ")),
        fix_command: Fix::Open { file: file.clone(), line }.command(None),
        file,
        line: Some(line),
        column: Some(column),
    }
}

#[cfg(test)]
mod rubbish_tests;
#[cfg(test)]
mod tests;
