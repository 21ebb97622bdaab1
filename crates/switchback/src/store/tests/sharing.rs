//! Several handles on one store.

use std::thread;
use std::time::Duration;

use super::*;
use crate::store::JournalFailure;
use crate::store::StoreError;

#[test]
fn of_many_that_make_a_store_at_once_all_get_the_same_one() {
    let dir = tempfile::tempdir().unwrap();
    let ids: Vec<String> = thread::scope(|scope| {
        let openers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Store::open(dir.path(), Mode::Create).unwrap().id().to_owned()))
            .collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).collect()
    });

    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // When several close at the same moment, none may find itself the last one and tidy up.
    let ours = ["switchback.db", "switchback.db-shm", "switchback.db-wal"];
    assert!(names_in(dir.path()).iter().all(|name| ours.contains(&name.as_str())));
}

#[test]
fn two_handles_take_turns() {
    let (_dir, first) = fresh();
    let second = Store::open(first.dir(), Mode::Create).unwrap();
    let write = |store: &Store, operation: &str| {
        store.begin(&update(operation, 1)).unwrap();
        for sequence in 0..50 {
            store.append(operation, sequence, &format!("{operation} {sequence}")).unwrap();
        }
    };

    thread::scope(|scope| {
        scope.spawn(|| write(&first, "a1"));
        scope.spawn(|| write(&second, "b2"));
    });

    for operation in ["a1", "b2"] {
        let expected: Vec<_> = (0..50).map(|sequence| format!("{operation} {sequence}")).collect();
        assert_eq!(first.load(operation).unwrap(), expected);
        assert_eq!(second.load(operation).unwrap(), expected);
    }
}

#[test]
fn one_handle_serves_many_threads() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10).for_each(|_| store.add_log("a1", "stdout", "line\n").unwrap()));
        }
    });
    assert_eq!(store.logs("a1").unwrap().len(), 40);
}

#[test]
fn who_locks_the_store_for_too_long_is_waited_for_and_then_named() {
    let (_dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    let other = rusqlite::Connection::open(store.dir().join("switchback.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.connection().busy_timeout(Duration::from_millis(20)).unwrap();

    let error = store.begin(&update("b2", 2)).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    assert_eq!(error.code(), "store_unusable");
    assert!(error.hint().contains("fuser -v"), "{}", error.hint());

    let failure = store.append("a1", 0, "{}").unwrap_err();
    assert!(matches!(failure, JournalFailure::NotWritten { .. }), "{failure:?}");
    assert_eq!(store.open_operations().unwrap().len(), 1, "readers do not wait");

    other.execute_batch("ROLLBACK").unwrap();
    store.append("a1", 0, "{}").unwrap();
}

#[test]
fn a_second_writer_of_one_journal_finds_its_place_taken() {
    let (_dir, first) = fresh();
    let second = Store::open(first.dir(), Mode::Create).unwrap();
    first.begin(&update("a1", 1)).unwrap();
    first.append("a1", 0, "opened").unwrap();
    second.append("a1", 1, "interrupted").unwrap();

    let failure = first.append("a1", 1, "applied").unwrap_err();

    assert_eq!(failure.to_string(), "record 1 of operation a1 is out of order: the next one is 2");
    assert_eq!(first.load("a1").unwrap(), ["opened", "interrupted"]);
}
