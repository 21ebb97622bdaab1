//! A file system of the kernel (ext4) on a disk that forgets: with every call that a program can make.
//!
//! It lies in one file of the disk, through a loop device. So what is cut is what the kernel writes,
//! in the order and with the barriers that it chooses, and what is found is what its journal mends.

use std::{fs::File, io, path::Path, process::Command, time::Duration};

use super::{Contents, Disk, Fate, lock, mount};

/// The file that it lies in.
const IMAGE: &str = "image";

/// Room for a small tree twice, beside the smallest journal (1 MiB).
const SIZE: &str = "6M";

/// What arrives whole or not at all, in bytes. It is the size of ext4's superblock, which has a checksum
/// and is read before the journal: ext4 takes it that a disk never writes one half of it.
const SECTOR: usize = 1024;

/// Blocks of 1 KiB, so that a small tree has many; all of it is written when it is made, not later.
const MADE: [&str; 13] = [
    "-q",
    "-F",
    "-t",
    "ext4",
    "-b",
    "1024",
    "-J",
    "size=1",
    "-m",
    "0",
    "-E",
    "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
    "-O^resize_inode",
];

/// Two seconds, a thousand times what a fork takes.
const UMOUNT_TRIES: u32 = 100;
const UMOUNT_PAUSE: Duration = Duration::from_millis(20);

/// A mounted file system; dropped, it is gone with all that was on it.
#[derive(Debug)]
pub struct FileSystem {
    // In this order they are taken down.
    mounted: LoopMount,
    disk: Disk,
}

impl FileSystem {
    /// Makes and mounts an empty one.
    pub fn mount() -> io::Result<Self> {
        let disk = Disk::mount()?;
        lock(&disk.shared).contents.sector = Some(SECTOR);
        let image = disk.path().join(IMAGE);
        mount(Command::new("mke2fs").args(MADE).arg(&image).arg(SIZE))?;
        File::open(&image)?.sync_all()?;
        File::open(disk.path())?.sync_all()?;
        Ok(Self { mounted: LoopMount::new(&image)?, disk })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.mounted.folder.path()
    }

    /// The disk below it.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
}

/// What a machine finds that starts again after a power cut; dropped, it is gone.
#[derive(Debug)]
pub struct Found {
    mounted: LoopMount,
    _image: tempfile::TempDir,
}

impl Found {
    /// Mounts what a cut at this moment leaves of a [`FileSystem`].
    pub fn mount(contents: &Contents, fate: Fate) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        contents.after_a_power_cut(fate, folder.path())?;
        Ok(Self { mounted: LoopMount::new(&folder.path().join(IMAGE))?, _image: folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.mounted.folder.path()
    }
}

/// A file mounted as a file system.
#[derive(Debug)]
struct LoopMount {
    folder: tempfile::TempDir,
}

impl LoopMount {
    fn new(image: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        // Only what a program asks for is written before ten minutes have passed: otherwise a slow
        // machine would see a file arrive that nobody has synced.
        let options = ["-t", "ext4", "-o", "loop,noatime,commit=600"];
        mount(Command::new("mount").args(options).arg(image).arg(folder.path()))?;
        Ok(Self { folder })
    }
}

impl Drop for LoopMount {
    fn drop(&mut self) {
        // Between its fork and its exec a child of another thread holds what we had open.
        for _ in 0..UMOUNT_TRIES {
            if mount(Command::new("umount").arg(self.folder.path())).is_ok() {
                return;
            }
            std::thread::sleep(UMOUNT_PAUSE);
        }
        drop(mount(Command::new("umount").arg("--lazy").arg(self.folder.path())));
    }
}
