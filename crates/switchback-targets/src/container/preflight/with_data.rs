//! Whether the data of a release can be put back: its snapshot is there, and is of the same mounts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Check;
use crate::{
    container::{
        document::KeptRelease,
        goal::{Desired, Goal},
        members::{Member, data_of},
        observe::Observed,
    },
    keeper::programs::covered_mounts,
};

/// The check of `rollback --with-data`; none where something else is wanted.
pub(super) fn check(at: &Observed, to: &Desired) -> Option<Check> {
    let Goal::Rollback { number, with_data } = &to.goal else { return None };
    let release = at.state.as_ref()?.release(*number)?;
    if !with_data {
        return Some(Check::passed("with_data", "data stays as it is"));
    }
    let without =
        || format!("switchback rollback {}   # without --with-data", to.settings.deployment);
    let failed = |message: String| {
        Check::failed("with_data", "no_previous_release", message).hint(without())
    };
    let Some(snapshot) = &release.release.snapshot else {
        return Some(failed(format!("there is no snapshot of the data as r{number} left it")));
    };
    let Some(found) = at.found.snapshots.iter().find(|it| it.operation == snapshot.operation)
    else {
        return Some(failed(format!("the snapshot of r{number} is gone")));
    };
    if let Some(difference) = other_mounts(at, to, &found.mounts) {
        return Some(failed(format!("the snapshot of r{number} {difference}")));
    }
    if let Some((target, then, now)) = other_source(at, release) {
        return Some(failed(format!(
            "r{number} has {then} at {target}, but {now} is there now: its data cannot be put in place"
        )));
    }
    let minutes = to.now.saturating_sub(snapshot.at) / 60_000;
    Some(Check::warned(
        "with_data",
        format!("data goes back by {minutes} min, to when r{number} was left"),
    ))
}

/// Half a restore would join new data with old, so the mounts have to be the same ones.
fn other_mounts(at: &Observed, to: &Desired, saved: &[String]) -> Option<String> {
    let now = data_of(&at.members);
    let now: BTreeSet<&str> = covered_mounts(&now, &to.settings.data.exclude).collect();
    let saved: BTreeSet<&str> = saved.iter().map(String::as_str).collect();
    let listed = |names: &BTreeSet<&str>| match names.len() {
        0 => "no data".to_owned(),
        _ => names.iter().copied().collect::<Vec<_>>().join(", "),
    };
    (now != saved).then(|| {
        format!(
            "holds {}, but the service has {} now: they have to be the same mounts",
            listed(&saved),
            listed(&now)
        )
    })
}

/// A mount of a release that comes from elsewhere now: where, from what then, and from what now.
fn other_source(at: &Observed, release: &KeptRelease) -> Option<(String, String, String)> {
    let inspect = release.inspect.clone();
    let then = Member { inspect, image: Value::Null, written: Vec::new(), files: Vec::new() };
    let now = at.target()?;
    then.data().find_map(|(then, target, _)| {
        let (now, ..) = now.data().find(|it| it.1 == target)?;
        (then != now).then(|| (target.to_owned(), then.to_owned(), now.to_owned()))
    })
}
