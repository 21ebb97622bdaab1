//! Stores on file systems that take no writes.

use super::*;
use crate::store::StoreError;

#[test]
fn a_store_on_a_read_only_mount_can_be_read() {
    let disk = SmallDisk::new(4_096);
    let state = disk.path().join("a state?");
    let store = Store::open(&state, Mode::Create).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    drop(store);
    disk.remount("ro");

    let reader = Store::open(&state, Mode::ReadOnly).unwrap();
    assert_eq!(reader.open_operations().unwrap()[0].begun, update("a1", 1));
}

#[test]
fn a_store_on_a_read_only_mount_is_not_opened_for_writing() {
    let disk = SmallDisk::new(4_096);
    drop(Store::open(disk.path(), Mode::Create).unwrap());
    disk.remount("ro");

    let error = Store::open(disk.path(), Mode::Create).unwrap_err();

    let path = disk.path().join("switchback.db");
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("{} cannot be written: it is read-only", path.display()));
    assert_eq!(error.code(), "store_unusable");
}

#[test]
fn no_store_is_made_on_a_read_only_mount() {
    let disk = SmallDisk::new(4_096);
    disk.remount("ro");

    for place in [disk.path().to_path_buf(), disk.path().join("state")] {
        let error = Store::open(&place, Mode::Create).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
}

#[test]
fn a_log_that_nobody_may_replay_is_not_passed_over() {
    let disk = SmallDisk::new(4_096);
    let state = disk.path().join("state");
    let copy = disk.path().join("copy");
    let store = Store::open(&state, Mode::Create).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    std::fs::create_dir(&copy).unwrap();
    for name in ["switchback.db", "switchback.db-wal"] {
        std::fs::copy(state.join(name), copy.join(name)).unwrap();
    }
    drop(store);
    disk.remount("ro");

    // The database file alone knows nothing of a1: to read it would be to show an old state as new.
    let error = Store::open(&copy, Mode::ReadOnly).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
}

#[test]
fn a_folder_that_may_not_be_changed_is_named() {
    let disk = SmallDisk::new(4_096);
    let dir = disk.path().join("sealed");
    std::fs::create_dir(&dir).unwrap();
    // A mount of the test's own, which stops root too; the mode of a folder would not.
    let bound = Command::new("mount").args(["--bind", "-o", "ro"]).arg(&dir).arg(&dir).output();
    assert!(bound.unwrap().status.success(), "this test needs the right to mount");

    let error = Store::open(&dir, Mode::Create).unwrap_err();
    let unmounted = Command::new("umount").arg(&dir).output().unwrap();

    assert!(unmounted.status.success());
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    assert_eq!(names_in(&dir), [""; 0]);
}
