//! Snapshot, a failed version at work, restore: the same tree.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop a test as tests do")]

mod common;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use common::{Lab, access_list, assert_same, dress, look, set_attribute, stamp};
use rustix::fs::{CWD, FileType, IFlags, Mode, ioctl_getflags, ioctl_setflags, makedev, mknodat};

/// One of everything that a volume can hold.
fn fill(root: &Path) {
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("a/plain"), b"plain\n").unwrap();
    fs::write(root.join("a/none"), b"").unwrap();
    fs::write(root.join("a/large"), vec![7; 3_000_001]).unwrap();
    fs::write(root.join("a/b/secret"), b"secret").unwrap();
    fs::write(root.join("a/b/c/program"), b"program").unwrap();
    fs::hard_link(root.join("a/plain"), root.join("a/b/second name")).unwrap();
    fs::hard_link(root.join("a/plain"), root.join("third\nname")).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"latin-\xe9\xff")), b"bytes").unwrap();
    symlink("../nowhere", root.join("a/dangling")).unwrap();
    symlink("/etc/passwd", root.join("a/absolute")).unwrap();
    symlink("b", root.join("a/to a directory")).unwrap();
    let node = |name: &str, kind, mode, device| {
        mknodat(CWD, root.join(name), kind, Mode::from_raw_mode(mode), device).unwrap();
    };
    node("fifo", FileType::Fifo, 0o640, 0);
    node("null", FileType::CharacterDevice, 0o666, makedev(1, 3));
    node("disk", FileType::BlockDevice, 0o600, makedev(7, 99));

    set_attribute(&root.join("a/plain"), "user.note", b"kept");
    set_attribute(&root.join("a/plain"), "user.empty", b"");
    set_attribute(&root.join("a/large"), "trusted.mark", &[0, 1, 2, 255]);
    set_attribute(&root.join("a/dangling"), "trusted.link", b"on the link itself");
    set_attribute(&root.join("a/b/secret"), "system.posix_acl_access", &access_list(1234));
    set_attribute(&root.join("a/b"), "system.posix_acl_default", &access_list(4321));
    // What `setcap cap_net_bind_service+ep` writes: a change of owner would drop it.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    set_attribute(&root.join("a/b/c/program"), "security.capability", &capability);

    dress(&root.join("a/large"), (1000, 1001), 0o4755, (1_000_000_000, 123_456_789));
    dress(&root.join("a/dangling"), (12, 34), 0, (-5, 999_999_999));
    dress(&root.join("fifo"), (5, 6), 0o620, (1_500_000_000, 1));
    dress(&root.join("empty"), (70_000, 70_001), 0o3775, (900_000_000, 2));
    dress(&root.join("a/b/c"), (0, 0), 0o500, (800_000_000, 3));
    stamp(&root.join("a/b"), (700_000_000, 4));
    dress(root, (33, 33), 0o751, (600_000_000, 5));
}

/// What a failed version may do to its data.
fn scramble(root: &Path) {
    fs::write(root.join("a/plain"), b"other\n").unwrap();
    fs::remove_file(root.join("a/b/second name")).unwrap();
    fs::write(root.join("a/b/second name"), b"no longer a link").unwrap();
    fs::remove_file(root.join("a/none")).unwrap();
    fs::create_dir_all(root.join("a/none/now/a/directory")).unwrap();
    fs::remove_dir(root.join("empty")).unwrap();
    fs::write(root.join("empty"), b"now a file").unwrap();
    fs::remove_file(root.join("a/dangling")).unwrap();
    fs::hard_link(root.join("a/large"), root.join("a/dangling")).unwrap();
    fs::remove_file(root.join("fifo")).unwrap();
    symlink("a", root.join("fifo")).unwrap();
    fs::remove_file(root.join("null")).unwrap();
    fs::create_dir(root.join("new")).unwrap();
    set_attribute(&root.join("new"), "system.posix_acl_default", &access_list(1));
    fs::write(root.join("new/file"), b"new").unwrap();
    set_attribute(&root.join("a"), "system.posix_acl_default", &access_list(99));
    set_attribute(&root.join("a/b/secret"), "user.more", b"more");
    dress(&root.join("a/b/c"), (9, 9), 0o777, (1, 1));
    dress(root, (0, 0), 0o700, (2, 2));
    set_attribute(root, "user.root", b"mark");
}

