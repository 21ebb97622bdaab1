//! How the store reads and writes: one lock a handle, one transaction a request.

use std::sync::MutexGuard;
use std::sync::PoisonError;

use rusqlite::CachedStatement;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

use super::Store;
use super::error::StoreError;
use super::explain::explain;
use super::identity::read_identity;

impl Store {
    /// Reads; what several statements see may differ.
    pub(super) fn read<T>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = self.connection();
        query(&connection).map_err(|error| explain(Some(&connection), &self.path, doing, error))
    }

    /// Writes in one transaction, which is on disk when this returns.
    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = self.connection();
        let failed = |error| explain(Some(&connection), &self.path, doing, error);
        let transaction = begin(&connection).map_err(failed)?;
        self.refuse_newer(&transaction)?;
        let result = change(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(result)
    }

    /// The same, and if space is short, once more with the reserve. For what ends an operation.
    /// A newer Switchback that has upgraded the store meanwhile does not stop it either: such a
    /// table keeps the columns that its older writers know.
    pub(super) fn write_with_reserve<T>(
        &self,
        doing: &'static str,
        change: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = self.connection();
        let attempt = || {
            let transaction = begin(&connection)?;
            let result = change(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        let result = match attempt() {
            Err(error) if may_be_shortage(&error) && self.free_reserve().unwrap_or(false) => {
                attempt()
            }
            result => result,
        };
        result.map_err(|error| explain(Some(&connection), &self.path, doing, error))
    }

    /// A panic elsewhere has rolled its transaction back, so the connection is still good.
    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A daemon runs for months; meanwhile a newer program may have upgraded the store under it.
    fn refuse_newer(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let doing = "read the format";
        let now = read_identity(transaction)
            .map_err(|error| explain(Some(transaction), &self.path, doing, error))?;
        if now.schema_version == self.identity.schema_version {
            return Ok(());
        }
        Err(StoreError::TooNew {
            path: self.path.clone(),
            found: now.schema_version,
            ours: self.identity.schema_version,
            written_by: now.written_by,
        })
    }
}

/// Takes the write lock at once, so that waiting happens here and never in the middle.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

/// A statement, compiled once a handle.
pub(super) fn statement<'a>(
    connection: &'a Connection,
    sql: &str,
) -> rusqlite::Result<CachedStatement<'a>> {
    connection.prepare_cached(&with_numbers(sql))
}

/// Ours are written for `PostgreSQL` too, which numbers parameters as `$2`. SQLite takes that for a
/// name and numbers names as they come; its own way to write the number is `?2`.
pub(super) fn with_numbers(sql: &str) -> String {
    sql.replace('$', "?")
}

/// A full disk shows as such, or as an I/O error where a quota or the shared memory file met it.
pub(super) fn may_be_shortage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
}
