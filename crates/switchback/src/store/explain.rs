//! From the few words of SQLite and the system to an error that says what is wrong.
//!
//! SQLite says "unable to open database file" for a read-only mount, a missing right and a full disk
//! alike. So after a failure, and only then, we ask the directory itself.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::ErrorCode;

use super::error::StoreError;
use super::files::with_suffix;
use super::open::BUSY_TIMEOUT;
use super::random::random_hex;

/// As much as SQLite's shared memory file takes at once (32 KiB): what it needs to open a store.
const PROBE_BYTES: usize = 32 * 1024;

/// Says what a failure of the database `path` means. `connection` is asked about damage.
pub(super) fn explain(
    connection: Option<&Connection>,
    path: &Path,
    doing: &'static str,
    source: rusqlite::Error,
) -> StoreError {
    let path_buf = path.to_path_buf();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked {
            path: path_buf,
            waited_ms: u64::try_from(BUSY_TIMEOUT.as_millis()).unwrap_or(u64::MAX),
            source,
        },
        Some(ErrorCode::DiskFull) => StoreError::NoSpace { path: path_buf, source: source.into() },
        Some(ErrorCode::NotADatabase) => StoreError::NotAStore { path: path_buf, source },
        Some(ErrorCode::DatabaseCorrupt) => {
            StoreError::Corrupt { path: path_buf, detail: first_damage(connection), source }
        }
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::SystemIoFailure,
        ) => match why_unusable(path) {
            Some((place, cause)) => explain_io(&place, doing, cause),
            None => StoreError::Database { doing, path: path_buf, source },
        },
        _ if is_missing_table(&source) => StoreError::NotAStore { path: path_buf, source },
        _ => StoreError::Database { doing, path: path_buf, source },
    }
}

/// Says what a failure of the system at `path` means.
pub(super) fn explain_io(path: &Path, doing: &'static str, source: io::Error) -> StoreError {
    let path = path.to_path_buf();
    match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { path, source: Box::new(source) }
        }
        io::ErrorKind::PermissionDenied => StoreError::Denied { path, source: Box::new(source) },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::NoSpace { path, source: Box::new(source) }
        }
        io::ErrorKind::NotADirectory => StoreError::NotADirectory { dir: path },
        _ => StoreError::Io { doing, path, source },
    }
}

/// Tries what SQLite needs (to read the file, to make one beside it, to write the file) and returns
/// where that fails, and how. Opening for writing changes nothing.
fn why_unusable(path: &Path) -> Option<(PathBuf, io::Error)> {
    if let Err(error) = File::open(path) {
        return Some((path.to_path_buf(), error));
    }
    let dir = path.parent()?;
    if let Some(error) = cannot_make_a_file(dir) {
        // A missing right is the folder's; a full or read-only disk is the store's as well.
        let is_right = error.kind() == io::ErrorKind::PermissionDenied;
        return Some((if is_right { dir } else { path }.to_path_buf(), error));
    }
    // The files of the log have the rights that the store had when they were made.
    ["", "-wal", "-shm"].iter().map(|it| with_suffix(path, it)).find_map(|path| {
        match OpenOptions::new().write(true).open(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Some((path, error)),
            _ => None,
        }
    })
}

fn cannot_make_a_file(dir: &Path) -> Option<io::Error> {
    let probe = dir.join(format!(".probe-{}", random_hex().ok()?));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)
        .and_then(|mut file| file.write_all(&vec![0; PROBE_BYTES]));
    // The probe may not have been made at all; what counts is why it could not be written.
    drop(std::fs::remove_file(&probe));
    written.err()
}

/// The first line of an integrity check: it reads the whole file, so it runs only after a failure.
fn first_damage(connection: Option<&Connection>) -> String {
    let found = connection.map(|connection| {
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    });
    match found {
        Some(Ok(line)) if line != "ok" => line.replace('\n', " "),
        _ => "it cannot be read".to_owned(),
    }
}

/// A database of another program, or an empty file: it has none of our tables.
fn is_missing_table(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(_, Some(message)) if message.starts_with("no such table: store_meta"))
}