#[test]
fn a_restore_brings_back_everything_that_a_volume_can_hold() {
    let lab = Lab::new();
    fill(&lab.data());
    let before = look(&lab.data());
    let inode = fs::metadata(lab.data()).unwrap().ino();

    lab.snapshot(&[]);
    assert_same(&look(&lab.data()), &before);
    assert_same(&look(&lab.saved()), &before);

    scramble(&lab.data());
    let failed = look(&lab.data());
    lab.restore();
    assert_same(&look(&lab.data()), &before);
    assert_eq!(fs::metadata(lab.data()).unwrap().ino(), inode, "the mount keeps its directory");
    assert_same(&look(&lab.aside()), &failed);
    assert_same(&look(&lab.saved()), &before);
}

/// Beside one that was just removed a snapshot took four times as long on ext4.
#[test]
fn snapshots_are_spread_over_the_file_system_where_it_can_be_told_so() {
    let lab = Lab::new();
    fs::write(lab.data().join("file"), b"any").unwrap();
    lab.snapshot(&[]);
    let is_spread = |path: PathBuf| {
        ioctl_getflags(File::open(path).unwrap()).is_ok_and(|it| it.contains(IFlags::TOPDIR))
    };
    let asked = File::open(lab.path("")).unwrap();
    ioctl_getflags(&asked).and_then(|it| ioctl_setflags(&asked, it | IFlags::TOPDIR)).ok();
    assert_eq!(is_spread(lab.path("store/web")), is_spread(lab.path("")));
    assert!(!is_spread(lab.path("store/web/op1")), "what is in one belongs together");
}

#[test]
fn what_was_set_aside_is_a_snapshot_and_can_be_restored() {
    let lab = Lab::new();
    fill(&lab.data());
    lab.snapshot(&[]);
    scramble(&lab.data());
    let failed = look(&lab.data());
    lab.restore();

    lab.restore_from("op1-failed", "op2-failed");
    assert_same(&look(&lab.data()), &failed);
}

#[test]
fn what_the_failed_version_did_not_change_is_set_aside_without_writing_it_again() {
    let lab = Lab::new();
    for name in ["same", "content", "time", "mode", "attribute"] {
        fs::write(lab.data().join(name), b"as it was").unwrap();
        dress(&lab.data().join(name), (1, 2), 0o640, (1_000_000, 7));
    }
    lab.snapshot(&[]);
    fs::write(lab.data().join("content"), b"as it is!").unwrap();
    stamp(&lab.data().join("content"), (1_000_000, 7));
    stamp(&lab.data().join("time"), (1_000_000, 8));
    dress(&lab.data().join("mode"), (1, 2), 0o600, (1_000_000, 7));
    set_attribute(&lab.data().join("attribute"), "user.new", b"new");
    let before = look(&lab.data());
    lab.restore();

    assert_same(&look(&lab.aside()), &before);
    let shared = |name: &str| {
        let inode = |root: std::path::PathBuf| fs::metadata(root.join(name)).unwrap().ino();
        inode(lab.saved()) == inode(lab.aside())
    };
    assert!(shared("same"));
    for name in ["content", "time", "mode", "attribute"] {
        assert!(!shared(name), "{name}");
    }
    // One of the two can be removed without the other noticing.
    fs::remove_dir_all(lab.path("store/web/op1")).unwrap();
    assert_same(&look(&lab.aside()), &before);
}

#[test]
fn a_file_that_was_written_and_had_its_time_set_back_is_restored() {
    let lab = Lab::new();
    let file = lab.data().join("table");
    fs::write(&file, b"right").unwrap();
    stamp(&file, (1_000_000, 7));
    let before = look(&lab.data());
    lab.snapshot(&[]);
    fs::write(&file, b"wrong").unwrap();
    stamp(&file, (1_000_000, 7));
    stamp(&lab.data(), before[Path::new("")].modified);
    lab.restore();
    assert_same(&look(&lab.data()), &before);
}

