//! A disk that is full costs the snapshot, and nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop a test as tests do")]

mod common;

use std::fs;
use std::io::Write;

use common::{Lab, Mounted, assert_same, fail, look};

/// `ENOSPC`, as an exit code and as a number.
const NO_SPACE: i32 = 28;

#[test]
fn a_snapshot_that_does_not_fit_is_removed_and_says_so() {
    let lab = Lab::new();
    for file in 0..8_u8 {
        fs::write(lab.data().join(format!("f{file}")), vec![file; 1 << 20]).unwrap();
    }
    let before = look(&lab.data());
    let _full = Mounted::tmpfs(&lab.path("store"), "size=4m");

    let (code, error) = fail(&mut lab.snapshot_command(&[]));
    assert_eq!(code, NO_SPACE);
    assert_eq!(error["errno"], NO_SPACE);
    assert!(error["path"].as_str().unwrap().contains("/data/f"), "{error}");
    assert_eq!(fs::read_dir(lab.path("store/web")).unwrap().count(), 0, "nothing is left");
    assert_same(&look(&lab.data()), &before);

    // With the room back, the same command succeeds.
    (2..8).for_each(|file| fs::remove_file(lab.data().join(format!("f{file}"))).unwrap());
    lab.snapshot(&[]);
}

#[test]
fn no_inodes_are_no_space_either() {
    let lab = Lab::new();
    (0..100).for_each(|file| fs::write(lab.data().join(format!("f{file}")), b"x").unwrap());
    let _full = Mounted::tmpfs(&lab.path("store"), "nr_inodes=50");
    assert_eq!(fail(&mut lab.snapshot_command(&[])).0, NO_SPACE);
}

#[test]
fn what_cannot_be_set_aside_is_not_overwritten() {
    let lab = Lab::new();
    fs::write(lab.data().join("file"), vec![1; 3 << 20]).unwrap();
    let _store = Mounted::tmpfs(&lab.path("store"), "size=4m");
    lab.snapshot(&[]);
    fs::write(lab.data().join("file"), vec![2; 3 << 20]).unwrap();
    let failed = look(&lab.data());

    assert_eq!(fail(&mut lab.restore_command()).0, NO_SPACE);
    assert_same(&look(&lab.data()), &failed);
    assert!(!lab.path("store/web/op1-failed").exists());
    assert!(lab.path("store/web/op1/manifest.json").exists(), "the snapshot stays");
}

#[test]
fn a_disk_that_the_failed_version_filled_does_not_stop_the_restore() {
    let lab = Lab::new();
    let _data = Mounted::tmpfs(&lab.data(), "size=4m");
    fs::create_dir(lab.data().join("a")).unwrap();
    fs::write(lab.data().join("a/good"), vec![1; 3 << 20]).unwrap();
    let before = look(&lab.data());
    lab.snapshot(&[]);

    fs::write(lab.data().join("a/good"), b"").unwrap();
    fs::create_dir(lab.data().join("z")).unwrap();
    let mut junk = fs::File::create(lab.data().join("z/junk")).unwrap();
    while junk.write_all(&[0xAA; 4096]).is_ok() {}
    drop(junk);
    lab.restore();
    assert_same(&look(&lab.data()), &before);
}
