//! From an older format to a newer one. The real first format is 1, so the old one is made up.

use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::*;
use crate::store::StoreError;
use crate::store::migrate::MIGRATIONS;
use crate::store::migrate::Migration;

const MISSING_COLUMN: &str = "    error_code   TEXT,\n";

/// A format 0 that never was: today's without a column.
fn format_0() -> [Migration; 1] {
    let sql = MIGRATIONS[0].sql.replace(MISSING_COLUMN, "");
    assert_ne!(sql, MIGRATIONS[0].sql);
    [Migration { to: 0, sql: sql.leak() }]
}

/// Format 0, and the step from there to today's columns.
fn format_1() -> [Migration; 2] {
    let step = Migration { to: 1, sql: "ALTER TABLE operations ADD COLUMN error_code TEXT;" };
    [format_0()[0], step]
}

/// A store of format 0 with one operation in it.
fn old_store(dir: &Path) -> String {
    let store = Store::open_with(dir, Mode::Create, &format_0()).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    store.append("a1", 0, "opened").unwrap();
    store.id().to_owned()
}

#[test]
fn an_old_store_is_copied_and_upgraded() {
    let dir = tempfile::tempdir().unwrap();
    let id = old_store(dir.path());

    let store = Store::open_with(dir.path(), Mode::Create, &format_1()).unwrap();
    assert_eq!(store.id(), id);
    assert_eq!(store.load("a1").unwrap(), ["opened"]);
    store.finish("a1", &committed(2)).unwrap();
    assert_eq!(store.history(None, 9, None).unwrap()[0].finished, Some(committed(2)));
    drop(store);

    assert_eq!(names_in(dir.path()), ["switchback.db", "switchback.db.v0.bak"]);
    let copy = dir.path().join("switchback.db.v0.bak");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o7777, 0o600);
    let restored = tempfile::tempdir().unwrap();
    std::fs::copy(&copy, restored.path().join("switchback.db")).unwrap();
    let restored = Store::open_with(restored.path(), Mode::Create, &format_0()).unwrap();
    assert_eq!(restored.id(), id);
    assert_eq!(restored.load("a1").unwrap(), ["opened"]);
}

#[test]
fn an_upgrade_that_fails_leaves_the_store_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    old_store(dir.path());
    let broken = [
        format_0()[0],
        Migration { to: 1, sql: "DELETE FROM operations; ALTER TABLE nothing ADD COLUMN x TEXT;" },
    ];

    let error = Store::open_with(dir.path(), Mode::Create, &broken).unwrap_err();
    let path = dir.path().join("switchback.db");
    assert_eq!(error.to_string(), format!("cannot upgrade the store in {}", path.display()));

    let store = Store::open_with(dir.path(), Mode::Create, &format_0()).unwrap();
    assert_eq!(store.load("a1").unwrap(), ["opened"]);
}

#[test]
fn an_upgrade_leaves_no_reference_to_nothing() {
    let dir = tempfile::tempdir().unwrap();
    old_store(dir.path());
    let careless = [format_0()[0], Migration { to: 1, sql: "DELETE FROM operations;" }];

    Store::open_with(dir.path(), Mode::Create, &careless).unwrap_err();

    let store = Store::open_with(dir.path(), Mode::Create, &format_0()).unwrap();
    assert_eq!(store.load("a1").unwrap(), ["opened"]);
}

#[test]
fn of_many_that_upgrade_at_once_one_does_it() {
    let dir = tempfile::tempdir().unwrap();
    old_store(dir.path());
    let path = dir.path();
    thread::scope(|scope| {
        for mode in [Mode::Create, Mode::ReadOnly, Mode::Create, Mode::ReadOnly] {
            scope.spawn(move || {
                // Twice the same ALTER TABLE would be an error.
                Store::open_with(path, mode, &format_1()).unwrap();
            });
        }
    });
}

#[test]
fn a_newer_store_is_refused_and_says_what_to_install() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), Mode::Create).unwrap());
    let path = dir.path().join("switchback.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "UPDATE store_meta SET value = '7' WHERE name = 'schema_version';
             UPDATE store_meta SET value = '2.3.0' WHERE name = 'written_by';",
        )
        .unwrap();
    let before = std::fs::read(&path).unwrap();

    for mode in [Mode::Create, Mode::ReadOnly] {
        let error = Store::open(dir.path(), mode).unwrap_err();
        assert_eq!(error.code(), "store_too_new");
        assert_eq!(
            error.to_string(),
            format!(
                "{} has format 7, written by Switchback 2.3.0; this Switchback reads up to format 1",
                path.display()
            )
        );
        assert_eq!(error.hint(), "install Switchback 2.3.0 or newer; the store was left as it is");
    }
    assert!(std::fs::read(&path).unwrap() == before);
    assert!(!names_in(dir.path()).iter().any(|name| name.contains(".v")));
}

#[test]
fn a_program_under_which_the_store_was_upgraded_ends_what_it_does_and_begins_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Store::open_with(dir.path(), Mode::Create, &format_0()).unwrap();
    daemon.begin(&update("a1", 1)).unwrap();
    drop(Store::open_with(dir.path(), Mode::Create, &format_1()).unwrap());

    daemon.append("a1", 0, "opened").unwrap();
    let error = daemon.begin(&update("b2", 2)).unwrap_err();

    assert!(matches!(error, StoreError::TooNew { found: 1, ours: 0, .. }), "{error:?}");
    assert_eq!(daemon.load("a1").unwrap(), ["opened"]);
}
