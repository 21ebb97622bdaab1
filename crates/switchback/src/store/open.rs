//! Opening a store: quick where all is well, and saying exactly what is wrong where it is not.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;

use super::error::StoreError;
use super::explain::explain;
use super::explain::explain_io;
use super::files::create_private;
use super::files::create_private_dir;
use super::files::keep_private;
use super::files::parent_of;
use super::files::sync_parent;
use super::files::with_suffix;
use super::identity::Identity;
use super::identity::read_identity;
use super::migrate::Migration;
use super::migrate::fill_new;
use super::migrate::newest;
use super::migrate::upgrade;
use super::random::random_hex;
use super::reserve::free_reserve_in;

/// The database in the state directory.
pub(super) const DATABASE_FILE: &str = "switchback.db";

/// How long a writer waits for another one. Our transactions take milliseconds; a migration of a
/// large store or a slow disk takes seconds; whoever waits longer should be told.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// More statements than the store has, so that none is ever compiled twice.
const STATEMENT_CACHE: usize = 64;

/// What may be made when it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The state directory and the store. Its parent must exist: for a directory that a person
    /// named, where a missing parent is a typing error or a disk that is not mounted.
    Create,
    /// All folders above it too: for the default directory of a new machine.
    CreateParents,
    /// Nothing; and nothing can be written. A store of an older format is still upgraded, because
    /// nothing here can read that one.
    ReadOnly,
}

/// Opens the store in `dir` and brings it to the newest of `migrations`.
pub(super) fn open(
    dir: &Path,
    mode: Mode,
    migrations: &[Migration],
) -> Result<(Connection, Identity), StoreError> {
    let path = dir.join(DATABASE_FILE);
    if mode != Mode::ReadOnly {
        prepare_directory(dir, mode == Mode::CreateParents)?;
    }
    if !is_there(dir, &path)? {
        if mode == Mode::ReadOnly {
            return Err(StoreError::Absent { dir: dir.to_path_buf() });
        }
        create(&path, migrations)?;
    }
    if mode == Mode::ReadOnly {
        return open_current(&path, false, migrations);
    }
    keep_private(&path).map_err(|error| explain_io(&path, "protect", error))?;
    match open_current(&path, true, migrations) {
        // What the reserve is for: after a crash on a full disk, the journal must be finished.
        Err(StoreError::NoSpace { .. }) if free_reserve_in(dir)? => {
            open_current(&path, true, migrations)
        }
        opened => opened,
    }
}

/// Makes the state directory where it is missing. An existing one keeps its mode: it may be a
/// folder that others use too, and the files in it protect themselves.
fn prepare_directory(dir: &Path, parents: bool) -> Result<(), StoreError> {
    match create_private_dir(dir, parents) {
        Ok(()) => sync_parent(dir).map_err(|error| explain_io(dir, "make", error)),
        Err(_) if dir.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(StoreError::NotADirectory { dir: dir.to_path_buf() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NoParent {
            dir: dir.to_path_buf(),
            parent: parent_of(dir).to_path_buf(),
        }),
        Err(error) => Err(explain_io(dir, "make", error)),
    }
}

fn is_there(dir: &Path, path: &Path) -> Result<bool, StoreError> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(explain_io(dir, "look into", error)),
    }
}

/// Makes a whole store under another name and gives it its own only then. So a store under its
/// name is complete, whatever happens, and of two processes the first one's stays.
fn create(path: &Path, migrations: &[Migration]) -> Result<(), StoreError> {
    let doing = "create the store";
    let failed_io = |error| explain_io(path, doing, error);
    let unfinished = with_suffix(path, &format!(".{}", random_hex().map_err(failed_io)?));
    drop(create_private(&unfinished).map_err(failed_io)?);
    let made =
        fill(&unfinished, migrations).and_then(|()| match std::fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked.and_then(|()| sync_parent(path)).map_err(failed_io),
        });
    for suffix in ["", "-wal", "-shm"] {
        // Those that closing has removed already are not there; a left one does no harm.
        drop(std::fs::remove_file(with_suffix(&unfinished, suffix)));
    }
    made
}

