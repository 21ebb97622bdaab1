//! Restores a snapshot: sets aside what stands there, then makes each mount equal to what was
//! saved. Killed at any point and run again, it comes to the same end.

use std::path::{Path, PathBuf};

use rustix::fs::syncfs;

use crate::copy::{Beside, Destination, copy_tree};
use crate::failure::{Failure, Meaning};
use crate::lock::Lock;
use crate::manifest::{Manifest, SavedMount};
use crate::open::{self, path_bytes};
use crate::progress::Progress;
use crate::prune::prune;
use crate::siblings::Siblings;
use crate::snapshot::{Mount, Request, take, tree_of};

/// What to restore, and where to keep what it replaces.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// The snapshot.
    pub from: PathBuf,
    /// Where what stands in the mounts now is kept, itself a snapshot.
    pub aside: PathBuf,
    /// The mounts, by the names that they have in the snapshot.
    pub mounts: Vec<Mount>,
    /// The controller's time, RFC 3339.
    pub at: String,
}

/// What a restore has done.
#[derive(Debug)]
pub struct Restored {
    /// What was restored.
    pub mounts: Vec<SavedMount>,
    /// The manifest of what was set aside.
    pub aside: Manifest,
}

/// Restores. Nothing is changed before the data that stands there is durably set aside.
pub fn restore(request: &RestoreRequest, progress: &mut Progress) -> Result<Restored, Failure> {
    let _lock = Lock::of_snapshot(&request.from)?;
    let Some(manifest) = Manifest::read(&request.from)? else {
        let what = "there is no manifest, so there is no snapshot to restore";
        return Err(Failure::new(Meaning::Refused, what, path_bytes(&request.from)));
    };
    let pairs = pair(&manifest, &request.mounts)
        .map_err(|what| Failure::new(Meaning::Refused, what, path_bytes(&request.from)))?;
    let total_bytes = Some(manifest.mounts.iter().map(|mount| mount.bytes).sum());
    let aside = Request {
        to: request.aside.clone(),
        mounts: pairs
            .iter()
            .map(|(mount, saved)| Mount { exclusions: saved.exclusions(), ..(*mount).clone() })
            .collect(),
        at: request.at.clone(),
        total_bytes,
    };
    let aside = take(&aside, Some(&request.from), progress)?;
    progress.begin("restore", total_bytes);
    let mounts = pairs
        .iter()
        .map(|(mount, saved)| restore_mount(mount, saved, &request.from, progress))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Restored { mounts, aside })
}

/// Pairs the mounts with those of the snapshot; both must be the same set, because half a restore
/// would join new data with old.
fn pair<'a>(
    manifest: &'a Manifest,
    mounts: &'a [Mount],
) -> Result<Vec<(&'a Mount, &'a SavedMount)>, String> {
    if let Some(saved) =
        manifest.mounts.iter().find(|saved| !mounts.iter().any(|mount| mount.name == saved.name))
    {
        return Err(format!("the snapshot holds the mount {}, which was not named", saved.name));
    }
    mounts
        .iter()
        .map(|mount| {
            let saved = manifest.mounts.iter().find(|saved| saved.name == mount.name);
            saved
                .map(|saved| (mount, saved))
                .ok_or_else(|| format!("the snapshot does not hold the mount {}", mount.name))
        })
        .collect()
}

fn restore_mount(
    mount: &Mount,
    saved: &SavedMount,
    snapshot: &Path,
    progress: &mut Progress,
) -> Result<SavedMount, Failure> {
    let tree = tree_of(snapshot, &saved.name);
    let open_live = || open::named_directory(&mount.path);
    let open_tree = || open::named_directory(&tree);
    let exclusions = saved.exclusions();
    let below = |failure: Failure| failure.below(&mount.path);
    let siblings = || Siblings::of(snapshot, &saved.name);
    prune(open_live()?, open_tree()?, &exclusions, siblings()?).map_err(below)?;
    let beside = Beside { siblings: siblings()?, base: None };
    let (from, to) = (open_tree()?, open_live()?);
    let copied =
        copy_tree(from, to, Destination::Pruned, &exclusions, beside, progress).map_err(below)?;
    syncfs(open_live()?).map_err(|errno| {
        Failure::system("cannot make the restore durable", path_bytes(&mount.path), errno)
    })?;
    Ok(SavedMount::new(&saved.name, copied, &exclusions))
}
