//! For any tree and any change to it: snapshot, change, restore gives the tree.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop a test as tests do")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::{Lab, assert_same, dress, look, set_attribute, stamp};
use proptest::prelude::*;

/// One act upon a tree. Acts that cannot be done where they fall (a link without a file, a file
/// below a file) are passed by: the tree that comes out is what is compared.
#[derive(Debug, Clone)]
enum Act {
    Directory(PathBuf),
    Write(PathBuf, Vec<u8>),
    Sparse(PathBuf, u32),
    Link(PathBuf, PathBuf),
    Symlink(PathBuf, String),
    Attribute(PathBuf, u8, Vec<u8>),
    Dress(PathBuf, u16, u32),
    Stamp(PathBuf, i32, u32),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// Few names, so that acts meet each other.
fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 1..4)
        .prop_map(|parts| parts.iter().collect())
}

fn act() -> impl Strategy<Value = Act> {
    let content = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        3 => path().prop_map(Act::Directory),
        4 => (path(), content.clone()).prop_map(|(path, content)| Act::Write(path, content)),
        1 => (path(), 1..200_000_u32).prop_map(|(path, size)| Act::Sparse(path, size)),
        2 => (path(), path()).prop_map(|(from, to)| Act::Link(from, to)),
        1 => (path(), "[a-d/.]{1,8}").prop_map(|(path, to)| Act::Symlink(path, to)),
        1 => (path(), 0..3_u8, content).prop_map(|(path, name, value)| Act::Attribute(path, name, value)),
        1 => (path(), 0..3_u16, 0..0o10000_u32).prop_map(|(path, owner, mode)| Act::Dress(path, owner, mode)),
        1 => (path(), any::<i32>(), 0..1_000_000_000_u32).prop_map(|(path, seconds, nanoseconds)| Act::Stamp(path, seconds, nanoseconds)),
        2 => path().prop_map(Act::Remove),
        1 => (path(), path()).prop_map(|(from, to)| Act::Rename(from, to)),
    ]
}

fn perform(root: &Path, act: &Act) {
    let exists = |path: &Path| root.join(path).symlink_metadata().is_ok();
    // A link could lead out of the tree.
    let is_own = |path: &Path| {
        path.ancestors()
            .filter(|above| !above.as_os_str().is_empty())
            .all(|above| !root.join(above).is_symlink())
    };
    match act {
        Act::Directory(path) if is_own(path) => drop(fs::create_dir_all(root.join(path))),
        Act::Write(path, content) if is_own(path) => drop(fs::write(root.join(path), content)),
        Act::Sparse(path, size) if is_own(path) => {
            if let Ok(file) = fs::File::create(root.join(path)) {
                file.set_len((*size).into()).unwrap();
            }
        }
        Act::Link(from, to) if is_own(from) && is_own(to) => {
            drop(fs::hard_link(root.join(from), root.join(to)));
        }
        Act::Symlink(path, to) if is_own(path) => drop(symlink(to, root.join(path))),
        Act::Attribute(path, name, value) if is_own(path) && exists(path) => {
            set_attribute(&root.join(path), &format!("user.{name}"), value);
        }
        Act::Dress(path, owner, mode) if is_own(path) && exists(path) => {
            dress(&root.join(path), ((*owner).into(), 7), *mode, (5, 5));
        }
        Act::Stamp(path, seconds, nanoseconds) if exists(path) && is_own(path) => {
            stamp(&root.join(path), ((*seconds).into(), (*nanoseconds).into()));
        }
        Act::Remove(path) if is_own(path) => {
            drop(fs::remove_file(root.join(path)).or_else(|_| fs::remove_dir_all(root.join(path))));
        }
        Act::Rename(from, to) if is_own(from) && is_own(to) => {
            drop(fs::rename(root.join(from), root.join(to)));
        }
        _ => {}
    }
}

fn perform_all(lab: &Lab, acts: &[Act]) {
    for act in acts {
        perform(&lab.data(), act);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn snapshot_then_any_change_then_restore_is_the_same_tree(
        build in prop::collection::vec(act(), 0..40),
        change in prop::collection::vec(act(), 0..40),
        again in prop::collection::vec(act(), 0..10),
    ) {
        let lab = Lab::new();
        perform_all(&lab, &build);
        let before = look(&lab.data());
        lab.snapshot(&[]);
        assert_same(&look(&lab.saved()), &before);
        perform_all(&lab, &change);
        let failed = look(&lab.data());
        lab.restore();
        assert_same(&look(&lab.data()), &before);
        assert_same(&look(&lab.aside()), &failed);

        // Forth again, after more changes, and back once more: by now the snapshots share files.
        perform_all(&lab, &again);
        let before_forth = look(&lab.data());
        lab.restore_from("op1-failed", "op2-failed");
        assert_same(&look(&lab.data()), &failed);
        assert_same(&look(&lab.path("store/web/op2-failed/tree/data")), &before_forth);
        lab.restore_from("op1", "op3-failed");
        assert_same(&look(&lab.data()), &before);
        assert_same(&look(&lab.aside()), &failed);
    }
}
