//! Holds: a person sent a deployment to a certain version, and no timer undoes that.

use super::Store;
use super::error::StoreError;
use super::transact::statement;

const SET: &str = "INSERT INTO holds (deployment, reference) VALUES ($1, $2) \
     ON CONFLICT (deployment) DO UPDATE SET reference = excluded.reference";
pub(super) const RELEASE: &str = "DELETE FROM holds WHERE deployment = $1";
pub(super) const GET: &str = "SELECT reference FROM holds WHERE deployment = $1";
pub(super) const ALL: &str = "SELECT deployment, reference FROM holds ORDER BY deployment";

impl Store {
    /// Holds a deployment at what the person named.
    pub fn set_hold(&self, deployment: &str, reference: &str) -> Result<(), StoreError> {
        self.write("write the hold", |transaction| {
            statement(transaction, SET)?.execute([deployment, reference])
        })?;
        Ok(())
    }

    /// Lets a deployment follow its tag or branch again. False if it was not held.
    pub fn release_hold(&self, deployment: &str) -> Result<bool, StoreError> {
        self.write("release the hold", |transaction| {
            Ok(statement(transaction, RELEASE)?.execute([deployment])? > 0)
        })
    }

    /// Where a deployment is held, as the person wrote it.
    pub fn hold(&self, deployment: &str) -> Result<Option<String>, StoreError> {
        self.read("read the hold", |connection| {
            statement(connection, GET)?
                .query_map([deployment], |row| row.get(0))?
                .next()
                .transpose()
        })
    }

    /// All holds: deployment and reference, by deployment.
    pub fn holds(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read("read the holds", |connection| {
            statement(connection, ALL)?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }
}
