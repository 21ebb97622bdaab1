//! The numbered releases of each deployment.

use rusqlite::Row;
use rusqlite::params;

use super::Store;
use super::deployments::no_deployment;
use super::error::StoreError;
use super::transact::statement;

const PUT: &str = "INSERT INTO releases \
     (deployment, number, state, version, label, created_at, description) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (deployment, number) DO UPDATE SET state = excluded.state, \
     version = excluded.version, label = excluded.label, created_at = excluded.created_at, \
     description = excluded.description";
pub(super) const COUNT_UP: &str =
    "UPDATE deployments SET last_release = $2 WHERE name = $1 AND last_release < $2";
const KNOWN: &str = "SELECT count(*) FROM deployments WHERE name = $1";
pub(super) const ALL: &str = "SELECT deployment, number, state, version, label, created_at, \
     description FROM releases WHERE deployment = $1 ORDER BY number";
pub(super) const ONE: &str = "SELECT deployment, number, state, version, label, created_at, \
     description FROM releases WHERE deployment = $1 AND number = $2";
pub(super) const NEXT: &str = "SELECT last_release + 1 FROM deployments WHERE name = $1";
pub(super) const SET_CURRENT: &str = "UPDATE deployments SET current_release = $2 WHERE name = $1 \
     AND EXISTS (SELECT 1 FROM releases WHERE deployment = $1 AND number = $2)";
pub(super) const REMOVE: &str = "DELETE FROM releases WHERE deployment = $1 AND number = $2 \
     AND NOT EXISTS (SELECT 1 FROM deployments WHERE name = $1 AND current_release = $2)";

/// A release. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The deployment that it belongs to.
    pub deployment: String,
    /// 1 for r1.
    pub number: u64,
    /// The rung of the way back, or whatever the caller calls its state.
    pub state: String,
    /// A digest or a full commit.
    pub version: String,
    /// What people call it.
    pub label: Option<String>,
    /// When it was committed.
    pub created_at: u64,
    /// The rest, in the caller's words.
    pub release_json: String,
}

impl Store {
    /// Writes a release of a known deployment down, or anew. A number once given is never handed
    /// out by [`Store::next_number`] again.
    pub fn put_release(&self, release: &Release) -> Result<(), StoreError> {
        let known = self.write("write the release", |transaction| {
            let known: u64 = statement(transaction, KNOWN)?
                .query_row([&release.deployment], |row| row.get(0))?;
            if known == 0 {
                return Ok(false);
            }
            statement(transaction, PUT)?.execute(params![
                release.deployment,
                release.number,
                release.state,
                release.version,
                release.label,
                release.created_at,
                release.release_json
            ])?;
            let mut count_up = statement(transaction, COUNT_UP)?;
            count_up.execute(params![release.deployment, release.number])?;
            Ok(true)
        })?;
        if known { Ok(()) } else { Err(no_deployment(&release.deployment)) }
    }

    /// The releases of a deployment, r1 first.
    pub fn releases(&self, deployment: &str) -> Result<Vec<Release>, StoreError> {
        self.read("read the releases", |connection| {
            statement(connection, ALL)?.query_map([deployment], from_row)?.collect()
        })
    }

    /// One release.
    pub fn release(&self, deployment: &str, number: u64) -> Result<Option<Release>, StoreError> {
        self.read("read the release", |connection| {
            statement(connection, ONE)?
                .query_map(params![deployment, number], from_row)?
                .next()
                .transpose()
        })
    }

    /// The number that the next release of a deployment gets: 1 for the first.
    pub fn next_number(&self, deployment: &str) -> Result<u64, StoreError> {
        let next = self.read("number the release", |connection| {
            statement(connection, NEXT)?
                .query_map([deployment], |row| row.get(0))?
                .next()
                .transpose()
        })?;
        Ok(next.unwrap_or(1))
    }

    /// Writes down which release runs.
    pub fn set_current(&self, deployment: &str, number: u64) -> Result<(), StoreError> {
        let changed = self.write("write which release runs", |transaction| {
            statement(transaction, SET_CURRENT)?.execute(params![deployment, number])
        })?;
        match changed {
            0 => Err(StoreError::NotThere {
                what: "release",
                name: format!("r{number} of {deployment}"),
            }),
            _ => Ok(()),
        }
    }

    /// Removes the record of a release that no longer has a way back, never of the one that runs.
    /// False if it stays or was not there.
    pub fn remove_release(&self, deployment: &str, number: u64) -> Result<bool, StoreError> {
        self.write("remove the release", |transaction| {
            let mut statement = statement(transaction, REMOVE)?;
            Ok(statement.execute(params![deployment, number])? > 0)
        })
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Release> {
    Ok(Release {
        deployment: row.get(0)?,
        number: row.get(1)?,
        state: row.get(2)?,
        version: row.get(3)?,
        label: row.get(4)?,
        created_at: row.get(5)?,
        release_json: row.get(6)?,
    })
}
