//! Killed at any point, and run again.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop a test as tests do")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{Lab, assert_same, fail, look};

/// Starts `command`, waits until it says that it works on `item`, a little longer, and kills it.
/// Whether it was still at work then is the answer.
fn kill_during(command: &mut Command, item: &str, after: Duration) -> bool {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let wanted = format!("\"item\":\"{item}\"");
    let reader = BufReader::new(child.stdout.take().unwrap());
    let reached = reader.lines().map_while(Result::ok).any(|line| line.contains(&wanted));
    sleep(after);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    reached && status.signal() == Some(9)
}

fn lab_with_many_files() -> Lab {
    let lab = Lab::new();
    for directory in 0..40 {
        let directory = lab.data().join(format!("d{directory}"));
        fs::create_dir(&directory).unwrap();
        for file in 0..50_u8 {
            fs::write(directory.join(format!("f{file}")), vec![file; 20_000]).unwrap();
        }
        fs::hard_link(directory.join("f1"), directory.join("link")).unwrap();
    }
    lab
}

fn fail_a_version(lab: &Lab) {
    for directory in 0..40 {
        let directory = lab.data().join(format!("d{directory}"));
        for file in 0..25_u8 {
            fs::write(directory.join(format!("f{file}")), vec![99; 20_000]).unwrap();
        }
        fs::remove_file(directory.join("f49")).unwrap();
        fs::create_dir(directory.join("new")).unwrap();
        fs::write(directory.join("new/file"), b"new").unwrap();
    }
}

#[test]
fn a_restore_killed_at_many_points_and_repeated_ends_the_same() {
    let lab = lab_with_many_files();
    let before = look(&lab.data());
    lab.snapshot(&[]);
    fail_a_version(&lab);
    let failed = look(&lab.data());

    let mut killed = 0;
    for milliseconds in [0, 2, 5, 10, 20, 40, 80] {
        let after = Duration::from_millis(milliseconds);
        killed += u32::from(kill_during(&mut lab.restore_command(), "restore", after));
    }
    assert!(killed > 0, "no kill came in time");
    lab.restore();
    assert_same(&look(&lab.data()), &before);
    assert_same(&look(&lab.aside()), &failed);
}

#[test]
fn a_kill_while_data_is_set_aside_leaves_the_mount_as_it_is() {
    let lab = lab_with_many_files();
    let before = look(&lab.data());
    lab.snapshot(&[]);
    fail_a_version(&lab);
    let failed = look(&lab.data());

    assert!(kill_during(&mut lab.restore_command(), "aside", Duration::ZERO));
    assert_same(&look(&lab.data()), &failed);
    assert!(!lab.path("store/web/op1-failed/manifest.json").exists());

    lab.restore();
    assert_same(&look(&lab.data()), &before);
    assert_same(&look(&lab.aside()), &failed);
}

#[test]
fn a_killed_snapshot_does_not_exist_and_is_taken_anew() {
    let lab = lab_with_many_files();
    let before = look(&lab.data());
    assert!(kill_during(&mut lab.snapshot_command(&[]), "snapshot", Duration::from_millis(5)));
    assert!(lab.path("store/web/op1/tree").exists(), "the kill left a part");

    let (code, error) = fail(&mut lab.restore_command());
    assert_eq!(code, 3);
    assert_eq!(error["what"], "there is no manifest, so there is no snapshot to restore");
    assert_same(&look(&lab.data()), &before);

    fs::remove_dir_all(lab.data().join("d7")).unwrap();
    let now = look(&lab.data());
    lab.snapshot(&[]);
    assert_same(&look(&lab.saved()), &now);
}

#[test]
fn a_snapshot_that_exists_is_not_taken_again() {
    let lab = Lab::new();
    fs::write(lab.data().join("file"), b"first").unwrap();
    let first = lab.snapshot(&[]);
    fs::write(lab.data().join("file"), b"second").unwrap();
    assert_eq!(lab.snapshot(&[]), first);
    assert_eq!(fs::read(lab.saved().join("file")).unwrap(), b"first");
}

#[test]
fn a_second_keeper_does_not_write_where_one_is_at_work() {
    let lab = lab_with_many_files();
    lab.snapshot(&[]);
    let store = fs::File::open(lab.path("store/web")).unwrap();
    store.lock().unwrap();
    let (code, error) = fail(&mut lab.restore_command());
    assert_eq!(code, 16);
    assert_eq!(error["what"], "another snapshot or restore is still at work here");
    drop(store);
    lab.restore();
}
