//! Snapshots that lie beside each other and share files.
//!
//! What is set aside before a restore is mostly what the snapshot already holds: such a file
//! becomes a second name of the snapshot's, which costs neither room nor writing. Those names are
//! not hard links of the service's, so whoever walks a snapshot subtracts them again.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;

use crate::failure::Failure;
use crate::metadata::Metadata;
use crate::open::{self, path_bytes};
use crate::snapshot::tree_of;

/// The directory of another tree that has the path of the one that is being walked.
#[derive(Debug)]
pub(crate) struct Counterpart {
    root: OwnedFd,
    path: Vec<u8>,
    /// `None` where that tree has no such directory.
    directory: Option<OwnedFd>,
}

impl Counterpart {
    /// Begins at the root.
    pub(crate) fn new(root: OwnedFd) -> Result<Self, Errno> {
        let directory = rustix::io::fcntl_dupfd_cloexec(&root, 0)?;
        Ok(Self { root, path: Vec::new(), directory: Some(directory) })
    }

    /// The directory at `path`. A walk asks for each path in one run, so one is kept open.
    pub(crate) fn at(&mut self, path: &[u8]) -> Result<Option<BorrowedFd<'_>>, Errno> {
        if self.path != path {
            self.directory = open::below(self.root.as_fd(), path)?;
            path.clone_into(&mut self.path);
        }
        Ok(self.directory.as_ref().map(AsFd::as_fd))
    }
}

/// The trees of one mount in all snapshots beside one.
#[derive(Debug, Default)]
pub(crate) struct Siblings(Vec<Counterpart>);

impl Siblings {
    /// Finds them: whatever lies in the same directory and has a tree of that name.
    pub(crate) fn of(snapshot: &Path, mount: &str) -> Result<Self, Failure> {
        let (Some(parent), Some(own)) = (snapshot.parent(), snapshot.file_name()) else {
            return Ok(Self::default());
        };
        let failed = |error| Failure::io("cannot list the snapshots", path_bytes(parent), &error);
        let mut found = Vec::new();
        for entry in fs::read_dir(parent).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let tree = tree_of(&parent.join(&name), mount);
            if name != own && tree.is_dir() {
                found.push(counterpart(&tree)?);
            }
        }
        Ok(Self(found))
    }

    /// How many names a file has within its own tree.
    pub(crate) fn own_links(
        &mut self,
        found: &Metadata,
        path: &[u8],
        name: &CStr,
    ) -> Result<u32, Failure> {
        let mut links = found.links;
        if !found.is_file() || links < 2 {
            return Ok(links);
        }
        let failed = |errno| Failure::system("cannot look at a snapshot beside", path, errno);
        for sibling in &mut self.0 {
            let Some(directory) = sibling.at(path).map_err(failed)? else { continue };
            let there = Metadata::find(directory, name).map_err(failed)?;
            if there.is_some_and(|there| there.identity == found.identity) {
                links = links.saturating_sub(1);
            }
        }
        Ok(links)
    }
}

/// What a copy may share files with, instead of writing them again.
#[derive(Debug)]
pub(crate) struct Base {
    /// The tree of the mount in the snapshot.
    pub(crate) tree: Counterpart,
    /// The snapshots beside it.
    pub(crate) siblings: Siblings,
}

impl Base {
    /// The tree of `mount` in `snapshot`.
    pub(crate) fn of(snapshot: &Path, mount: &str) -> Result<Self, Failure> {
        let tree = counterpart(&tree_of(snapshot, mount))?;
        Ok(Self { tree, siblings: Siblings::of(snapshot, mount)? })
    }
}

fn counterpart(tree: &Path) -> Result<Counterpart, Failure> {
    let root = open::named_directory(tree)?;
    Counterpart::new(root)
        .map_err(|errno| Failure::system("cannot open the tree", path_bytes(tree), errno))
}
