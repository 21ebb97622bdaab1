//! Takes away from a mount what its snapshot does not have, before anything is written: a disk
//! that the failed version has filled must not stand in the way of the restore.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use crate::exclusions::{Exclusions, Relation};
use crate::failure::Failure;
use crate::metadata::{Identity, Metadata};
use crate::removal::{remove_tree, unlink};
use crate::siblings::Siblings;
use crate::walk::{Names, Next, Place, Visitor, walk};

/// Removes below `live` what `saved` has not, or has with another kind or size.
pub(crate) fn prune(
    live: OwnedFd,
    saved: OwnedFd,
    exclusions: &Exclusions,
    siblings: Siblings,
) -> Result<(), Failure> {
    let root = Metadata::of_open(live.as_fd())
        .map_err(|errno| Failure::system("cannot look at the mount", "", errno))?;
    let mut pruner = Pruner {
        root: root.identity,
        exclusions,
        siblings,
        files: Names::default(),
        directories: Names::default(),
    };
    walk(live, Some(saved), &mut pruner)
}

struct Pruner<'a> {
    root: Identity,
    exclusions: &'a Exclusions,
    siblings: Siblings,
    files: Names,
    directories: Names,
}

/// What becomes of one entry of the mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Look,
    LookAlone,
    Remove,
}

/// Decides by what stands in the mount (`live`) and in the snapshot (`saved`).
fn fate(live: &Metadata, saved: Option<&Metadata>, relation: Relation) -> Fate {
    if relation == Relation::Excluded {
        return Fate::Keep;
    }
    match saved {
        Some(saved) if live.is_directory() && saved.is_directory() => Fate::Look,
        // Something excluded lies below: everything else goes, and the way to it stays.
        _ if live.is_directory() && relation == Relation::Above => Fate::LookAlone,
        Some(saved) if saved.kind == live.kind && is_comparable(live, saved) => Fate::Keep,
        _ => Fate::Remove,
    }
}

/// Files of equal size with one name may be equal; other kinds are made anew by the copy.
fn is_comparable(live: &Metadata, saved: &Metadata) -> bool {
    !live.is_file() || (live.size_bytes == saved.size_bytes && live.links == 1 && saved.links == 1)
}

fn find_saved(at: &Place<'_>, name: &CStr) -> Result<Option<Metadata>, Failure> {
    let Some(saved) = at.follow else { return Ok(None) };
    Metadata::find(saved, name)
        .map_err(|errno| at.failure("cannot look at the snapshot", name, errno))
}

impl Visitor for Pruner<'_> {
    fn entry(&mut self, at: &Place<'_>, name: &CStr, found: &Metadata) -> Result<Next, Failure> {
        if found.leaves(&self.root) {
            return Ok(Next::Pass);
        }
        let relation = if self.exclusions.is_empty() {
            Relation::Outside
        } else {
            self.exclusions.relation(&at.path_of(name))
        };
        let mut saved = find_saved(at, name)?;
        if let Some(saved) = &mut saved {
            saved.links = self.siblings.own_links(saved, at.path, name)?;
        }
        match fate(found, saved.as_ref(), relation) {
            Fate::Keep => return Ok(Next::Pass),
            Fate::Look => return Ok(Next::Into),
            Fate::LookAlone => return Ok(Next::IntoAlone),
            Fate::Remove if found.is_directory() => self.directories.push(name),
            Fate::Remove => self.files.push(name),
        }
        Ok(Next::Pass)
    }

    fn listed(&mut self, at: &Place<'_>) -> Result<(), Failure> {
        while let Some(name) = self.files.pop() {
            unlink(at.lead, &name).map_err(|errno| at.failure("cannot remove", &name, errno))?;
        }
        while let Some(name) = self.directories.pop() {
            remove_tree(at.lead, &name, &at.path_of(&name))?;
        }
        Ok(())
    }

    /// A directory kept only as a way to something excluded goes when it turns out to be empty.
    fn left(&mut self, at: &Place<'_>, name: &CStr) -> Result<(), Failure> {
        if find_saved(at, name)?.is_some_and(|saved| saved.is_directory()) {
            return Ok(());
        }
        match unlinkat(at.lead, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => Ok(()),
            Err(errno) => Err(at.failure("cannot remove", name, errno)),
        }
    }
}
