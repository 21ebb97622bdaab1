//! Removes a tree, without following a link out of it and without entering a mount.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, fsync, renameat, unlinkat};
use rustix::io::Errno;

use crate::durable::UNFINISHED_PREFIX;
use crate::failure::{Failure, Meaning};
use crate::metadata::{Identity, Metadata};
use crate::open;
use crate::walk::{Names, Next, Place, Visitor, walk};

/// Removes `name` in `parent`, whatever it is. `path` is what errors call it.
pub fn remove_tree(parent: BorrowedFd<'_>, name: &CStr, path: &[u8]) -> Result<(), Failure> {
    let failed = |errno| Failure::system("cannot remove", path, errno);
    let Some(found) = Metadata::find(parent, name).map_err(failed)? else { return Ok(()) };
    if !found.is_directory() {
        return unlink(parent, name).map_err(failed);
    }
    let above = Metadata::of_open(parent).map_err(failed)?;
    if found.leaves(&above.identity) {
        return Err(mounted(path));
    }
    let directory = open::directory(parent, name).map_err(failed)?;
    let mut remover = Remover { identity: found.identity, files: Names::default() };
    walk(directory, None, &mut remover)?;
    unlinkat(parent, name, AtFlags::REMOVEDIR).map_err(failed)
}

/// Removes `name` in `parent` durably, so that it is there whole or not at all: a kill half-way
/// must not leave a manifest over half a tree. What a killed predecessor left goes with it.
pub fn discard(parent: BorrowedFd<'_>, name: &CStr, path: &[u8]) -> Result<(), Failure> {
    let failed = |errno| Failure::system("cannot remove", path, errno);
    let mut leaving = format!("{UNFINISHED_PREFIX}removal-").into_bytes();
    leaving.extend_from_slice(name.to_bytes());
    let leaving = CString::new(leaving).map_err(|_| failed(Errno::INVAL))?;
    remove_tree(parent, &leaving, path)?;
    match renameat(parent, name, parent, &leaving) {
        Ok(()) => {}
        Err(Errno::NOENT) => return fsync(parent).map_err(failed),
        Err(errno) => return Err(failed(errno)),
    }
    fsync(parent).map_err(failed)?;
    remove_tree(parent, &leaving, path)?;
    fsync(parent).map_err(failed)
}

/// Removes a name that is no directory; that it is gone already is as good.
pub fn unlink(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

fn mounted(path: &[u8]) -> Failure {
    Failure::new(Meaning::Failed, "something is mounted here, so it is not removed", path)
}

struct Remover {
    identity: Identity,
    files: Names,
}

impl Visitor for Remover {
    fn entry(&mut self, at: &Place<'_>, name: &CStr, found: &Metadata) -> Result<Next, Failure> {
        if found.leaves(&self.identity) {
            return Err(mounted(&at.path_of(name)));
        }
        if found.is_directory() {
            return Ok(Next::Into);
        }
        self.files.push(name);
        Ok(Next::Pass)
    }

    fn listed(&mut self, at: &Place<'_>) -> Result<(), Failure> {
        while let Some(name) = self.files.pop() {
            unlink(at.lead, &name).map_err(|errno| at.failure("cannot remove", &name, errno))?;
        }
        Ok(())
    }

    fn left(&mut self, at: &Place<'_>, name: &CStr) -> Result<(), Failure> {
        unlinkat(at.lead, name, AtFlags::REMOVEDIR)
            .map_err(|errno| at.failure("cannot remove", name, errno))
    }
}
