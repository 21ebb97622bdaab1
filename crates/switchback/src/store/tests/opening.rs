//! Making a store, and opening it again.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::store::StoreError;

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_store_can_be_read_by_nobody_else() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    store.reserve().unwrap();

    assert_eq!(
        names_in(store.dir()),
        ["reserve", "switchback.db", "switchback.db-shm", "switchback.db-wal"]
    );
    assert_eq!(mode_of(store.dir()), 0o700);
    for name in names_in(store.dir()) {
        assert_eq!(mode_of(&store.dir().join(&name)), 0o600, "{name}");
    }
}

#[test]
fn a_commit_is_on_disk_when_it_returns() {
    let (_dir, store) = fresh();
    let connection = store.connection();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();

    assert_eq!(text("PRAGMA journal_mode"), "wal");
    assert_eq!(number("PRAGMA synchronous"), 2, "full");
    assert_eq!(number("PRAGMA fullfsync"), 1);
    assert_eq!(number("PRAGMA foreign_keys"), 1);
    assert_eq!(number("PRAGMA busy_timeout"), 5_000);
}

#[test]
fn a_store_keeps_its_name_and_its_key() {
    let (_dir, store) = fresh();
    let (id, key) = (store.id().to_owned(), store.hash_key().clone());
    let dir = store.dir().to_path_buf();
    drop(store);

    let again = Store::open(&dir, Mode::ReadOnly).unwrap();
    assert_eq!(again.id(), id);
    assert_eq!(again.hash_key(), &key);
    assert_eq!(id.len(), 32);
    assert!(id.chars().all(|digit| digit.is_ascii_hexdigit()));

    let (_other_dir, other) = fresh();
    assert_ne!(other.id(), id);
    assert_ne!(other.hash_key(), &key);
}

#[test]
fn the_key_does_not_show() {
    let (_dir, store) = fresh();
    let key = store.hash_key();
    let hexadecimal = crate::store::random::to_hex(key.as_bytes());

    assert_eq!(format!("{key:?}"), "HashKey(…)");
    assert!(!format!("{store:?} {:?}", store.identity).contains(&hexadecimal));
}

#[test]
fn opening_a_current_store_changes_nothing() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    let dir = store.dir().to_path_buf();
    drop(store);
    let before = std::fs::read(dir.join("switchback.db")).unwrap();

    drop(Store::open(&dir, Mode::Create).unwrap());
    drop(Store::open(&dir, Mode::ReadOnly).unwrap());

    assert!(std::fs::read(dir.join("switchback.db")).unwrap() == before);
}

#[test]
fn looking_at_what_is_not_there_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("state");

    for place in [dir.path(), &missing] {
        let error = Store::open(place, Mode::ReadOnly).unwrap_err();
        assert!(matches!(error, StoreError::Absent { .. }), "{error:?}");
        assert_eq!(error.code(), "store_unusable");
    }
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn a_missing_parent_is_named_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open(&dir.path().join("backpu/state"), Mode::Create).unwrap_err();

    let root = dir.path().display();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot make the state directory {root}/backpu/state: {root}/backpu does not exist"
        )
    );
    assert_eq!(error.code(), "store_unusable");
    assert_eq!(
        error.hint(),
        format!("mkdir -p {root}/backpu   # or mount it, or name another directory with --state")
    );
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn the_default_directory_of_a_new_machine_is_made_with_its_parents() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join(".local/state/switchback");

    drop(Store::open(&state, Mode::CreateParents).unwrap());

    assert_eq!(names_in(&state), ["switchback.db"]);
    assert_eq!(mode_of(&state), 0o700);
}

#[test]
fn a_folder_that_was_there_keeps_its_mode_and_the_database_is_private_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(Store::open(dir.path(), Mode::Create).unwrap());
    assert_eq!(mode_of(dir.path()), 0o755);

    let database = dir.path().join("switchback.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).unwrap();
    drop(Store::open(dir.path(), Mode::Create).unwrap());
    assert_eq!(mode_of(&database), 0o600);
}

#[test]
fn what_is_only_read_cannot_be_written() {
    let (_dir, store) = fresh();
    let reader = Store::open(store.dir(), Mode::ReadOnly).unwrap();
    let error = reader.begin(&update("a1", 1)).unwrap_err();

    assert_eq!(error.code(), "store_unusable");
    assert_eq!(store.open_operations().unwrap(), []);
}

#[test]
fn every_hint_is_a_sentence_with_something_to_do() {
    let path = PathBuf::from("/srv/my state/switchback.db");
    let source = || Box::new(std::io::Error::other("x"));
    let errors = [
        StoreError::Denied { path: path.clone(), source: source() },
        StoreError::ReadOnly { path: path.clone(), source: source() },
        StoreError::NoSpace { path, source: source() },
    ];
    let shown: Vec<_> = errors.iter().map(|e| format!("{e} [{}] {}", e.code(), e.hint())).collect();

    assert_eq!(
        shown,
        [
            "no permission for /srv/my state/switchback.db [store_unusable] ls -ld '/srv/my state/switchback.db'   # run as the owner of the store, or name one of your own with --state DIR",
            "/srv/my state/switchback.db cannot be written: it is read-only [store_unusable] findmnt -T '/srv/my state/switchback.db'   # find out why it cannot be written, or name another directory with --state DIR",
            "no space is left for /srv/my state/switchback.db [no_space] df -h '/srv/my state'   # free some space, then: switchback recover",
        ]
    );
}