#[test]
fn a_large_file_is_corrected_where_it_differs() {
    let lab = Lab::new();
    let path = lab.data().join("database");
    let content: Vec<u8> = (0..1_000_003_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();
    fs::write(&path, &content).unwrap();
    let before = look(&lab.data());
    let inode = fs::metadata(&path).unwrap().ino();
    lab.snapshot(&[]);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for at in [0, 262_143, 262_144, 700_000, 1_000_002] {
        file.write_all_at(&[0xEE], at).unwrap();
    }
    lab.restore();
    assert_same(&look(&lab.data()), &before);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
}

#[test]
fn holes_stay_holes() {
    let lab = Lab::new();
    let path = lab.data().join("sparse");
    let file = fs::File::create(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    file.write_all_at(b"in the middle", 500_000_000).unwrap();
    file.sync_all().unwrap();
    let blocks = fs::metadata(&path).unwrap().blocks();
    let result = lab.snapshot(&[]);
    assert!(result["mounts"][0]["bytes"].as_u64().unwrap() < 1_000_000, "{result}");

    let copy = lab.saved().join("sparse");
    assert_eq!(fs::metadata(&copy).unwrap().len(), 1 << 30);
    assert_eq!(fs::metadata(&copy).unwrap().blocks(), blocks);
    let mut found = [0; 13];
    fs::File::open(&copy).unwrap().read_exact_at(&mut found, 500_000_000).unwrap();
    assert_eq!(&found, b"in the middle");

    // The failed version fills a hole; the restore makes it one again.
    file.write_all_at(&vec![0; 8 << 20], 0).unwrap();
    file.sync_all().unwrap();
    lab.restore();
    assert_eq!(fs::metadata(&path).unwrap().blocks(), blocks);
}

#[test]
fn a_socket_is_left_out_and_named() {
    let lab = Lab::new();
    let _listener = UnixListener::bind(lab.data().join("app.sock")).unwrap();
    let result = lab.snapshot(&[]);
    let mount = &result["mounts"][0];
    assert_eq!(mount["left_out_count"], 1);
    assert_eq!(mount["left_out"][0]["path"], "app.sock");
    assert_eq!(mount["left_out"][0]["why"], "socket");
    assert!(!lab.saved().join("app.sock").exists());
}

#[test]
fn the_time_of_last_access_is_kept_and_not_moved_by_looking() {
    let lab = Lab::new();
    let file = lab.data().join("file");
    fs::write(&file, b"content").unwrap();
    stamp(&file, (1_111_111_111, 222));
    lab.snapshot(&[]);
    for path in [&file, &lab.saved().join("file")] {
        let found = fs::metadata(path).unwrap();
        assert_eq!((found.atime(), found.atime_nsec()), (1_111_111_111, 222), "{}", path.display());
    }
}

#[test]
fn a_thousand_directories_deep_is_not_too_deep() {
    let lab = Lab::new();
    let mut path = lab.data();
    for _ in 0..1000 {
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    fs::write(path.join("bottom"), b"first").unwrap();
    let before = look(&lab.data());
    // Few descriptors: the walk must not hold one a level.
    let limited = |command: &mut std::process::Command| {
        let program = command.get_program().to_owned();
        let mut limited = std::process::Command::new("prlimit");
        limited.arg("--nofile=32").arg(program).args(command.get_args());
        common::succeed(&mut limited);
    };
    limited(&mut lab.snapshot_command(&[]));
    assert_same(&look(&lab.saved()), &before);
    fs::write(path.join("bottom"), b"second, longer").unwrap();
    limited(&mut lab.restore_command());
    assert_same(&look(&lab.data()), &before);
}

#[test]
fn paths_longer_than_the_kernel_takes_are_copied_with_their_hard_links() {
    let lab = Lab::new();
    let name = "n".repeat(250);
    let descend = |root: &Path, make: bool| {
        let mut directory =
            rustix::fs::open(root, rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
        for _ in 0..40 {
            if make {
                rustix::fs::mkdirat(&directory, name.as_str(), Mode::RWXU).unwrap();
            }
            let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
            directory =
                rustix::fs::openat(&directory, name.as_str(), flags, Mode::empty()).unwrap();
        }
        directory
    };
    let bottom = descend(&lab.data(), true);
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let file = rustix::fs::openat(&bottom, "one", flags, Mode::RUSR).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    let none = rustix::fs::AtFlags::empty();
    rustix::fs::linkat(&bottom, "one", &bottom, "two", none).unwrap();

    lab.snapshot(&[]);
    let copy = descend(&lab.saved(), false);
    let found = rustix::fs::statat(&copy, "two", none).unwrap();
    assert_eq!(found.st_nlink, 2);
    assert_eq!(found.st_size, 4);

    rustix::fs::unlinkat(&bottom, "two", none).unwrap();
    lab.restore();
    let restored = descend(&lab.data(), false);
    assert_eq!(rustix::fs::statat(&restored, "two", none).unwrap().st_nlink, 2);
}
