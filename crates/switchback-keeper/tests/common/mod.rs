//! What the tests share: running the program, and looking at a tree by other means than its own.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unreachable_pub, reason = "each test file is a crate of its own")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lsetxattr};
use serde_json::Value;

/// The time that the tests hand in.
pub const AT: &str = "2024-05-01T12:00:00Z";

/// The program under test.
pub fn keeper() -> Command {
    assert!(
        rustix::process::geteuid().is_root(),
        "these tests make device nodes: run them as root"
    );
    Command::new(env!("CARGO_BIN_EXE_switchback-keeper"))
}

/// A directory with room for a mount and a store.
pub struct Lab {
    root: PathBuf,
    _directory: Option<tempfile::TempDir>,
}

impl Lab {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_path_buf();
        let lab = Self { root, _directory: Some(directory) };
        fs::create_dir(lab.data()).unwrap();
        lab
    }

    /// In a directory that somebody else has made, with what is in it.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_path_buf(), _directory: None }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub fn snapshot_command(&self, more: &[&str]) -> Command {
        let mut command = keeper();
        command.arg("snapshot").arg("--to").arg(self.path("store/web/op1")).args(["--at", AT]);
        command.args(["--mount".into(), mount(&self.data())]).args(more);
        command
    }

    pub fn restore_command(&self) -> Command {
        self.restore_command_from("op1", "op1-failed")
    }

    fn restore_command_from(&self, from: &str, aside: &str) -> Command {
        let store = self.path("store/web");
        let mut command = keeper();
        command.arg("restore").arg("--from").arg(store.join(from)).args(["--at", AT]);
        command.arg("--aside").arg(store.join(aside));
        command.args(["--mount".into(), mount(&self.data())]);
        command
    }

    /// The snapshot, which must succeed; the answer is its result.
    pub fn snapshot(&self, more: &[&str]) -> Value {
        result(&succeed(&mut self.snapshot_command(more)))
    }

    /// The restore, which must succeed; the answer is its result.
    pub fn restore(&self) -> Value {
        result(&succeed(&mut self.restore_command()))
    }

    /// The restore of another snapshot, setting aside elsewhere.
    pub fn restore_from(&self, from: &str, aside: &str) -> Value {
        result(&succeed(&mut self.restore_command_from(from, aside)))
    }

    pub fn saved(&self) -> PathBuf {
        self.path("store/web/op1/tree/data")
    }

    pub fn aside(&self) -> PathBuf {
        self.path("store/web/op1-failed/tree/data")
    }
}

fn mount(path: &Path) -> std::ffi::OsString {
    let mut mount = b"data=".to_vec();
    mount.extend_from_slice(path.as_os_str().as_bytes());
    std::ffi::OsString::from_vec(mount)
}

pub fn succeed(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Runs what must fail; the answer is its exit code and the object of its error.
pub fn fail(command: &mut Command) -> (i32, Value) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let error: Value = serde_json::from_str(&stderr)
        .unwrap_or_else(|_| panic!("{command:?} ended with {}: {stderr}", output.status));
    (output.status.code().unwrap(), error["error"].clone())
}

/// The result, which is the last line.
pub fn result(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    last["result"].clone()
}

/// All that a service could notice about one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub kind: &'static str,
    pub mode: u32,
    pub owner: (u32, u32),
    pub modified: (i64, i64),
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    pub content: Vec<u8>,
    pub device: u64,
    /// The first path, in order of names, that is the same inode.
    pub same_as: PathBuf,
}

/// A whole tree, by paths below its root.
pub type Tree = BTreeMap<PathBuf, Facts>;

/// Looks at a tree with the standard library and paths, which the program does not use.
pub fn look(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut first = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        let full = root.join(&path);
        let found = fs::symlink_metadata(&full).unwrap();
        if found.is_dir() {
            let mut names: Vec<_> =
                fs::read_dir(&full).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            waiting.extend(names.iter().rev().map(|name| path.join(name)));
        }
        let same_as = first.entry(found.ino()).or_insert_with(|| path.clone()).clone();
        let facts = facts(&full, &found, same_as);
        tree.insert(path, facts);
    }
    tree
}

