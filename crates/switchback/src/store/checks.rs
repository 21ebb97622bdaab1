//! The last answer to "is there something newer?" for each deployment.

use rusqlite::Row;
use rusqlite::params;

use super::Store;
use super::error::StoreError;
use super::transact::statement;

/// A later answer counts, whichever arrives last.
const PUT: &str = "INSERT INTO checks (deployment, checked_at, result) VALUES ($1, $2, $3) \
     ON CONFLICT (deployment) DO UPDATE SET checked_at = excluded.checked_at, \
     result = excluded.result WHERE checks.checked_at <= excluded.checked_at";
pub(super) const GET: &str =
    "SELECT deployment, checked_at, result FROM checks WHERE deployment = $1";
pub(super) const ALL: &str =
    "SELECT deployment, checked_at, result FROM checks ORDER BY deployment";

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheck {
    /// The deployment.
    pub deployment: String,
    /// When it was checked, in milliseconds since the epoch.
    pub checked_at: u64,
    /// The answer, in the caller's words.
    pub check_json: String,
}

impl Store {
    /// Keeps the answer of a check.
    pub fn put_check(&self, deployment: &str, check_json: &str, at: u64) -> Result<(), StoreError> {
        self.write("write the check", |transaction| {
            statement(transaction, PUT)?.execute(params![deployment, at, check_json])
        })?;
        Ok(())
    }

    /// Keeps the answers of one look: deployment and answer. All of them, or none.
    pub fn put_checks(&self, answers: &[(String, String)], at: u64) -> Result<(), StoreError> {
        self.write("write the checks", |transaction| {
            for (deployment, check_json) in answers {
                statement(transaction, PUT)?.execute(params![deployment, at, check_json])?;
            }
            Ok(())
        })
    }

    /// The last answer for a deployment.
    pub fn check(&self, deployment: &str) -> Result<Option<StoredCheck>, StoreError> {
        self.read("read the check", |connection| {
            statement(connection, GET)?.query_map([deployment], from_row)?.next().transpose()
        })
    }

    /// The last answers for all deployments, by name.
    pub fn checks(&self) -> Result<Vec<StoredCheck>, StoreError> {
        self.read("read the checks", |connection| {
            statement(connection, ALL)?.query_map([], from_row)?.collect()
        })
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<StoredCheck> {
    Ok(StoredCheck { deployment: row.get(0)?, checked_at: row.get(1)?, check_json: row.get(2)? })
}
