//! What is left out and left alone: exclusions, nested mounts, and what is not ours.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop a test as tests do")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use switchback_keeper::files;

use common::{Lab, Mounted, assert_same, fail, keeper, look, succeed};

const EXCLUDED: [&str; 4] = ["--exclude", "data=/a/cache/", "--exclude", "data=logs"];

fn lab_with_a_cache() -> Lab {
    let lab = Lab::new();
    for directory in ["a/cache/deep", "a/cache2", "cache", "logs"] {
        fs::create_dir_all(lab.data().join(directory)).unwrap();
        fs::write(lab.data().join(directory).join("file"), directory).unwrap();
    }
    fs::set_permissions(lab.data().join("a/cache"), fs::Permissions::from_mode(0o711)).unwrap();
    lab
}

#[test]
fn an_excluded_directory_is_kept_empty_and_only_it() {
    let lab = lab_with_a_cache();
    let result = lab.snapshot(&EXCLUDED);
    assert_eq!(fs::read_dir(lab.saved().join("a/cache")).unwrap().count(), 0);
    assert_eq!(fs::metadata(lab.saved().join("a/cache")).unwrap().mode() & 0o777, 0o711);
    assert_eq!(fs::read_dir(lab.saved().join("logs")).unwrap().count(), 0);
    assert!(lab.saved().join("a/cache2/file").exists());
    assert!(lab.saved().join("cache/file").exists());
    assert_eq!(result["mounts"][0]["excluded"], serde_json::json!(["a/cache", "logs"]));
}

#[test]
fn a_restore_leaves_what_was_excluded_as_it_is() {
    let lab = lab_with_a_cache();
    let before = look(&lab.data());
    lab.snapshot(&EXCLUDED);
    fs::write(lab.data().join("a/cache/deep/new"), b"new").unwrap();
    fs::remove_dir_all(lab.data().join("logs")).unwrap();
    fs::write(lab.data().join("a/cache2/file"), b"wrong").unwrap();
    lab.restore();

    let after = look(&lab.data());
    assert_eq!(after[Path::new("a/cache/deep/new")].content, b"new");
    assert!(after.contains_key(Path::new("a/cache/deep/file")));
    assert_eq!(after[Path::new("a/cache2/file")], before[Path::new("a/cache2/file")]);
    // It was removed outside of our sight: it comes back as the empty directory that we keep.
    assert_eq!(after[Path::new("logs")].kind, "directory");
    assert!(!after.contains_key(Path::new("logs/file")));
}

#[test]
fn the_way_to_something_excluded_stays_where_the_snapshot_has_none() {
    let lab = Lab::new();
    fs::write(lab.data().join("file"), b"file").unwrap();
    lab.snapshot(&["--exclude", "data=var/cache"]);
    fs::create_dir_all(lab.data().join("var/cache")).unwrap();
    fs::write(lab.data().join("var/cache/entry"), b"entry").unwrap();
    fs::create_dir_all(lab.data().join("var/other/deep")).unwrap();
    lab.restore();
    assert!(lab.data().join("var/cache/entry").exists());
    assert!(!lab.data().join("var/other").exists());
}

#[test]
fn other_file_systems_below_a_mount_are_left_out_and_left_alone() {
    let lab = Lab::new();
    fs::create_dir_all(lab.data().join("plain/below")).unwrap();
    fs::create_dir(lab.data().join("bound")).unwrap();
    fs::write(lab.data().join("plain/below/file"), b"twice seen").unwrap();
    let _other = Mounted::tmpfs(&lab.data().join("other"), "size=1m");
    let _bound = Mounted::bind(&lab.data().join("plain"), &lab.data().join("bound"));
    fs::write(lab.data().join("other/file"), b"other").unwrap();

    let result = lab.snapshot(&[]);
    let mut named: Vec<_> = result["mounts"][0]["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| (left["path"].as_str().unwrap(), left["why"].as_str().unwrap()))
        .collect();
    named.sort_unstable();
    assert_eq!(named, [("bound", "mount"), ("other", "mount")]);
    assert_eq!(fs::read_dir(lab.saved().join("other")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(lab.saved().join("bound")).unwrap().count(), 0);

    fs::write(lab.data().join("plain/below/file"), b"failed").unwrap();
    lab.restore();
    assert_eq!(fs::read(lab.data().join("other/file")).unwrap(), b"other");
    assert_eq!(fs::read(lab.data().join("bound/below/file")).unwrap(), b"twice seen");
}

#[test]
fn a_restore_writes_through_no_link_out_of_the_mount() {
    let lab = Lab::new();
    let outside = lab.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), b"not ours").unwrap();
    fs::create_dir(lab.data().join("directory")).unwrap();
    fs::write(lab.data().join("directory/file"), b"ours").unwrap();
    fs::write(lab.data().join("single"), b"ours").unwrap();
    let before = look(&lab.data());
    lab.snapshot(&[]);

    fs::remove_dir_all(lab.data().join("directory")).unwrap();
    symlink(&outside, lab.data().join("directory")).unwrap();
    fs::remove_file(lab.data().join("single")).unwrap();
    symlink(outside.join("file"), lab.data().join("single")).unwrap();
    lab.restore();
    assert_same(&look(&lab.data()), &before);
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"not ours");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_snapshot_can_be_reached_by_its_owner_only() {
    let lab = Lab::new();
    fs::set_permissions(lab.data(), fs::Permissions::from_mode(0o777)).unwrap();
    lab.snapshot(&[]);
    for directory in ["store", "store/web", "store/web/op1", "store/web/op1/tree"] {
        let mode = fs::metadata(lab.path(directory)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o700, "{directory}");
    }
    let manifest = fs::metadata(lab.path("store/web/op1/manifest.json")).unwrap();
    assert_eq!(manifest.mode() & 0o777, 0o600);
}