fn fill(path: &Path, migrations: &[Migration]) -> Result<(), StoreError> {
    let connection = connect(path, true)
        .and_then(|connection| use_log(&connection).map(|()| connection))
        .map_err(|error| explain(None, path, "create the store", error))?;
    fill_new(&connection, path, migrations)?;
    // Only the one file gets the name. Closing would empty the log into it too, but silently leave
    // it where that fails.
    let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    emptied.map_err(|error| explain(Some(&connection), path, "finish the new store", error))?;
    connection.close().map_err(|(connection, error)| {
        explain(Some(&connection), path, "finish the new store", error)
    })
}

fn open_current(
    path: &Path,
    writable: bool,
    migrations: &[Migration],
) -> Result<(Connection, Identity), StoreError> {
    let (connection, identity) = open_as_it_is(path, writable)?;
    let ours = newest(migrations);
    if identity.schema_version > ours {
        return Err(StoreError::TooNew {
            path: path.to_path_buf(),
            found: identity.schema_version,
            ours,
            written_by: identity.written_by,
        });
    }
    if identity.schema_version == ours {
        return Ok((connection, identity));
    }
    drop(connection);
    let (writer, _) = open_as_it_is(path, true)?;
    upgrade(&writer, path, migrations)?;
    drop(writer);
    open_as_it_is(path, writable)
}

/// Opens without looking at the format.
fn open_as_it_is(path: &Path, writable: bool) -> Result<(Connection, Identity), StoreError> {
    let failed =
        |connection: Option<&Connection>, error| explain(connection, path, "open the store", error);
    let connection = connect(path, writable).map_err(|error| failed(None, error))?;
    // SQLite opens a file that it may not write for reading, and says so only at the first write.
    if writable && connection.is_readonly("main").map_err(|error| failed(None, error))? {
        return Err(failed(None, read_only_error()));
    }
    let identity = read_identity(&connection).and_then(|identity| {
        if writable {
            use_log(&connection)?;
        }
        Ok(identity)
    });
    match identity {
        Ok(identity) => Ok((connection, identity)),
        Err(error) if !writable && is_read_only_place(&error) && has_no_log(path) => {
            connect_immutable(path)
        }
        Err(error) => Err(failed(Some(&connection), error)),
    }
}

fn read_only_error() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY), None)
}

/// A connection with our settings. Nothing here touches the file, which may not be ours.
fn connect(path: &Path, writable: bool) -> rusqlite::Result<Connection> {
    let access =
        if writable { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    // Each connection is behind a lock of ours, so SQLite needs none.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    if writable {
        // A commit returns after its fsync. On macOS only a full one reaches the disk.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
    }
    Ok(connection)
}

/// Makes the write-ahead log a property of the file. Where it is one already, this only looks.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")
}

/// Whether a reader failed because it could not make the files of the write-ahead log.
fn is_read_only_place(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// Whether the database file alone is the whole store.
fn has_no_log(path: &Path) -> bool {
    match std::fs::metadata(with_suffix(path, "-wal")) {
        Ok(log) => log.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Reads a store on a read-only mount, which nobody has open: a running one has a log.
fn connect_immutable(path: &Path) -> Result<(Connection, Identity), StoreError> {
    let read = || {
        let connection = Connection::open_with_flags(
            immutable_uri(path),
            OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_URI,
        )?;
        let identity = read_identity(&connection)?;
        Ok((connection, identity))
    };
    read().map_err(|error| explain(None, path, "read the store", error))
}

/// A URI in which only the three characters that would end or change a path are escaped.
fn immutable_uri(path: &Path) -> String {
    let text = path.to_string_lossy();
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    // A path that begins with two slashes would be taken for a host.
    format!("file:{}?immutable=1", escaped.replacen("//", "/", 1))
}
