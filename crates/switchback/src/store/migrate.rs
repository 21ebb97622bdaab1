//! From any older format to ours: copied first, then changed in one transaction.

use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;

use super::error::StoreError;
use super::explain::explain;
use super::explain::explain_io;
use super::files::create_private;
use super::files::sync_parent;
use super::files::with_suffix;
use super::identity::read_identity;
use super::open::BUSY_TIMEOUT;
use super::random::random_bytes;
use super::random::random_hex;
use super::random::to_hex;
use super::transact::statement;

/// One step from the format before it to `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) to: u32,
    pub(super) sql: &'static str,
}

/// Every format there ever was, in order. Entries are added at the end and never changed.
pub(super) const MIGRATIONS: &[Migration] =
    &[Migration { to: 1, sql: include_str!("schema/v1.sql") }];

/// The program that writes a format, for whoever meets it with an older one.
const WRITTEN_BY: &str = env!("CARGO_PKG_VERSION");

/// The format that this list of migrations leads to.
pub(super) fn newest(migrations: &[Migration]) -> u32 {
    migrations.last().map_or(0, |migration| migration.to)
}

/// Fills an empty database with our tables and gives it an id and a key.
pub(super) fn fill_new(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let failed = |error| explain(Some(connection), path, "create the tables", error);
    let failed_io = |error| explain_io(path, "make a random id for", error);
    let id = random_hex().map_err(failed_io)?;
    let key = random_bytes::<32>().map_err(failed_io)?;
    let fill = || {
        let transaction = begin(connection)?;
        for migration in migrations {
            transaction.execute_batch(migration.sql)?;
        }
        set_meta(&transaction, "store_id", &id)?;
        set_meta(&transaction, "hash_key", &to_hex(&key))?;
        sign(&transaction, migrations)?;
        transaction.commit()
    };
    fill().map_err(failed)
}

/// Brings an older store to our format. Of several processes that try at once, one does it.
pub(super) fn upgrade(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let failed = |error| explain(Some(connection), path, "upgrade the store", error);
    // A migration may rebuild a table that others refer to; the check before the commit replaces
    // the one that is switched off here. Inside a transaction this pragma has no effect.
    connection.pragma_update(None, "foreign_keys", false).map_err(failed)?;
    let transaction = begin(connection).map_err(failed)?;
    // Nobody can write now, so this is the version that will be copied and changed.
    let found = read_identity(&transaction).map_err(failed)?.schema_version;
    if found < newest(migrations) {
        copy_aside(path, found)?;
        change(&transaction, found, migrations).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)
}

fn begin(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

fn change(transaction: &Transaction<'_>, found: u32, list: &[Migration]) -> rusqlite::Result<()> {
    for migration in list.iter().filter(|migration| migration.to > found) {
        transaction.execute_batch(migration.sql)?;
    }
    sign(transaction, list)?;
    let dangling = transaction
        .prepare("PRAGMA foreign_key_check")?
        .query_map([], |row| row.get::<_, String>(0))?
        .next()
        .transpose()?;
    match dangling {
        None => Ok(()),
        Some(table) => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY),
            Some(format!("rows of {table} refer to rows that do not exist")),
        )),
    }
}

fn sign(transaction: &Transaction<'_>, migrations: &[Migration]) -> rusqlite::Result<()> {
    set_meta(transaction, "schema_version", &newest(migrations).to_string())?;
    set_meta(transaction, "written_by", WRITTEN_BY)
}

fn set_meta(transaction: &Transaction<'_>, name: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO store_meta (name, value) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    statement(transaction, sql)?.execute(params![name, value]).map(|_| ())
}

/// Writes a whole copy beside the store, on disk before the first change. It is taken by a reader
/// of its own, which sees the last committed state while our transaction keeps writers away.
fn copy_aside(path: &Path, found: u32) -> Result<PathBuf, StoreError> {
    let doing = "copy the store before its upgrade to";
    let copy = with_suffix(path, &format!(".v{found}.bak"));
    let failed_io = |error| explain_io(&copy, doing, error);
    let unfinished = with_suffix(path, &format!(".{}", random_hex().map_err(failed_io)?));
    // VACUUM INTO takes an empty file; made by itself, its mode would follow the umask.
    drop(create_private(&unfinished).map_err(failed_io)?);
    let written = copy_into(path, &unfinished)
        .map_err(|error| explain(None, path, doing, error))
        .and_then(|()| publish(&unfinished, &copy).map_err(failed_io));
    if written.is_err() {
        // It may not have been made; the first error is the one that matters.
        drop(std::fs::remove_file(&unfinished));
    }
    written.map(|()| copy)
}

fn copy_into(path: &Path, unfinished: &Path) -> rusqlite::Result<()> {
    let text = unfinished
        .to_str()
        .ok_or_else(|| rusqlite::Error::InvalidPath(unfinished.to_path_buf()))?;
    let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    reader.busy_timeout(BUSY_TIMEOUT)?;
    reader.execute("VACUUM INTO ?1", [text]).map(|_| ())
}

fn publish(unfinished: &Path, copy: &Path) -> io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    std::fs::rename(unfinished, copy)?;
    sync_parent(copy)
}
