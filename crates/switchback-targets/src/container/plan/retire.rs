//! What no kept release needs goes, after the commit, and only what we made.

use crate::container::{
    change::{Change, CommitDraft, Subject},
    goal::Desired,
    observe::Observed,
};

/// The steps after the commit.
pub(super) fn steps(at: &Observed, commit: &CommitDraft) -> Vec<Change> {
    let mut steps = containers(at, commit);
    steps.extend(tags(at, commit));
    let dropped = commit.dropped_snapshots.iter().cloned();
    steps.extend(dropped.map(|operation| Change::RemoveSnapshot { operation }));
    steps
}

/// Only the predecessor of what runs is kept as a container, with what went along with it. Those go
/// before the container that they share something of.
fn containers(at: &Observed, commit: &CommitDraft) -> Vec<Change> {
    let incoming = match &commit.incoming {
        Subject::Existing(id) => Some(id.as_str()),
        Subject::Created(_) => None,
    };
    let previous = commit.previous.as_ref().map(|it| it.container.as_str());
    let mut steps = Vec::new();
    let mut remove = |id: &str, name: &str| {
        if at.found.containers.iter().any(|it| it["Id"] == id) {
            steps.push(Change::RemoveContainer { id: id.to_owned(), name: name.to_owned() });
        }
    };
    for release in at.state.iter().flat_map(|it| &it.releases) {
        let id = release.container.as_str();
        // What went along with the previous version when it was left the time before is older than
        // what goes along with it now.
        if incoming != Some(id) {
            release.dependents.iter().for_each(|it| remove(&it.container, &it.name));
            if previous != Some(id) {
                remove(id, &release.name);
            }
        }
    }
    steps
}

/// Names of ours on images of releases that are dropped, unless a kept release has the same.
fn tags(at: &Observed, commit: &CommitDraft) -> Vec<Change> {
    let releases = || at.state.iter().flat_map(|it| &it.releases);
    let is_dropped = |number: u32| commit.dropped.contains(&number);
    let kept = |reference: &str| {
        let by_release = releases().filter(|it| !is_dropped(it.release.number));
        by_release.filter_map(|it| it.keep.as_deref()).any(|it| it == reference)
            || commit.keep.as_deref() == Some(reference)
            || commit.previous.as_ref().and_then(|it| it.keep.as_deref()) == Some(reference)
    };
    releases()
        .filter(|it| is_dropped(it.release.number))
        .filter_map(|it| it.keep.clone())
        .filter(|it| !kept(it))
        .map(|reference| Change::RemoveTag { reference })
        .collect()
}

/// Snapshots of dropped releases, and the oldest beyond the number that is kept.
pub(super) fn surplus_snapshots(at: &Observed, to: &Desired, commit: &CommitDraft) -> Vec<String> {
    let mut all: Vec<(u64, String, bool)> = Vec::new();
    let mut add = |release: &switchback_core::release::Release| {
        if let Some(snapshot) = &release.snapshot {
            let is_dropped = commit.dropped.contains(&release.number);
            if all.iter().all(|it| it.1 != snapshot.operation) {
                all.push((snapshot.at, snapshot.operation.clone(), is_dropped));
            }
        }
    };
    commit.previous.iter().for_each(|it| add(&it.release));
    at.state.iter().flat_map(|it| &it.releases).for_each(|it| add(&it.release));
    all.sort_by_key(|it| std::cmp::Reverse(it.0));
    let keep = usize::try_from(to.settings.retain.snapshots).unwrap_or(usize::MAX);
    let mut kept = 0;
    let mut surplus = Vec::new();
    for (_, operation, is_dropped) in all {
        if is_dropped || kept >= keep {
            surplus.push(operation);
        } else {
            kept += 1;
        }
    }
    surplus
}
