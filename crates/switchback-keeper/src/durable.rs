//! Files and directories that are there, whole, after a power cut.

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, IFlags, Mode, OFlags, fsync, ioctl_getflags, ioctl_setflags, mkdirat, openat,
    renameat, unlinkat,
};
use rustix::io::Errno;

use crate::failure::{Failure, Meaning};
use crate::open::{self, path_bytes};

/// How the files begin that are not yet what they will be; a listing passes them by.
pub const UNFINISHED_PREFIX: &str = ".unfinished-";

/// Opens the directory `path`, with every part that is missing made 0700 and made durable.
pub fn make_directories(path: &Path) -> Result<OwnedFd, Failure> {
    let failed = |errno| Failure::system("cannot make the directory", path_bytes(path), errno);
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(Failure::new(
            Meaning::Usage,
            "the path must be absolute, without ..",
            path_bytes(path),
        ));
    }
    let mut directory = open::named_directory(Path::new("/"))?;
    for part in path.components() {
        let Component::Normal(part) = part else { continue };
        let name = CString::new(part.as_bytes()).map_err(|_| failed(Errno::INVAL))?;
        directory = match open_followed(&directory, &name) {
            Err(Errno::NOENT) => {
                mkdirat(&directory, &name, Mode::RWXU).map_err(failed)?;
                fsync(&directory).map_err(failed)?;
                open::directory(directory.as_fd(), &name).map_err(failed)?
            }
            other => other.map_err(failed)?,
        };
    }
    Ok(directory)
}

/// Tells a file system that the folders in `directory` have nothing to do with each other, so that
/// it puts each somewhere else (`chattr +T`).
///
/// ext4 looks for a free inode beside the folder's own, and passes those by that were freed in the
/// last minutes one after the other, for each file anew: 20,000 files took 5.3 s beside a snapshot
/// that had just been removed, and 1.5 s elsewhere. A file system without such a flag does without.
pub fn spread(directory: &OwnedFd) {
    let known = ioctl_getflags(directory);
    if let Ok(flags) = known
        && !flags.contains(IFlags::TOPDIR)
    {
        ioctl_setflags(directory, flags | IFlags::TOPDIR).ok();
    }
}

fn open_followed(parent: &OwnedFd, name: &CString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// How many bytes a content must and may have.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// With fewer it was broken off.
    pub at_least: u64,
    /// With more it is too large.
    pub at_most: u64,
}

/// Replaces `path` by what `content` gives: written beside it, synced, renamed over it, and the
/// directory synced. With another length than asked for, what is there stays.
pub fn write_file(path: &Path, content: &mut dyn Read, length: Length) -> Result<(), Failure> {
    let failed = |errno| Failure::system("cannot write", path_bytes(path), errno);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Failure::new(Meaning::Usage, "this names no file", path_bytes(path)));
    };
    let directory = make_directories(parent)?;
    // A killed predecessor may have had our number: what it left is not finished and not wanted.
    let unfinished = format!("{UNFINISHED_PREFIX}{}", std::process::id());
    unlink_if_there(&directory, &unfinished).map_err(failed)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file =
        openat(&directory, unfinished.as_str(), flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    let written = fill(file, content, length, path).and_then(|()| {
        renameat(&directory, unfinished.as_str(), &directory, name).map_err(failed)?;
        fsync(&directory).map_err(failed)
    });
    if written.is_err() {
        unlink_if_there(&directory, &unfinished).map_err(failed)?;
    }
    written
}

fn fill(file: OwnedFd, content: &mut dyn Read, length: Length, path: &Path) -> Result<(), Failure> {
    let mut file = std::fs::File::from(file);
    let failed = |error: std::io::Error| Failure::io("cannot write", path_bytes(path), &error);
    let Length { at_least, at_most } = length;
    let bytes = std::io::copy(&mut content.take(at_most + 1), &mut file).map_err(failed)?;
    if bytes > at_most {
        let what = format!("the input is larger than {at_most} bytes");
        return Err(Failure::new(Meaning::Refused, what, path_bytes(path)));
    }
    if bytes < at_least {
        let what = format!("the input ended after {bytes} of {at_least} bytes");
        return Err(Failure::new(Meaning::Refused, what, path_bytes(path)));
    }
    file.flush().and_then(|()| file.sync_all()).map_err(failed)
}

fn unlink_if_there(directory: &OwnedFd, name: &str) -> Result<(), Errno> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Opens an existing file or directory of ours by its path.
pub fn open_existing(path: &Path, extra: OFlags) -> Result<OwnedFd, Failure> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | extra, Mode::empty())
        .map_err(|errno| Failure::system("cannot open", path_bytes(path), errno))
}
