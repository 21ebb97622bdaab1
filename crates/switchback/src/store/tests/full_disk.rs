//! A full disk, and the reserve that is kept for it.

use super::*;
use crate::store::StoreError;

/// Twice what the log of these tests takes, and little beside the reserve.
const RECORD_BYTES: usize = 9_000;

#[test]
fn the_reserve_is_made_of_real_blocks_and_made_once() {
    use std::os::unix::fs::MetadataExt;
    let (_dir, store) = fresh();

    store.reserve().unwrap();
    let made = std::fs::metadata(store.dir().join("reserve")).unwrap();
    assert_eq!(made.len(), 1024 * 1024);
    assert!(made.blocks() * 512 >= 1024 * 1024, "{} blocks", made.blocks());
    store.reserve().unwrap();
    assert_eq!(std::fs::metadata(store.dir().join("reserve")).unwrap().ino(), made.ino());

    assert!(store.free_reserve().unwrap());
    assert!(!store.free_reserve().unwrap());
    assert_eq!(
        names_in(store.dir()),
        ["switchback.db", "switchback.db-shm", "switchback.db-wal"],
        "and nothing else was left"
    );
}

#[test]
fn a_full_disk_stops_an_operation_before_it_begins() {
    let disk = SmallDisk::new(4_096);
    let store = Store::open(&disk.path().join("state"), Mode::Create).unwrap();
    let _filler = disk.fill();

    let error = store.reserve().unwrap_err();

    assert!(matches!(error, StoreError::NoSpace { .. }), "{error:?}");
    assert_eq!(error.code(), "no_space");
    assert!(!names_in(store.dir()).iter().any(|name| name.starts_with("reserve")));
}

#[test]
fn with_the_reserve_the_journal_of_a_full_disk_can_be_finished() {
    let disk = SmallDisk::new(4_096);
    let store = Store::open(&disk.path().join("state"), Mode::Create).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    store.reserve().unwrap();
    let _filler = disk.fill();

    let record = "x".repeat(RECORD_BYTES);
    for sequence in 0..30 {
        store.append("a1", sequence, &record).unwrap();
    }
    store.finish("a1", &committed(2)).unwrap();

    assert!(!store.free_reserve().unwrap(), "the reserve was used");
    assert_eq!(store.load("a1").unwrap().len(), 30);
    assert_eq!(store.history(None, 1, None).unwrap()[0].finished, Some(committed(2)));
}

#[test]
fn what_can_wait_does_not_take_the_reserve() {
    let disk = SmallDisk::new(4_096);
    let store = Store::open(&disk.path().join("state"), Mode::Create).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    store.reserve().unwrap();
    let _filler = disk.fill();

    let error = (0..100)
        .find_map(|_| store.add_log("a1", "stdout", &"x".repeat(RECORD_BYTES)).err())
        .unwrap();

    assert_eq!(error.code(), "no_space");
    assert!(store.free_reserve().unwrap());
}

#[test]
fn after_a_crash_on_a_full_disk_the_store_opens_with_the_reserve() {
    let disk = SmallDisk::new(4_096);
    let state = disk.path().join("state");
    let store = Store::open(&state, Mode::Create).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    store.reserve().unwrap();
    drop(store);
    let _filler = disk.fill();

    let looked = Store::open(&state, Mode::ReadOnly);
    assert!(matches!(looked, Err(StoreError::NoSpace { .. })), "{looked:?}");
    assert!(state.join("reserve").exists(), "looking does not take it");

    let store = Store::open(&state, Mode::Create).unwrap();
    store.append("a1", 0, "interrupted").unwrap();
    assert_eq!(store.load("a1").unwrap(), ["interrupted"]);
    assert!(!state.join("reserve").exists());
}

#[test]
fn however_little_space_is_left_no_half_store_is_made() {
    let disk = SmallDisk::new(1_024);
    let state = disk.path().join("state");
    let filler = disk.path().join("filler");
    let mut made = 0;

    for filler_kib in (0..=1_024).step_by(8) {
        std::fs::create_dir(&state).unwrap();
        // Where the disk ends before the filler does, it is as full as it gets.
        drop(std::fs::write(&filler, vec![1; filler_kib * 1_024]));
        match Store::open(&state, Mode::Create) {
            Ok(store) => made += u32::from(store.open_operations().unwrap().is_empty()),
            Err(error) => assert_eq!(error.code(), "no_space", "{error:?}"),
        }
        std::fs::remove_file(&filler).unwrap();
        if state.join("switchback.db").exists() {
            let store = Store::open(&state, Mode::Create).unwrap();
            store.begin(&update("a1", 1)).unwrap();
        } else {
            assert_eq!(names_in(&state), [""; 0]);
        }
        std::fs::remove_dir_all(&state).unwrap();
    }
    assert!((1..128).contains(&made), "{made}");
}
