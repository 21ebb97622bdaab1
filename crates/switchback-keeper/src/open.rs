//! Opening without being led astray: no symbolic link is followed, no fifo is waited for.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::failure::Failure;

/// Opens a directory below `parent`.
pub fn directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    quietly(parent, name, OFlags::DIRECTORY)
}

/// Opens a regular file below `parent` for reading.
pub fn file(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    quietly(parent, name, OFlags::NONBLOCK)
}

/// Opens a regular file below `parent` for reading and writing.
pub fn file_to_correct(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    quietly(parent, name, OFlags::RDWR | OFlags::NONBLOCK)
}

/// Opens the directory `path` below `root`, step by step because it may be longer than the kernel
/// takes at once; `None` where there is no such directory.
pub fn below(root: BorrowedFd<'_>, path: &[u8]) -> Result<Option<OwnedFd>, Errno> {
    let mut found = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        let part = CString::new(part).map_err(|_| Errno::INVAL)?;
        found = match directory(found.as_fd(), &part) {
            Ok(next) => next,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(errno),
        };
    }
    Ok(Some(found))
}

/// Opens a directory by a path that the controller named.
pub fn named_directory(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .map_err(|errno| Failure::system("cannot open the directory", path_bytes(path), errno))
}

/// The bytes of a path, as errors carry them.
pub fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Reads without touching the access time where that is allowed (owner or privileged).
fn quietly(parent: BorrowedFd<'_>, name: &CStr, extra: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | extra;
    match openat(parent.as_fd(), name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(parent, name, flags, Mode::empty()),
        other => other,
    }
}
