//! Appending to a journal, and what a failed append promises.

use super::*;
use crate::store::JournalFailure;

/// From now on, every commit after `event` fails: a reference to nothing is checked only there.
fn fail_commits_after(store: &Store, event: &str, name: &str) {
    let sql = format!(
        "PRAGMA foreign_keys = ON;
         CREATE TEMP TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY);
         CREATE TEMP TABLE IF NOT EXISTS child
             (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TEMP TRIGGER {name} AFTER {event} BEGIN INSERT INTO child VALUES (7); END;"
    );
    store.connection().execute_batch(&sql).unwrap();
}

fn stop_failing(store: &Store, name: &str) {
    store.connection().execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
}

#[test]
fn a_journal_is_read_as_it_was_written() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    store.begin(&update("b2", 1)).unwrap();
    store.append("a1", 0, r#"{"opened":1}"#).unwrap();
    store.append("b2", 0, "other").unwrap();
    store.append("a1", 1, r#"{"started":"é\u0000"}"#).unwrap();
    let dir = store.dir().to_path_buf();
    drop(store);

    let again = Store::open(&dir, Mode::ReadOnly).unwrap();
    assert_eq!(again.load("a1").unwrap(), [r#"{"opened":1}"#, r#"{"started":"é\u0000"}"#]);
    assert_eq!(again.load("c3").unwrap(), [""; 0]);
}

#[test]
fn what_another_store_has_written_replaces_ours_from_where_they_part() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    store.begin(&update("b2", 1)).unwrap();
    for (sequence, record) in (0..).zip(["opened", "started", "applied", "undone"]) {
        store.append("a1", sequence, record).unwrap();
        store.append("b2", sequence, record).unwrap();
    }
    store.continue_with("a1", 2, &["interrupted".to_owned()]).unwrap();
    assert_eq!(store.load("a1").unwrap(), ["opened", "started", "interrupted"]);
    assert_eq!(store.load("b2").unwrap().len(), 4);
    store.append("a1", 3, "undone").unwrap();

    // All of it or nothing.
    fail_commits_after(&store, "INSERT ON journal", "half");
    store.continue_with("a1", 1, &["retried".to_owned()]).unwrap_err();
    stop_failing(&store, "half");
    assert_eq!(store.load("a1").unwrap(), ["opened", "started", "interrupted", "undone"]);
}

#[test]
fn a_journal_has_no_gaps_and_no_second_version_of_a_record() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    store.append("a1", 0, "opened").unwrap();

    for (sequence, record) in [(0, "again"), (2, "too far")] {
        let failure = store.append("a1", sequence, record).unwrap_err();
        assert!(matches!(failure, JournalFailure::OutOfOrder { expected: 1, .. }), "{failure:?}");
        assert_eq!(failure.code(), "store_unusable");
    }
    assert_eq!(store.load("a1").unwrap(), ["opened"]);
}

#[test]
fn an_operation_that_has_not_begun_has_no_journal() {
    let (_dir, store) = fresh();
    let failure = store.append("a1", 0, "opened").unwrap_err();
    assert!(matches!(failure, JournalFailure::NotWritten { .. }), "{failure:?}");
    assert_eq!(store.load("a1").unwrap(), [""; 0]);
}

#[test]
fn a_record_whose_commit_failed_is_gone_for_good_and_can_be_written_later() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    store.append("a1", 0, "opened").unwrap();
    fail_commits_after(&store, "INSERT ON main.journal", "no_record");

    let failure = store.append("a1", 1, "started").unwrap_err();
    assert!(matches!(failure, JournalFailure::NotWritten { .. }), "{failure:?}");
    assert_eq!(failure.to_string(), "record 1 of operation a1 could not be written");
    assert_eq!(store.load("a1").unwrap(), ["opened"]);
    let repairs: String = store
        .connection()
        .query_row("SELECT value FROM store_meta WHERE name = 'journal_repairs'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(repairs, "1", "a second commit has overwritten its place in the log");

    stop_failing(&store, "no_record");
    store.append("a1", 1, "going back").unwrap();
    assert_eq!(store.load("a1").unwrap(), ["opened", "going back"]);
}

#[test]
fn where_nobody_knows_the_journal_takes_nothing_more() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    store.begin(&update("b2", 1)).unwrap();
    store.append("a1", 0, "opened").unwrap();
    fail_commits_after(&store, "INSERT ON main.journal", "no_record");
    fail_commits_after(&store, "INSERT ON main.store_meta", "no_repair");

    let failure = store.append("a1", 1, "started").unwrap_err();
    assert!(matches!(failure, JournalFailure::Unknown { .. }), "{failure:?}");

    stop_failing(&store, "no_record");
    stop_failing(&store, "no_repair");
    for (sequence, record) in [(1, "started"), (2, "applied")] {
        let failure = store.append("a1", sequence, record).unwrap_err();
        assert!(matches!(failure, JournalFailure::Poisoned { .. }), "{failure:?}");
        assert_eq!(failure.hint(), "switchback recover   # once the disk is well again");
    }
    store.append("b2", 0, "opened").unwrap();
    assert_eq!(store.load("b2").unwrap(), ["opened"], "other journals go on");
}
