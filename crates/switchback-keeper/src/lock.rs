//! One keeper at a time changes the snapshots of a target: a controller that was killed may have
//! left one at work, and its successor must not write into the same directories.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::durable;
use crate::failure::{Failure, Meaning};
use crate::open::path_bytes;

/// Held until it is dropped or its process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _directory: OwnedFd,
}

impl Lock {
    /// Locks the directory that holds the snapshot `snapshot`, or says at once that it is taken.
    pub fn of_snapshot(snapshot: &Path) -> Result<Self, Failure> {
        let Some(parent) = snapshot.parent() else {
            return Err(Failure::new(
                Meaning::Usage,
                "this names no snapshot",
                path_bytes(snapshot),
            ));
        };
        let directory = durable::make_directories(parent)?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _directory: directory }),
            Err(Errno::WOULDBLOCK) => Err(Failure::new(
                Meaning::Busy,
                "another snapshot or restore is still at work here",
                path_bytes(parent),
            )),
            Err(errno) => Err(Failure::system("cannot lock", path_bytes(parent), errno)),
        }
    }
}
