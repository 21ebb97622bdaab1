//! Gives a copy its owner, mode, extended attributes (access control lists are some) and times.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{
    AtFlags, Gid, Mode, Uid, XattrFlags, chmodat, chownat, fchmod, fchown, fgetxattr, flistxattr,
    fremovexattr, fsetxattr, futimens, lgetxattr, llistxattr, lremovexattr, lsetxattr, utimensat,
};
use rustix::io::Errno;

use crate::metadata::Metadata;

/// Attributes that a file system or a security module makes by itself: where they cannot be
/// given, the copy is whole without them and says so. They are never taken away.
const MADE_BY_THE_SYSTEM: [&[u8]; 5] = [
    b"security.selinux",
    b"security.ima",
    b"security.evm",
    b"system.nfs4_acl",
    b"btrfs.compression",
];

/// The kernel's own limit for one value and for one list of names.
const XATTR_BYTES: usize = 64 * 1024;

/// An entry by the means that its kind allows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'a> {
    /// A file or a directory, opened.
    Open(BorrowedFd<'a>),
    /// A link, a fifo or a device node, which cannot or must not be opened.
    Named(BorrowedFd<'a>, &'a CStr),
}

/// Buffers for names and values.
#[derive(Debug)]
pub(super) struct Attributes {
    names: Vec<u8>,
    present: Vec<u8>,
    value: Vec<u8>,
    old_value: Vec<u8>,
}

impl Attributes {
    pub(super) fn new() -> Self {
        let buffer = || vec![0; XATTR_BYTES];
        Self { names: buffer(), present: buffer(), value: buffer(), old_value: buffer() }
    }

    /// Makes `to` look like `from`, which was `found`. The order matters: a change of owner drops
    /// capabilities and set-user-id, the list sharpens the mode, and all of it moves the times.
    /// The answer names the attributes that the destination does not take.
    pub(super) fn give(
        &mut self,
        from: Entry<'_>,
        to: Entry<'_>,
        found: &Metadata,
        before: Option<&Metadata>,
    ) -> Result<Vec<String>, Errno> {
        if before.is_none_or(|old| (old.user, old.group) != (found.user, found.group)) {
            to.give_owner(found)?;
        }
        to.give_mode(found)?;
        let refused = self.give_extended(from, to)?;
        to.give_times(found)?;
        Ok(refused)
    }

    /// Whether two files have the same extended attributes.
    pub(super) fn same(
        &mut self,
        one: BorrowedFd<'_>,
        other: BorrowedFd<'_>,
    ) -> Result<bool, Errno> {
        let (one, other) = (Entry::Open(one), Entry::Open(other));
        let Self { names, present, value, old_value } = self;
        let names = one.names(names)?;
        let present = other.names(present)?;
        if split(names).count() != split(present).count() {
            return Ok(false);
        }
        for name in split(names) {
            if one.value(name, value)? != other.value(name, old_value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn give_extended(&mut self, from: Entry<'_>, to: Entry<'_>) -> Result<Vec<String>, Errno> {
        let Self { names, present, value, old_value } = self;
        let names = from.names(names)?;
        let present = to.names(present)?;
        for name in split(present).filter(|name| !split(names).any(|wanted| wanted == *name)) {
            if !is_made_by_the_system(name) {
                to.remove(name)?;
            }
        }
        let mut refused = Vec::new();
        for name in split(names) {
            let Some(value) = from.value(name, value)? else { continue };
            if split(present).any(|old| old == name) && to.value(name, old_value)? == Some(value) {
                continue;
            }
            match to.set(name, value) {
                Err(_) if is_made_by_the_system(name) => {
                    refused.push(String::from_utf8_lossy(name.to_bytes()).into_owned());
                }
                other => other?,
            }
        }
        Ok(refused)
    }
}

impl Entry<'_> {
    fn give_owner(self, found: &Metadata) -> Result<(), Errno> {
        let (user, group) = (Some(Uid::from_raw(found.user)), Some(Gid::from_raw(found.group)));
        match self {
            Self::Open(file) => fchown(file, user, group),
            Self::Named(at, name) => chownat(at, name, user, group, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    fn give_mode(self, found: &Metadata) -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(found.mode);
        match self {
            Self::Open(file) => fchmod(file, mode),
            // A symbolic link has no mode of its own.
            Self::Named(_, _) if found.kind.is_symlink() => Ok(()),
            Self::Named(at, name) => chmodat(at, name, mode, AtFlags::empty()),
        }
    }

    fn give_times(self, found: &Metadata) -> Result<(), Errno> {
        match self {
            Self::Open(file) => futimens(file, &found.times),
            Self::Named(at, name) => utimensat(at, name, &found.times, AtFlags::SYMLINK_NOFOLLOW),
        }
    }

    fn names(self, buffer: &mut [u8]) -> Result<&[u8], Errno> {
        let length = match self {
            Self::Open(file) => flistxattr(file, &mut *buffer),
            Self::Named(at, name) => llistxattr(path(at, name)?, &mut *buffer),
        };
        match length {
            Ok(length) => Ok(&buffer[..length]),
            Err(Errno::OPNOTSUPP) => Ok(&[]),
            Err(errno) => Err(errno),
        }
    }

    fn value<'b>(self, of: &CStr, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, Errno> {
        let length = match self {
            Self::Open(file) => fgetxattr(file, of, &mut *buffer),
            Self::Named(at, name) => lgetxattr(path(at, name)?, of, &mut *buffer),
        };
        match length {
            Ok(length) => Ok(Some(&buffer[..length])),
            Err(Errno::NODATA) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn set(self, of: &CStr, value: &[u8]) -> Result<(), Errno> {
        match self {
            Self::Open(file) => fsetxattr(file, of, value, XattrFlags::empty()),
            Self::Named(at, name) => lsetxattr(path(at, name)?, of, value, XattrFlags::empty()),
        }
    }

    fn remove(self, of: &CStr) -> Result<(), Errno> {
        match self {
            Self::Open(file) => fremovexattr(file, of),
            Self::Named(at, name) => lremovexattr(path(at, name)?, of),
        }
    }
}

/// The calls for links take no directory, so the name is reached through `/proc`.
fn path(at: BorrowedFd<'_>, name: &CStr) -> Result<CString, Errno> {
    let mut path = String::new();
    write!(path, "/proc/self/fd/{}/", at.as_raw_fd()).map_err(|_| Errno::INVAL)?;
    let mut path = path.into_bytes();
    path.extend_from_slice(name.to_bytes());
    CString::new(path).map_err(|_| Errno::INVAL)
}

fn split(names: &[u8]) -> impl Iterator<Item = &CStr> {
    names.split_inclusive(|byte| *byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok())
}

fn is_made_by_the_system(name: &CStr) -> bool {
    MADE_BY_THE_SYSTEM.contains(&name.to_bytes())
}
