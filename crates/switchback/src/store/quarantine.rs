//! Versions that were rejected, by what they were and how they were to be run.

use rusqlite::Row;
use rusqlite::params;

use super::Store;
use super::error::StoreError;
use super::transact::statement;

const ADD: &str = "INSERT INTO quarantine \
     (deployment, version, spec_fingerprint, reason, added_at) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (deployment, version, spec_fingerprint) \
     DO UPDATE SET reason = excluded.reason, added_at = excluded.added_at";
pub(super) const CLEAR_ONE: &str = "DELETE FROM quarantine WHERE deployment = $1 AND version = $2";
pub(super) const CLEAR_ALL: &str = "DELETE FROM quarantine WHERE deployment = $1";
pub(super) const LIST: &str = "SELECT deployment, version, spec_fingerprint, reason, added_at \
     FROM quarantine WHERE deployment = $1 ORDER BY added_at, version, spec_fingerprint";
/// The exact specification before the entry for all of them.
pub(super) const MATCH: &str = "SELECT deployment, version, spec_fingerprint, reason, added_at \
     FROM quarantine WHERE deployment = $1 AND version = $2 AND spec_fingerprint IN ($3, '') \
     ORDER BY spec_fingerprint DESC LIMIT 1";

/// A rejected version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The deployment for which it was rejected.
    pub deployment: String,
    /// A digest or a full commit.
    pub version: String,
    /// The run specification with which it was rejected; `None` means with any.
    pub spec_fingerprint: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// When, in milliseconds since the epoch.
    pub added_at: u64,
}

impl Store {
    /// Sets a version aside, with one run specification or (`None`) with any. The latest reason
    /// for the same pair counts.
    pub fn add_quarantine(
        &self,
        deployment: &str,
        version: &str,
        spec_fingerprint: Option<&str>,
        reason: &str,
        at: u64,
    ) -> Result<(), StoreError> {
        let fingerprint = spec_fingerprint.unwrap_or_default();
        self.write("write the quarantine", |transaction| {
            let mut statement = statement(transaction, ADD)?;
            statement.execute(params![deployment, version, fingerprint, reason, at])
        })?;
        Ok(())
    }

    /// Clears one version with every specification, or (`None`) all. Returns how many entries went.
    pub fn clear_quarantine(
        &self,
        deployment: &str,
        version: Option<&str>,
    ) -> Result<usize, StoreError> {
        self.write("clear the quarantine", |transaction| match version {
            Some(version) => statement(transaction, CLEAR_ONE)?.execute([deployment, version]),
            None => statement(transaction, CLEAR_ALL)?.execute([deployment]),
        })
    }

    /// What is set aside for a deployment, the oldest first.
    pub fn quarantine(&self, deployment: &str) -> Result<Vec<Quarantined>, StoreError> {
        self.read("read the quarantine", |connection| {
            statement(connection, LIST)?.query_map([deployment], from_row)?.collect()
        })
    }

    /// The entry that forbids a version with a run specification, if there is one.
    pub fn is_quarantined(
        &self,
        deployment: &str,
        version: &str,
        spec_fingerprint: &str,
    ) -> Result<Option<Quarantined>, StoreError> {
        self.read("read the quarantine", |connection| {
            statement(connection, MATCH)?
                .query_map([deployment, version, spec_fingerprint], from_row)?
                .next()
                .transpose()
        })
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Quarantined> {
    let fingerprint: String = row.get(2)?;
    Ok(Quarantined {
        deployment: row.get(0)?,
        version: row.get(1)?,
        spec_fingerprint: Some(fingerprint).filter(|text| !text.is_empty()),
        reason: row.get(3)?,
        added_at: row.get(4)?,
    })
}
