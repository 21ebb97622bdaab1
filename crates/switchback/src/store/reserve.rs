//! Space that is set aside while there is some, so that a full disk cannot stop a way back.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;

use super::Store;
use super::error::StoreError;
use super::explain::explain_io;
use super::files::create_private;
use super::files::sync_parent;
use super::files::with_suffix;
use super::random::random_bytes;
use super::random::random_hex;

const RESERVE_FILE: &str = "reserve";

/// A journal of a large update is some tens of records of a few KiB; each costs the log some pages
/// of 4 KiB. 1 MiB is several times that and nothing on any disk.
const RESERVE_BYTES: usize = 1024 * 1024;

/// How much is written at once where the file system cannot allocate without writing.
const CHUNK_BYTES: usize = 16 * 1024;

impl Store {
    /// Sets 1 MiB aside beside the database; what is already there is kept. For the start of an
    /// operation: an error means that the disk is too full to begin.
    pub fn reserve(&self) -> Result<(), StoreError> {
        let path = self.dir.join(RESERVE_FILE);
        if std::fs::metadata(&path).is_ok_and(|found| found.len() == RESERVE_BYTES as u64) {
            return Ok(());
        }
        set_aside(&path).map_err(|error| explain_io(&path, "reserve space in", error))
    }

    /// Gives the space back. True if there was any.
    pub fn free_reserve(&self) -> Result<bool, StoreError> {
        free_reserve_in(&self.dir)
    }
}

/// Under another name first: a reserve under its name is whole.
fn set_aside(path: &Path) -> io::Result<()> {
    let unfinished = with_suffix(path, &format!(".{}", random_hex()?));
    let made = create_private(&unfinished)
        .and_then(|mut file| {
            allocate(&mut file)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&unfinished, path))
        .and_then(|()| sync_parent(path));
    if made.is_err() {
        // The first error is the one that matters; without this the disk would stay full.
        drop(std::fs::remove_file(&unfinished));
    }
    made
}

fn allocate(file: &mut File) -> io::Result<()> {
    let mode = rustix::fs::FallocateFlags::empty();
    match rustix::fs::fallocate(&*file, mode, 0, RESERVE_BYTES as u64) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::INVAL) => write_noise(file),
        Err(error) => Err(error.into()),
    }
}

/// Random bytes, because a file system that compresses would store zeros in nothing.
fn write_noise(file: &mut File) -> io::Result<()> {
    for _ in 0..RESERVE_BYTES / CHUNK_BYTES {
        file.write_all(&random_bytes::<CHUNK_BYTES>()?)?;
    }
    Ok(())
}

/// Empties the file before it is removed: some file systems need space to remove a name.
pub(super) fn free_reserve_in(dir: &Path) -> Result<bool, StoreError> {
    let path = dir.join(RESERVE_FILE);
    let freed = File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(0))
        .and_then(|()| std::fs::remove_file(&path));
    match freed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(explain_io(&path, "free", error)),
    }
}
