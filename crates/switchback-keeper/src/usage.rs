//! What the mounts take, and what is free: the figures behind a plan.

use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::fstatvfs;
use serde_json::{Value, json};

use crate::exclusions::{Exclusions, Relation};
use crate::failure::Failure;
use crate::metadata::{Identity, Metadata};
use crate::open::{self, path_bytes};
use crate::snapshot::Mount;
use crate::walk::{Next, Place, Visitor, walk};

/// Bytes on the disk and entries of one mount, as a snapshot would copy them.
pub fn of_mount(mount: &Mount) -> Result<Value, Failure> {
    let directory = open::named_directory(&mount.path)?;
    let root = Metadata::of_open(directory.as_fd()).map_err(|errno| {
        Failure::system("cannot look at the mount", path_bytes(&mount.path), errno)
    })?;
    let mut counter = Counter {
        root: root.identity,
        exclusions: &mount.exclusions,
        seen: HashSet::new(),
        bytes: 0,
        files: 0,
    };
    walk(directory, None, &mut counter).map_err(|failure| failure.below(&mount.path))?;
    Ok(json!({ "mount": mount.name, "bytes": counter.bytes, "files": counter.files }))
}

/// Bytes and inodes that are free where `store` lies. A file system without a fixed number of
/// inodes has no `files`.
pub fn free(store: &Path) -> Result<Value, Failure> {
    let directory = open::named_directory(store)?;
    let found = fstatvfs(&directory).map_err(|errno| {
        Failure::system("cannot look at the file system", path_bytes(store), errno)
    })?;
    let mut free = json!({ "bytes": found.f_bavail.saturating_mul(found.f_frsize) });
    if found.f_files > 0 {
        free["files"] = Value::from(found.f_favail);
    }
    Ok(json!({ "free": free }))
}

struct Counter<'a> {
    root: Identity,
    exclusions: &'a Exclusions,
    /// Files with several names, so that each counts once.
    seen: HashSet<Identity>,
    bytes: u64,
    files: u64,
}

impl Visitor for Counter<'_> {
    fn entry(&mut self, at: &Place<'_>, name: &CStr, found: &Metadata) -> Result<Next, Failure> {
        let excluded = !self.exclusions.is_empty()
            && self.exclusions.relation(&at.path_of(name)) == Relation::Excluded;
        if excluded || found.leaves(&self.root) {
            return Ok(Next::Pass);
        }
        self.files += 1;
        let counts = found.is_directory() || found.links < 2 || self.seen.insert(found.identity);
        if counts {
            self.bytes += found.allocated_bytes;
        }
        Ok(if found.is_directory() { Next::Into } else { Next::Pass })
    }
}
