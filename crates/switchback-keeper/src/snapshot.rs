//! Takes a snapshot: the mounts of a service, copied whole, made durable, and only then declared.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::syncfs;

use crate::copy::{Beside, Destination, copy_tree};
use crate::durable;
use crate::exclusions::Exclusions;
use crate::failure::{Failure, Meaning};
use crate::lock::Lock;
use crate::manifest::{FORMAT, Manifest, SavedMount};
use crate::open::{self, path_bytes};
use crate::progress::Progress;
use crate::removal::discard;
use crate::siblings::Base;

/// One mount of the service, as the keeper sees it.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Name in the snapshot: one part of a path.
    pub name: String,
    /// Where it is mounted here.
    pub path: PathBuf,
    /// Subtrees that stay out.
    pub exclusions: Exclusions,
}

/// What to save, and where.
#[derive(Debug, Clone)]
pub struct Request {
    /// Directory of the snapshot; it may not exist yet.
    pub to: PathBuf,
    /// What to copy.
    pub mounts: Vec<Mount>,
    /// The controller's time, RFC 3339.
    pub at: String,
    /// Bytes that an earlier look has estimated, for the progress.
    pub total_bytes: Option<u64>,
}

/// Takes the snapshot, or finds that it has been taken.
pub fn snapshot(request: &Request, progress: &mut Progress) -> Result<Manifest, Failure> {
    let _lock = Lock::of_snapshot(&request.to)?;
    take(request, None, progress)
}

/// The same for who holds the lock; files that the snapshot `base` beside it also has are shared
/// with it. Whatever fails leaves nothing behind; whatever was left
/// without a manifest by a killed predecessor goes first.
pub(crate) fn take(
    request: &Request,
    base: Option<&Path>,
    progress: &mut Progress,
) -> Result<Manifest, Failure> {
    if let Some(manifest) = Manifest::read(&request.to)? {
        return Ok(manifest);
    }
    remove_snapshot(&request.to)?;
    let taken = copy_mounts(request, base, progress);
    if taken.is_err() {
        // The first error is the one to report; a rest that stays has no manifest and goes with
        // the next attempt.
        remove_snapshot(&request.to).ok();
    }
    taken
}

/// Where the tree of a mount lies in a snapshot.
pub(crate) fn tree_of(snapshot: &Path, name: &str) -> PathBuf {
    snapshot.join("tree").join(name)
}

fn copy_mounts(
    request: &Request,
    base: Option<&Path>,
    progress: &mut Progress,
) -> Result<Manifest, Failure> {
    let started = Instant::now();
    if let Some(all) = request.to.parent() {
        durable::spread(&durable::make_directories(all)?);
    }
    let directory = durable::make_directories(&request.to)?;
    let mut mounts = Vec::with_capacity(request.mounts.len());
    progress.begin(if base.is_some() { "aside" } else { "snapshot" }, request.total_bytes);
    for mount in &request.mounts {
        let from = open::named_directory(&mount.path)?;
        let to = durable::make_directories(&tree_of(&request.to, &mount.name))?;
        let base = base.map(|base| Base::of(base, &mount.name)).transpose()?;
        let beside = Beside { base, ..Beside::default() };
        let copied = copy_tree(from, to, Destination::Empty, &mount.exclusions, beside, progress)
            .map_err(|failure| failure.below(&mount.path))?;
        mounts.push(SavedMount::new(&mount.name, copied, &mount.exclusions));
    }
    let failed =
        |errno| Failure::system("cannot make the snapshot durable", path_bytes(&request.to), errno);
    syncfs(&directory).map_err(failed)?;
    let duration_seconds = started.elapsed().as_secs_f64();
    let manifest = Manifest { format: FORMAT, at: request.at.clone(), duration_seconds, mounts };
    manifest.write(&request.to)?;
    Ok(manifest)
}

fn remove_snapshot(path: &Path) -> Result<(), Failure> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Failure::new(Meaning::Usage, "this names no snapshot", path_bytes(path)));
    };
    let failed = |errno| Failure::system("cannot remove", path_bytes(path), errno);
    let parent = durable::make_directories(parent)?;
    let name = CString::new(name.as_bytes()).map_err(|_| failed(rustix::io::Errno::INVAL))?;
    discard(parent.as_fd(), &name, path_bytes(path))
}
