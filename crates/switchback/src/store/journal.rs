//! The journal of each operation: records that are on disk before their effect begins.
//!
//! An error of [`Store::append`] other than `Unknown` promises that the record is not there and
//! never will be. A failed commit alone does not promise that: when the fsync at its end fails, the
//! record already lies in the write-ahead log with its commit mark, and the recovery after a crash
//! would find it. So such a commit is followed by another one, which overwrites the same place of
//! the log and removes the record from the table. Only if that one fails too, nobody knows.

use std::collections::HashSet;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::params;

use super::Store;
use super::error::StoreError;
use super::explain::explain;
use super::transact::begin;
use super::transact::may_be_shortage;
use super::transact::statement;

pub(super) const LOAD: &str = "SELECT record FROM journal WHERE operation = $1 ORDER BY sequence";
pub(super) const NEXT: &str = "SELECT max(sequence) + 1 FROM journal WHERE operation = $1";
const APPEND: &str = "INSERT INTO journal (operation, sequence, record) VALUES ($1, $2, $3)";
pub(super) const ERASE: &str = "DELETE FROM journal WHERE operation = $1 AND sequence >= $2";

/// Changes a page in any case, so that the commit after it has something to write.
const COUNT_REPAIR: &str = "INSERT INTO store_meta (name, value) VALUES ('journal_repairs', '1') \
     ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(store_meta.value AS BIGINT) + 1 AS TEXT)";

/// A record that was not appended.
#[derive(Debug, thiserror::Error)]
pub enum JournalFailure {
    /// It is not in the journal and never will be.
    #[error("record {sequence} of operation {operation} could not be written")]
    NotWritten {
        /// The operation.
        operation: String,
        /// The place of the record, from 0.
        sequence: u64,
        /// Why.
        #[source]
        source: Box<StoreError>,
    },
    /// It is not in the journal: its place is taken, or one before it is free. Somebody else wrote
    /// to this journal.
    #[error(
        "record {sequence} of operation {operation} is out of order: the next one is {expected}"
    )]
    OutOfOrder {
        /// The operation.
        operation: String,
        /// The place that the record should have had.
        sequence: u64,
        /// The place that is next.
        expected: u64,
    },
    /// Nobody knows whether it is on disk. This handle appends no more records to the operation.
    #[error("nobody can say whether record {sequence} of operation {operation} was written")]
    Unknown {
        /// The operation.
        operation: String,
        /// The place of the record.
        sequence: u64,
        /// Why the repair failed.
        #[source]
        source: Box<StoreError>,
    },
    /// It was not tried, because of an earlier `Unknown`.
    #[error(
        "the journal of operation {operation} takes no more records since a write failed halfway"
    )]
    Poisoned {
        /// The operation.
        operation: String,
    },
}

impl JournalFailure {
    /// The word for `error.code` in JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWritten { source, .. } | Self::Unknown { source, .. } => source.code(),
            Self::OutOfOrder { .. } | Self::Poisoned { .. } => "store_unusable",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NotWritten { source, .. } | Self::Unknown { source, .. } => source.hint(),
            Self::OutOfOrder { operation, .. } => {
                format!(
                    "switchback show {operation}   # another process has taken over; see what it does"
                )
            }
            Self::Poisoned { .. } => {
                "switchback recover   # once the disk is well again".to_owned()
            }
        }
    }
}

/// One try, as far as it came.
enum Attempt {
    Written,
    OutOfOrder { expected: u64 },
    Failed { at_commit: bool, error: rusqlite::Error },
}

