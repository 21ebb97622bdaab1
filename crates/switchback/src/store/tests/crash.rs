//! What a crash leaves: the files as they are on disk at that moment, opened by another process.

use super::*;

/// Copies what is on disk while the store is open, as a crash would leave it, and opens the copy.
fn after_a_crash_now(store: &Store, into: &Path) -> Store {
    std::fs::create_dir(into).unwrap();
    // Without the shared memory file: that one is gone with the machine.
    for name in ["switchback.db", "switchback.db-wal"] {
        std::fs::copy(store.dir().join(name), into.join(name)).unwrap();
    }
    Store::open(into, Mode::Create).unwrap()
}

#[test]
fn every_record_that_was_acknowledged_is_there_after_a_crash() {
    let (dir, store) = fresh();
    store.begin(&update("a1", 1)).unwrap();
    let mut acknowledged = Vec::new();

    for sequence in 0..20 {
        let record = format!("record {sequence}");
        store.append("a1", sequence, &record).unwrap();
        acknowledged.push(record);

        let survivor = after_a_crash_now(&store, &dir.path().join(format!("crash{sequence}")));
        assert_eq!(survivor.load("a1").unwrap(), acknowledged);
        assert_eq!(survivor.open_operations().unwrap().len(), 1);
    }
}

#[test]
fn a_record_that_met_a_full_disk_is_not_there_after_a_crash() {
    let disk = SmallDisk::new(4_096);
    let elsewhere = tempfile::tempdir().unwrap();
    let store = Store::open(&disk.path().join("state"), Mode::Create).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    let filler = disk.fill();

    let mut acknowledged = Vec::new();
    let failure = loop {
        let record = format!("{}{}", acknowledged.len(), "x".repeat(9_000));
        match store.append("a1", acknowledged.len() as u64, &record) {
            Ok(()) => acknowledged.push(record),
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.code(), "no_space");
    let survivor = after_a_crash_now(&store, &elsewhere.path().join("full"));
    assert_eq!(survivor.load("a1").unwrap(), acknowledged);

    std::fs::remove_file(filler).unwrap();
    store.append("a1", acknowledged.len() as u64, "going back").unwrap();
    acknowledged.push("going back".to_owned());
    let survivor = after_a_crash_now(&store, &elsewhere.path().join("later"));
    assert_eq!(survivor.load("a1").unwrap(), acknowledged);
}
