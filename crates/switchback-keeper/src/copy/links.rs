//! Remembers the first copy of each file that has several names, so that the others become links.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, linkat};
use rustix::io::Errno;

use crate::metadata::{Identity, Metadata};
use crate::open;

/// First copies by the identity of their source. Files with one name never enter, and an entry
/// leaves with the last of its names, so that memory follows the links that are still open.
#[derive(Debug)]
pub(super) struct Links {
    root: OwnedFd,
    first: HashMap<Identity, First>,
}

#[derive(Debug)]
struct First {
    path: Box<[u8]>,
    names_left: u32,
}

impl Links {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root, first: HashMap::new() }
    }

    /// Remembers that `found` was copied to `path`.
    pub(super) fn remember(&mut self, found: &Metadata, path: Vec<u8>) {
        let first = First { path: path.into(), names_left: found.links.saturating_sub(1) };
        self.first.insert(found.identity, first);
    }

    /// Makes `name` another name of the first copy; false where there is none yet.
    pub(super) fn link(
        &mut self,
        found: &Metadata,
        directory: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<bool, Errno> {
        let Some(first) = self.first.get_mut(&found.identity) else { return Ok(false) };
        let start = first.path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (above, file) = first.path.split_at(start);
        let parent = open::below(self.root.as_fd(), above)?.ok_or(Errno::NOENT)?;
        linkat(&parent, file, directory, name, AtFlags::empty())?;
        first.names_left = first.names_left.saturating_sub(1);
        if first.names_left == 0 {
            self.first.remove(&found.identity);
        }
        Ok(true)
    }
}