impl Store {
    /// Appends record `sequence` (the first is 0) to the journal of an operation that has begun.
    /// It is on disk when this returns. If space is short, it uses the reserve.
    pub fn append(
        &self,
        operation: &str,
        sequence: u64,
        record_json: &str,
    ) -> Result<(), JournalFailure> {
        // Held throughout, so that no other thread appends between a failure and its repair.
        let connection = self.connection();
        if self.poisoned().contains(operation) {
            return Err(JournalFailure::Poisoned { operation: operation.to_owned() });
        }
        let try_once = || attempt(&connection, operation, sequence, record_json);
        let mut last = try_once();
        if let Attempt::Failed { at_commit, error } = &last
            && may_be_shortage(error)
            && self.free_reserve().unwrap_or(false)
        {
            if may_lie_in_the_log(*at_commit, error) {
                self.make_sure_it_is_gone(&connection, operation, sequence)?;
            }
            last = try_once();
        }
        match last {
            Attempt::Written => Ok(()),
            Attempt::OutOfOrder { expected } => Err(JournalFailure::OutOfOrder {
                operation: operation.to_owned(),
                sequence,
                expected,
            }),
            Attempt::Failed { at_commit, error } => {
                if may_lie_in_the_log(at_commit, &error) {
                    self.make_sure_it_is_gone(&connection, operation, sequence)?;
                }
                let source = Box::new(explain(
                    Some(&connection),
                    &self.path,
                    "append to the journal",
                    error,
                ));
                Err(JournalFailure::NotWritten {
                    operation: operation.to_owned(),
                    sequence,
                    source,
                })
            }
        }
    }

    /// Replaces what the journal of an operation has from record `from` on by what another store has
    /// written there: all of it, or nothing.
    pub fn continue_with(
        &self,
        operation: &str,
        from: u64,
        records: &[String],
    ) -> Result<(), StoreError> {
        self.write_with_reserve("continue the journal", |transaction| {
            statement(transaction, ERASE)?.execute(params![operation, from])?;
            for (sequence, record) in (from..).zip(records) {
                statement(transaction, APPEND)?.execute(params![operation, sequence, record])?;
            }
            Ok(())
        })
    }

    /// All records of an operation in their order; none if nothing was written, or nothing is known
    /// of the operation.
    pub fn load(&self, operation: &str) -> Result<Vec<String>, StoreError> {
        self.read("read the journal", |connection| {
            statement(connection, LOAD)?.query_map([operation], |row| row.get(0))?.collect()
        })
    }

    /// Commits a repair, or poisons the journal of the operation.
    fn make_sure_it_is_gone(
        &self,
        connection: &Connection,
        operation: &str,
        sequence: u64,
    ) -> Result<(), JournalFailure> {
        erase(connection, operation, sequence).map_err(|error| {
            self.poisoned().insert(operation.to_owned());
            JournalFailure::Unknown {
                operation: operation.to_owned(),
                sequence,
                source: Box::new(explain(
                    Some(connection),
                    &self.path,
                    "repair the journal",
                    error,
                )),
            }
        })
    }

    fn poisoned(&self) -> MutexGuard<'_, HashSet<String>> {
        self.poisoned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a record whose writing failed can be found by the recovery of the log.
///
/// Before the commit nothing with a commit mark was written. At the commit, the mark is in the last
/// page that is written, so a disk that was full by then has not got it. After anything else it may.
fn may_lie_in_the_log(at_commit: bool, error: &rusqlite::Error) -> bool {
    at_commit && error.sqlite_error_code() != Some(ErrorCode::DiskFull)
}

fn attempt(connection: &Connection, operation: &str, sequence: u64, record: &str) -> Attempt {
    let before_commit = |error| Attempt::Failed { at_commit: false, error };
    let transaction = match begin(connection) {
        Ok(transaction) => transaction,
        Err(error) => return before_commit(error),
    };
    match next_sequence(&transaction, operation) {
        Ok(expected) if expected == sequence => {}
        Ok(expected) => return Attempt::OutOfOrder { expected },
        Err(error) => return before_commit(error),
    }
    let inserted = statement(&transaction, APPEND)
        .and_then(|mut statement| statement.execute(params![operation, sequence, record]));
    if let Err(error) = inserted {
        return before_commit(error);
    }
    // A commit that fails rolls back when the transaction is dropped.
    match transaction.commit() {
        Ok(()) => Attempt::Written,
        Err(error) => Attempt::Failed { at_commit: true, error },
    }
}

fn next_sequence(connection: &Connection, operation: &str) -> rusqlite::Result<u64> {
    let next: Option<u64> =
        statement(connection, NEXT)?.query_row([operation], |row| row.get(0))?;
    Ok(next.unwrap_or(0))
}

fn erase(connection: &Connection, operation: &str, sequence: u64) -> rusqlite::Result<()> {
    let transaction = begin(connection)?;
    statement(&transaction, ERASE)?.execute(params![operation, sequence])?;
    statement(&transaction, COUNT_REPAIR)?.execute([])?;
    transaction.commit()
}
