//! The small verbs: put, get, list and remove what the controller keeps with the target.

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use serde_json::{Value, json};

use crate::durable::{self, UNFINISHED_PREFIX};
use crate::failure::{Failure, Meaning};
use crate::manifest::RawPath;
use crate::metadata::Metadata;
use crate::open::{self, path_bytes};
use crate::removal::discard;
use crate::walk::{Next, Place, Visitor, walk};

/// The largest record that is taken: far above any inspect, far below any memory.
pub const PUT_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// Replaces the file `path` durably by the `bytes` bytes that `input` gives. If whoever writes them
/// dies half-way, the input ends as if it were complete, and the file stays as it is.
pub fn put(path: &Path, bytes: u64, input: &mut dyn Read) -> Result<(), Failure> {
    let length = durable::Length { at_least: bytes, at_most: PUT_LIMIT_BYTES };
    durable::write_file(path, input, length)
}

/// Writes the file `path` to `output`.
pub fn get(path: &Path, output: &mut dyn Write) -> Result<(), Failure> {
    let file = durable::open_existing(path, OFlags::NONBLOCK)?;
    let mut file = std::fs::File::from(file);
    std::io::copy(&mut file, output)
        .and_then(|_| output.flush())
        .map_err(|error| Failure::io("cannot read", path_bytes(path), &error))
}

/// One line for each entry of the directory `path`: name, kind, bytes, and seconds since 1970 of
/// the last modification. Unfinished files are passed by.
pub fn list(path: &Path, output: &mut dyn Write) -> Result<(), Failure> {
    let directory = durable::open_existing(path, OFlags::DIRECTORY)?;
    walk(directory, None, &mut Lister { output }).map_err(|failure| failure.below(path))
}

struct Lister<'a> {
    output: &'a mut dyn Write,
}

impl Visitor for Lister<'_> {
    fn entry(
        &mut self,
        at: &Place<'_>,
        name: &std::ffi::CStr,
        found: &Metadata,
    ) -> Result<Next, Failure> {
        if name.to_bytes().starts_with(UNFINISHED_PREFIX.as_bytes()) {
            return Ok(Next::Pass);
        }
        let line = describe(name.to_bytes(), found);
        writeln!(self.output, "{line}")
            .map_err(|error| Failure::io("cannot write the list", at.path_of(name), &error))?;
        Ok(Next::Pass)
    }
}

fn describe(name: &[u8], found: &Metadata) -> Value {
    let kind = match found.kind {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        _ => "other",
    };
    json!({
        "name": RawPath::from(name.to_vec()),
        "kind": kind,
        "bytes": found.size_bytes,
        "modified": found.times.last_modification.tv_sec,
    })
}

/// Removes `path` with everything below it, durably. It must lie below `root`, reached without
/// any symbolic link; what is not there counts as removed. A snapshot ceases to exist at once.
pub fn remove(root: &Path, path: &Path) -> Result<(), Failure> {
    let names = names_below(root, path).ok_or_else(|| {
        let what = format!("only what lies below {} may be removed", root.display());
        Failure::new(Meaning::Refused, what, path_bytes(path))
    })?;
    let Some((last, above)) = names.split_last() else { return Ok(()) };
    let mut parent: OwnedFd = open::named_directory(root)?;
    for name in above {
        parent = match open::directory(parent.as_fd(), name) {
            Ok(next) => next,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => {
                return Err(Failure::system("cannot open the directory", path_bytes(path), errno));
            }
        };
    }
    discard(parent.as_fd(), last, path_bytes(path))
}

/// The parts of `path` below `root`; `None` where it is the root, elsewhere, or winds about.
fn names_below(root: &Path, path: &Path) -> Option<Vec<CString>> {
    let below = path.strip_prefix(root).ok()?;
    let names = below
        .components()
        .map(|part| match part {
            Component::Normal(name) => CString::new(name.as_bytes()).ok(),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?;
    if names.is_empty() { None } else { Some(names) }
}
