//! Copies a tree: the one way in which snapshot, setting aside and restore move data.

mod attributes;
mod contents;
mod entries;
mod links;

use std::os::fd::{AsFd, OwnedFd};

use crate::exclusions::Exclusions;
use crate::failure::Failure;
use crate::metadata::Metadata;
use crate::progress::Progress;
use crate::siblings::{Base, Siblings};
use crate::walk::walk;

use attributes::Attributes;
use contents::Contents;
use entries::Copier;
use links::Links;

/// How many left-out entries are named; the rest is only counted.
const NAMED_LIMIT: usize = 1000;

/// What the copy finds at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// An empty directory of our own.
    Empty,
    /// A directory with content, already pruned of what surely differs.
    Pruned,
}

/// The snapshots that a copy has to do with, besides the one it reads or writes.
#[derive(Debug, Default)]
pub struct Beside {
    /// Lie beside the snapshot that is read, and may share files with it.
    pub(crate) siblings: Siblings,
    /// Holds files that the copy may share.
    pub(crate) base: Option<Base>,
}

/// Something that a copy does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Path below the root of the mount.
    pub path: Vec<u8>,
    /// Why: `socket`, `mount`, `excluded` or `attribute NAME`.
    pub why: String,
}

/// What a copy has done.
#[derive(Debug, Default)]
pub struct Copied {
    /// Entries, directories included.
    pub files: u64,
    /// Bytes of content, holes not counted, each inode once.
    pub bytes: u64,
    /// The first left-out entries by name.
    pub left_out: Vec<LeftOut>,
    /// All of them.
    pub left_out_count: u64,
}

impl Copied {
    fn leave_out(&mut self, path: Vec<u8>, why: impl Into<String>) {
        self.left_out_count += 1;
        if self.left_out.len() < NAMED_LIMIT {
            self.left_out.push(LeftOut { path, why: why.into() });
        }
    }
}

/// Copies everything below `from`, and the attributes of `from` itself, to `to`.
///
/// Kept are owner, mode, times, extended attributes with access control lists, holes, hard links
/// within the tree, symbolic links, fifos and device nodes. Nothing is synced here.
pub fn copy_tree(
    from: OwnedFd,
    to: OwnedFd,
    destination: Destination,
    exclusions: &Exclusions,
    beside: Beside,
    progress: &mut Progress,
) -> Result<Copied, Failure> {
    let failed = |errno| Failure::system("cannot look at the root of the copy", "", errno);
    let mut copier = Copier {
        destination,
        exclusions,
        beside,
        progress,
        links: Links::new(rustix::io::fcntl_dupfd_cloexec(&to, 0).map_err(failed)?),
        from: Metadata::of_open(from.as_fd()).map_err(failed)?.identity,
        to: Metadata::of_open(to.as_fd()).map_err(failed)?.identity,
        contents: Contents::new(),
        attributes: Attributes::new(),
        copied: Copied::default(),
    };
    walk(from, Some(to), &mut copier)?;
    Ok(copier.copied)
}
