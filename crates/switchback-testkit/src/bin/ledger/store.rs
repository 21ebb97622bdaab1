//! The rows, in SQLite: real data that a bad release can really spoil.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::behaviour::Migrate;

/// The open database of one release.
pub(crate) struct Store {
    connection: Mutex<Connection>,
    notes: bool,
}

impl Store {
    /// Opens or creates the database, and migrates it. What a release before this one has dropped
    /// does not come back by itself.
    pub(crate) fn open(path: &str, migrate: Migrate) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Longer than any write of the release that is being replaced.
        connection.busy_timeout(Duration::from_secs(2))?;
        // A log beside the database: a snapshot that misses it would lose rows.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS rows (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
                note TEXT)",
        )?;
        match migrate {
            Migrate::AddColumn if !has_column(&connection, "source")? => {
                connection.execute_batch("ALTER TABLE rows ADD COLUMN source TEXT")?;
            }
            Migrate::DropColumn if has_column(&connection, "note")? => {
                connection.execute_batch("ALTER TABLE rows DROP COLUMN note")?;
            }
            _ => {}
        }
        Ok(Self { connection: Mutex::new(connection), notes: migrate != Migrate::DropColumn })
    }

    /// Adds a row and returns its id.
    pub(crate) fn add(&self) -> rusqlite::Result<i64> {
        let connection = self.lock();
        if self.notes {
            connection.execute("INSERT INTO rows (note) VALUES ('a row')", [])?;
        } else {
            connection.execute("INSERT INTO rows DEFAULT VALUES", [])?;
        }
        Ok(connection.last_insert_rowid())
    }

    /// How many rows there are, and the highest id.
    pub(crate) fn count(&self) -> rusqlite::Result<(i64, i64)> {
        self.lock().query_row("SELECT count(*), coalesce(max(id), 0) FROM rows", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// The names of the table's columns, in their order: they tell which release has been at it.
    pub(crate) fn columns(&self) -> rusqlite::Result<Vec<String>> {
        let connection = self.lock();
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info('rows')")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    /// Whether the table is as this release needs it. The statement is run, not only prepared: that
    /// alone would not see what another process has changed since.
    pub(crate) fn check(&self) -> rusqlite::Result<()> {
        let column = if self.notes { "note" } else { "id" };
        let connection = self.lock();
        let mut statement = connection.prepare(&format!("SELECT {column} FROM rows LIMIT 1"))?;
        statement.query([])?.next().map(drop)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_column(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM pragma_table_info('rows') WHERE name = ?1";
    connection.query_row(sql, [name], |row| Ok(row.get::<_, i64>(0)? > 0))
}
