//! The controller's store: one embedded database with what was done, what runs and what is banned.
//!
//! Everything here is synchronous and takes its times (milliseconds since the epoch) from the
//! caller. JSON is opaque text. A [`Store`] can be shared between threads, and any number of
//! processes can have the same one open; writers take turns. When a method returns `Ok`, what it
//! wrote is on disk.

mod checks;
mod claim;
mod deployments;
mod error;
mod explain;
mod files;
mod holds;
mod identity;
mod journal;
mod logs;
mod migrate;
mod open;
mod operations;
mod quarantine;
mod random;
mod releases;
mod reserve;
#[cfg(test)]
mod tests;
mod transact;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;

use rusqlite::Connection;

pub use self::checks::StoredCheck;
pub use self::deployments::Deployment;
pub use self::deployments::NewDeployment;
pub use self::deployments::Observation;
pub use self::deployments::Sighting;
pub use self::error::StoreError;
pub use self::identity::HashKey;
pub use self::journal::JournalFailure;
pub use self::logs::LOG_BYTES_MAX;
pub use self::logs::LogChunk;
pub use self::open::Mode;
pub use self::operations::Finish;
pub use self::operations::Lookup;
pub use self::operations::NewOperation;
pub use self::operations::Operation;
pub use self::quarantine::Quarantined;
pub use self::releases::Release;

use self::identity::Identity;
use self::migrate::MIGRATIONS;
use self::migrate::Migration;

/// An open store.
pub struct Store {
    dir: PathBuf,
    path: PathBuf,
    identity: Identity,
    connection: Mutex<Connection>,
    /// Operations of whose last record nobody knows whether it is on disk.
    poisoned: Mutex<HashSet<String>>,
    /// Operations that this process is at work on.
    claims: Mutex<claim::Claims>,
}

impl Store {
    /// Opens the store in the state directory `dir`. A store of our format is neither checked nor
    /// changed; an older one is copied beside itself (`switchback.db.v1.bak`) and upgraded.
    pub fn open(dir: &Path, mode: Mode) -> Result<Self, StoreError> {
        Self::open_with(dir, mode, MIGRATIONS)
    }

    fn open_with(dir: &Path, mode: Mode, migrations: &[Migration]) -> Result<Self, StoreError> {
        let (connection, identity) = open::open(dir, mode, migrations)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            path: dir.join(open::DATABASE_FILE),
            identity,
            connection: Mutex::new(connection),
            poisoned: Mutex::new(HashSet::new()),
            claims: Mutex::default(),
        })
    }

    /// The random name that this store got when it was made: 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.identity.id
    }

    /// The key of this store's hashes of secrets.
    pub fn hash_key(&self) -> &HashKey {
        &self.identity.key
    }

    /// The state directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("dir", &self.dir)
            .field("id", &self.identity.id)
            .finish_non_exhaustive()
    }
}
