//! What the file system knows about one entry, read by one `statx` (Linux 4.11 and newer).

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, StatxAttributes, StatxFlags, Timespec, Timestamps, statx};
use rustix::io::Errno;

/// The block of `st_blocks`, in bytes, on every Linux file system.
const BLOCK_BYTES: u64 = 512;

/// The facts about one entry that a copy keeps or decides by.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// File, directory, symbolic link, and so on.
    pub kind: FileType,
    /// Permission bits, with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner.
    pub user: u32,
    /// Group.
    pub group: u32,
    /// Apparent size in bytes.
    pub size_bytes: u64,
    /// What it takes on the disk, in bytes.
    pub allocated_bytes: u64,
    /// How many names the inode has.
    pub links: u32,
    /// File system and inode: what two names of one file have in common.
    pub identity: Identity,
    /// Major and minor number of a device node.
    pub device: (u32, u32),
    /// Last access and last modification.
    pub times: Timestamps,
    /// Something is mounted here (known from Linux 5.8 on).
    pub is_mount: bool,
}

/// What tells one inode from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Major and minor number of the file system.
    pub file_system: (u32, u32),
    /// Number of the inode.
    pub inode: u64,
}

impl Metadata {
    /// Looks at `name` in `directory`, itself and not what it points to.
    pub fn of(directory: BorrowedFd<'_>, name: &CStr) -> Result<Self, Errno> {
        Self::read(directory, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The same, where absence is an answer.
    pub fn find(directory: BorrowedFd<'_>, name: &CStr) -> Result<Option<Self>, Errno> {
        match Self::of(directory, name) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Looks at what is already open.
    pub fn of_open(file: BorrowedFd<'_>) -> Result<Self, Errno> {
        Self::read(file, c"", AtFlags::EMPTY_PATH)
    }

    fn read(directory: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> Result<Self, Errno> {
        let found = statx(directory, name, flags, StatxFlags::BASIC_STATS)?;
        let time = |time: rustix::fs::StatxTimestamp| Timespec {
            tv_sec: time.tv_sec,
            tv_nsec: time.tv_nsec.into(),
        };
        Ok(Self {
            kind: FileType::from_raw_mode(found.stx_mode.into()),
            mode: u32::from(found.stx_mode) & 0o7777,
            user: found.stx_uid,
            group: found.stx_gid,
            size_bytes: found.stx_size,
            allocated_bytes: found.stx_blocks.saturating_mul(BLOCK_BYTES),
            links: found.stx_nlink,
            identity: Identity {
                file_system: (found.stx_dev_major, found.stx_dev_minor),
                inode: found.stx_ino,
            },
            device: (found.stx_rdev_major, found.stx_rdev_minor),
            times: Timestamps {
                last_access: time(found.stx_atime),
                last_modification: time(found.stx_mtime),
            },
            is_mount: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        })
    }

    /// A directory.
    pub fn is_directory(&self) -> bool {
        self.kind == FileType::Directory
    }

    /// A regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    /// Fewer blocks than bytes: there are holes, or the file system compresses.
    pub fn is_sparse(&self) -> bool {
        self.allocated_bytes < self.size_bytes
    }

    /// Whether another file system begins here, seen from a directory of `above`.
    /// Only directories are compared by device: overlay file systems give their files others.
    pub fn leaves(&self, above: &Identity) -> bool {
        self.is_mount || (self.is_directory() && self.identity.file_system != above.file_system)
    }
}