#[test]
fn a_restore_of_other_mounts_than_were_saved_is_refused() {
    let lab = Lab::new();
    lab.snapshot(&[]);
    let mut command = lab.restore_command();
    command.arg("--mount").arg(format!("more={}", lab.path("").display()));
    let (code, error) = fail(&mut command);
    assert_eq!(
        (code, error["what"].as_str()),
        (3, Some("the snapshot does not hold the mount more"))
    );
    assert!(!lab.path("store/web/op1-failed").exists());
}

#[test]
fn a_snapshot_whose_removal_was_interrupted_does_not_exist() {
    let lab = Lab::new();
    fs::create_dir(lab.data().join("directory")).unwrap();
    fs::write(lab.data().join("file"), b"precious").unwrap();
    lab.snapshot(&[]);
    // Something that is mounted in the tree stops the removal half-way.
    let stuck = Mounted::tmpfs(&lab.saved().join("directory"), "size=1m");
    let snapshot = lab.path("store/web/op1");
    let stopped = files::remove(&lab.path("store"), &snapshot);
    let stuck = stuck.moved(lab.path("store/web/.unfinished-removal-op1/tree/data/directory"));
    assert!(stopped.is_err());
    let (code, _) = fail(&mut lab.restore_command());
    assert_eq!(code, 3, "there is no snapshot any more");
    assert_eq!(fs::read(lab.data().join("file")).unwrap(), b"precious");

    drop(stuck);
    files::remove(&lab.path("store"), &snapshot).unwrap();
    assert_eq!(fs::read_dir(lab.path("store/web")).unwrap().count(), 0, "the rest has gone too");
}

#[test]
fn a_manifest_of_a_newer_format_is_refused_and_not_guessed_at() {
    let lab = Lab::new();
    lab.snapshot(&[]);
    let path = lab.path("store/web/op1/manifest.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2");
    fs::write(&path, text).unwrap();
    let (code, error) = fail(&mut lab.restore_command());
    assert_eq!(code, 3);
    assert_eq!(error["what"], "format 2 is newer than this program (1)");
}

#[test]
fn usage_counts_what_a_snapshot_would_copy() {
    let lab = lab_with_a_cache();
    fs::write(lab.data().join("cache/large"), vec![1; 1 << 20]).unwrap();
    fs::hard_link(lab.data().join("cache/large"), lab.data().join("cache/again")).unwrap();
    fs::write(lab.data().join("logs/huge"), vec![1; 4 << 20]).unwrap();
    let sync = fs::File::open(lab.data().join("cache/large")).unwrap();
    sync.sync_all().unwrap();
    let mut command = keeper();
    command.arg("usage").arg("--mount").arg(format!("data={}", lab.data().display()));
    let output = succeed(command.args(EXCLUDED).arg("--store").arg(lab.path("")));
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let bytes = lines[0]["bytes"].as_u64().unwrap();
    assert_eq!((lines[0]["mount"].as_str(), lines[0]["files"].as_u64()), (Some("data"), Some(7)));
    assert!((1 << 20..2 << 20).contains(&bytes), "{bytes}");
    assert!(lines[1]["free"]["bytes"].as_u64().unwrap() > 0);
}