fn facts(path: &Path, found: &fs::Metadata, same_as: PathBuf) -> Facts {
    let kind = found.file_type();
    let (kind, content) = match () {
        () if kind.is_dir() => ("directory", Vec::new()),
        () if kind.is_file() => ("file", fs::read(path).unwrap()),
        () if kind.is_symlink() => {
            ("symlink", fs::read_link(path).unwrap().into_os_string().into_vec())
        }
        () if kind.is_fifo() => ("fifo", Vec::new()),
        () if kind.is_socket() => ("socket", Vec::new()),
        () if kind.is_char_device() => ("characters", Vec::new()),
        () => ("blocks", Vec::new()),
    };
    Facts {
        kind,
        mode: found.mode() & 0o7777,
        owner: (found.uid(), found.gid()),
        modified: (found.mtime(), found.mtime_nsec()),
        attributes: attributes(path),
        content,
        device: found.rdev(),
        same_as,
    }
}

fn attributes(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 64 * 1024];
    let length = llistxattr(path, names.as_mut_slice()).unwrap();
    let mut found = BTreeMap::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 * 1024];
        let length = lgetxattr(path, OsStr::from_bytes(name), value.as_mut_slice()).unwrap();
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    found
}

/// Compares two trees and names the first differences, not the megabytes.
pub fn assert_same(left: &Tree, right: &Tree) {
    let keys: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let different: Vec<_> = keys
        .into_iter()
        .filter(|path| left.get(*path) != right.get(*path))
        .map(|path| (path, left.get(path).map(brief), right.get(path).map(brief)))
        .take(5)
        .collect();
    assert!(different.is_empty(), "the trees differ: {different:#?}");
}

fn brief(facts: &Facts) -> String {
    let shown = &facts.content[..facts.content.len().min(40)];
    let length = facts.content.len();
    format!("{:?} {length} bytes", Facts { content: shown.to_vec(), ..facts.clone() })
}

pub fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

/// An access control list in the kernel's form: owner rwx, one user r-x, group r--, mask r-x.
pub fn access_list(user: u32) -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    let undefined = u32::MAX;
    let entries = [
        (0x01_u16, 7_u16, undefined),
        (0x02, 5, user),
        (0x04, 4, undefined),
        (0x10, 5, undefined),
        (0x20, 0, undefined),
    ];
    for (tag, permissions, id) in entries {
        list.extend_from_slice(&tag.to_le_bytes());
        list.extend_from_slice(&permissions.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    list
}

/// Sets owner, mode and modification time, in the order in which they do not undo each other.
pub fn dress(path: &Path, owner: (u32, u32), mode: u32, modified: (i64, i64)) {
    std::os::unix::fs::lchown(path, Some(owner.0), Some(owner.1)).unwrap();
    if !fs::symlink_metadata(path).unwrap().is_symlink() {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    stamp(path, modified);
}

pub fn stamp(path: &Path, modified: (i64, i64)) {
    let time = rustix::fs::Timespec { tv_sec: modified.0, tv_nsec: modified.1 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags).unwrap();
}

/// Something mounted by a test, and unmounted with it.
pub struct Mounted(PathBuf);

impl Mounted {
    /// A small file system in memory.
    pub fn tmpfs(at: &Path, options: &str) -> Self {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        succeed(mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at));
        Self(at.to_path_buf())
    }

    /// The same directory a second time: a mount on the same device.
    pub fn bind(from: &Path, at: &Path) -> Self {
        let mut mount = Command::new("mount");
        succeed(mount.arg("--bind").arg(from).arg(at));
        Self(at.to_path_buf())
    }
}

impl Mounted {
    /// The directory of the mount has been moved.
    pub fn moved(mut self, to: PathBuf) -> Self {
        self.0 = to;
        self
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot unmount {}", self.0.display());
    }
}
