//! What can go wrong with the store, which word of the contract it is, and what to do about it.

use std::io;
use std::path::Path;
use std::path::PathBuf;

/// A request to the store that failed. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no store yet, and the caller only wanted to read one.
    #[error("there is no store in {}", dir.display())]
    Absent {
        /// The state directory.
        dir: PathBuf,
    },
    /// The folder in which the state directory would be made does not exist.
    #[error("cannot make the state directory {}: {} does not exist", dir.display(), parent.display())]
    NoParent {
        /// The state directory.
        dir: PathBuf,
        /// The folder that is missing.
        parent: PathBuf,
    },
    /// Something else stands where the state directory should be.
    #[error("{} is not a directory", dir.display())]
    NotADirectory {
        /// The state directory.
        dir: PathBuf,
    },
    /// The file system, or the folder on it, takes no writes.
    #[error("{} cannot be written: it is read-only", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// This user may not read or write the store.
    #[error("no permission for {}", path.display())]
    Denied {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk or the quota is used up.
    #[error("no space is left for {}", path.display())]
    NoSpace {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is no store of ours.
    #[error("{} is not a store of Switchback", path.display())]
    NotAStore {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is damaged.
    #[error("{} is damaged ({detail})", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// The first finding of an integrity check.
        detail: String,
        /// What the database said.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer Switchback wrote the store; this one would misread it.
    #[error(
        "{} has format {found}, written by Switchback {written_by}; this Switchback reads up to format {ours}",
        path.display()
    )]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that we know.
        ours: u32,
        /// The version of the program that wrote that format.
        written_by: String,
    },
    /// Another process kept the store locked for longer than we wait.
    #[error("{} was locked by another process for {}", path.display(), switchback_core::words::milliseconds(*waited_ms))]
    Locked {
        /// The database file.
        path: PathBuf,
        /// How long we waited, in milliseconds.
        waited_ms: u64,
        /// What the database said.
        #[source]
        source: rusqlite::Error,
    },
    /// The store knows nothing of that name.
    #[error("the store knows no {what} {name}")]
    NotThere {
        /// `operation`, `deployment`, `release`.
        what: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// The name is taken.
    #[error("the store already has a {what} {name}")]
    Exists {
        /// `deployment`.
        what: &'static str,
        /// The name that is taken.
        name: String,
    },
    /// The system refused something for a reason that has no variant of its own.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What we were doing, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database refused something for a reason that has no variant of its own.
    #[error("cannot {doing} in {}", path.display())]
    Database {
        /// What we were doing, as a verb.
        doing: &'static str,
        /// The database file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// The word for `error.code` in JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooNew { .. } => "store_too_new",
            Self::NoSpace { .. } => "no_space",
            Self::NotThere { .. } => "not_found",
            Self::Exists { .. } => "usage",
            Self::Absent { .. }
            | Self::NoParent { .. }
            | Self::NotADirectory { .. }
            | Self::ReadOnly { .. }
            | Self::Denied { .. }
            | Self::NotAStore { .. }
            | Self::Corrupt { .. }
            | Self::Locked { .. }
            | Self::Io { .. }
            | Self::Database { .. } => "store_unusable",
        }
    }

    /// What to do next, with a command where one helps.
    pub fn hint(&self) -> String {
        match self {
            Self::Absent { .. } => {
                "switchback init   # lists what runs here, to be taken over by: switchback adopt NAME; --state DIR names another store"
                    .to_owned()
            }
            Self::NoParent { parent, .. } => {
                format!(
                    "mkdir -p {}   # or mount it, or name another directory with --state",
                    quoted(parent)
                )
            }
            Self::NotADirectory { .. } => "name a directory with --state DIR".to_owned(),
            Self::ReadOnly { path, .. } => format!(
                "findmnt -T {}   # find out why it cannot be written, or name another directory with --state DIR",
                quoted(path)
            ),
            Self::Denied { path, .. } => format!(
                "ls -ld {}   # run as the owner of the store, or name one of your own with --state DIR",
                quoted(path)
            ),
            Self::NoSpace { path, .. } => format!(
                "df -h {}   # free some space, then: switchback recover",
                quoted(path.parent().unwrap_or(path))
            ),
            Self::NotAStore { path, .. } => {
                let dir = path.parent().unwrap_or(path);
                format!("{}; or name the directory of the store with --state DIR", rebuild_hint(dir))
            }
            Self::Corrupt { path, .. } => rebuild_hint(path.parent().unwrap_or(path)),
            Self::TooNew { written_by, .. } => {
                format!("install Switchback {written_by} or newer; the store was left as it is")
            }
            Self::Locked { path, .. } => {
                format!(
                    "fuser -v {}   # see who it is, wait for them, and try again",
                    quoted(path)
                )
            }
            Self::NotThere { .. } => {
                "switchback history   # see what there is".to_owned()
            }
            Self::Exists { .. } => "choose another name".to_owned(),
            Self::Io { path, .. } | Self::Database { path, .. } => format!(
                "look at the disk and its messages (dmesg), then try again; the store is {}",
                path.display()
            ),
        }
    }
}

/// The record with each target rebuilds the store, so a damaged one is set aside, not repaired.
fn rebuild_hint(dir: &Path) -> String {
    let aside = dir.with_extension("damaged");
    format!(
        "mv {} {}   # sets it aside; then read the records back from the targets: switchback adopt --take-over NAME",
        quoted(dir),
        quoted(&aside)
    )
}

/// The path as a shell takes it when pasted.
fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}
