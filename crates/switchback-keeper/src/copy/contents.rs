//! Moves the bytes of one file, keeps its holes, and compares two files byte by byte.

use std::os::fd::BorrowedFd;

use rustix::fs::{SeekFrom, copy_file_range, ftruncate, ioctl_ficlone, seek};
use rustix::io::{Errno, pread, pwrite};

use crate::metadata::Metadata;
use crate::progress::Progress;

/// One read. Larger ones were not faster; the kernel reads ahead by itself.
const BUFFER_BYTES: usize = 256 * 1024;
/// Files up to this size are read and written: one call each beats asking the kernel to splice.
const SMALL_BYTES: u64 = BUFFER_BYTES as u64;
/// One `copy_file_range`, so that progress is seen and a signal is taken within a moment.
const RANGE_BYTES: u64 = 16 * 1024 * 1024;

/// Buffers and what has been learnt about the two file systems.
#[derive(Debug)]
pub(super) struct Contents {
    buffer: Vec<u8>,
    other: Vec<u8>,
    can_clone: bool,
    can_copy_range: bool,
}

impl Contents {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES],
            other: Vec::new(),
            can_clone: true,
            can_copy_range: true,
        }
    }

    /// Fills the empty file `to`; the answer is how many bytes that are no hole were copied.
    pub(super) fn copy(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        found: &Metadata,
        progress: &mut Progress,
    ) -> Result<u64, Errno> {
        if found.size_bytes == 0 {
            return Ok(0);
        }
        if self.clone(from, to) {
            progress.advance(found.size_bytes);
            return Ok(found.size_bytes);
        }
        if found.is_sparse() {
            return self.copy_sparse(from, to, found.size_bytes, progress);
        }
        self.copy_range(from, to, 0, found.size_bytes, progress)?;
        Ok(found.size_bytes)
    }

    /// Shares the blocks where the file system can (btrfs, xfs); asked in vain once, never again.
    fn clone(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
        self.can_clone = self.can_clone && ioctl_ficlone(to, from).is_ok();
        self.can_clone
    }

    fn copy_sparse(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        size: u64,
        progress: &mut Progress,
    ) -> Result<u64, Errno> {
        let (mut position, mut copied) = (0, 0);
        while position < size {
            let start = match seek(from, SeekFrom::Data(position)) {
                Ok(start) => start,
                Err(Errno::NXIO) => break,
                Err(errno) => return Err(errno),
            };
            let end = seek(from, SeekFrom::Hole(start))?.min(size);
            if start < end {
                self.copy_range(from, to, start, end, progress)?;
                copied += end - start;
            }
            position = end.max(start + 1);
        }
        ftruncate(to, size)?;
        Ok(copied)
    }

    /// Copies from `start` to `end`; a file that is shorter by now is an error (`EIO`).
    fn copy_range(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        mut start: u64,
        end: u64,
        progress: &mut Progress,
    ) -> Result<(), Errno> {
        while start < end {
            let copied = self.copy_some(from, to, start, end - start)?;
            if copied == 0 {
                return Err(Errno::IO);
            }
            start += copied;
            progress.advance(copied);
        }
        Ok(())
    }

    fn copy_some(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        start: u64,
        length: u64,
    ) -> Result<u64, Errno> {
        if self.can_copy_range && length > SMALL_BYTES {
            let (mut read_at, mut write_at) = (start, start);
            let length = usize::try_from(length.min(RANGE_BYTES)).unwrap_or(BUFFER_BYTES);
            match copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), length) {
                Ok(copied) if copied > 0 => return Ok(copied as u64),
                Err(Errno::NOSPC) => return Err(Errno::NOSPC),
                Err(Errno::DQUOT) => return Err(Errno::DQUOT),
                // Other file systems, old kernels and filters answer in many ways; the plain way
                // meets every real error again.
                _ => self.can_copy_range = false,
            }
        }
        let wanted = usize::try_from(length).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        let read = retry(|| pread(from, &mut self.buffer[..wanted], start))?;
        write_full(to, &self.buffer[..read], start)?;
        Ok(read as u64)
    }

    /// Makes `to`, of equal size, hold the bytes of `from`. Times prove nothing: the version that
    /// is being taken back can have written a file and set its time again. So all is compared,
    /// and only what differs is written.
    pub(super) fn correct(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        progress: &mut Progress,
    ) -> Result<(), Errno> {
        self.other.resize(BUFFER_BYTES, 0);
        let mut position = 0;
        loop {
            let wanted = read_full(from, &mut self.buffer, position)?;
            let present = read_full(to, &mut self.other, position)?;
            let wanted = &self.buffer[..wanted];
            if wanted != &self.other[..present] {
                write_full(to, wanted, position)?;
            }
            position += wanted.len() as u64;
            progress.advance(wanted.len() as u64);
            if wanted.len() < BUFFER_BYTES {
                return Ok(());
            }
        }
    }

    /// Whether two files of equal size hold the same bytes.
    pub(super) fn same(
        &mut self,
        one: BorrowedFd<'_>,
        other: BorrowedFd<'_>,
    ) -> Result<bool, Errno> {
        self.other.resize(BUFFER_BYTES, 0);
        let mut position = 0;
        loop {
            let left = read_full(one, &mut self.buffer, position)?;
            let right = read_full(other, &mut self.other, position)?;
            if left != right || self.buffer[..left] != self.other[..right] {
                return Ok(false);
            }
            if left < BUFFER_BYTES {
                return Ok(true);
            }
            position += left as u64;
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: BorrowedFd<'_>, buffer: &mut [u8], position: u64) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = retry(|| pread(file, &mut buffer[filled..], position + filled as u64))?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    Ok(filled)
}

fn write_full(file: BorrowedFd<'_>, bytes: &[u8], position: u64) -> Result<(), Errno> {
    let mut written = 0;
    while written < bytes.len() {
        written += retry(|| pwrite(file, &bytes[written..], position + written as u64))?;
    }
    Ok(())
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    rustix::io::retry_on_intr(&mut call)
}
