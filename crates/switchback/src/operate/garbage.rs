//! What was made for a target and is needed no more. Deciding only: it looks at values.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use switchback_core::release::{Release, way_back};
use switchback_targets::container::{
    document::{KeptRelease, TargetState},
    members::listed_name,
    plan::keep_repository,
};

/// Something that we made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub(crate) enum Thing {
    /// A container that is stopped.
    Container {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// A name of ours on an image.
    Tag {
        /// `switchback-keep/…`
        name: String,
    },
    /// A folder of data in our volume.
    Snapshot {
        /// The operation that made it, perhaps with what is set aside beside it.
        name: String,
    },
}

impl Thing {
    /// In the words of a person.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Container { name, .. } => format!("container {name}"),
            Self::Tag { name } => format!("image name {name}"),
            Self::Snapshot { name } => format!("snapshot {name}"),
        }
    }
}

/// What is there around a target.
#[derive(Debug)]
pub(crate) struct Around {
    /// All containers, as the engine lists them.
    pub(crate) containers: Vec<Value>,
    /// All names of images.
    pub(crate) image_names: Vec<String>,
    /// The folders in the target's folder of snapshots.
    pub(crate) folders: Vec<String>,
}

/// What no kept release needs. `is_over` says of an operation that it was on this target and is at its
/// end, by our own history or by the target's record; of others nothing is known, and what is theirs
/// stays. Where nothing was ever committed there is no record: what operations have left is garbage.
pub(crate) fn unneeded(
    target: &str,
    state: Option<&TargetState>,
    around: &Around,
    is_over: &dyn Fn(&str) -> bool,
) -> Vec<Thing> {
    let Some(state) = state else { return left_over(target, around, is_over) };
    let mut all = containers(state, around, is_over);
    let needed: BTreeSet<&str> =
        state.releases.iter().filter_map(|it| it.keep.as_deref()).collect();
    all.extend(tags(target, around, is_over, |name| !needed.contains(name)));
    let needed: BTreeSet<&str> = snapshots(state).collect();
    let surplus = around.folders.iter().filter(|it| !needed.contains(it.as_str()));
    all.extend(surplus.map(|name| Thing::Snapshot { name: name.clone() }));
    all
}

/// What operations have left at a target that has no record.
fn left_over(target: &str, around: &Around, is_over: &dyn Fn(&str) -> bool) -> Vec<Thing> {
    let mut all = stopped(around, &|_, name| operation_in(name).is_some_and(is_over));
    all.extend(tags(target, around, is_over, |_| true));
    // `OPERATION`, and what is set aside beside it: an id has no hyphen.
    let operation = |folder: &str| folder.split('-').next().unwrap_or_default().to_owned();
    let folders = around.folders.iter().filter(|it| is_over(&operation(it)));
    all.extend(folders.map(|name| Thing::Snapshot { name: name.clone() }));
    all
}

/// All that is kept of a target, by what its record says, and what operations have left. What runs is
/// not in it.
pub(crate) fn everything(
    target: &str,
    state: &TargetState,
    around: &Around,
    is_over: &dyn Fn(&str) -> bool,
) -> Vec<Thing> {
    let recorded = |id: &str| state.releases.iter().any(|it| has(it, id));
    let running = state.running().map(|it| it.container.as_str());
    let is_ours = |id: &str, name: &str| recorded(id) || operation_in(name).is_some_and(is_over);
    let mut all = stopped(around, &|id, name| is_ours(id, name) && Some(id) != running);
    let kept: BTreeSet<&str> = state.releases.iter().filter_map(|it| it.keep.as_deref()).collect();
    let there = around.image_names.iter().filter(|it| kept.contains(it.as_str()));
    all.extend(there.map(|name| Thing::Tag { name: name.clone() }));
    all.extend(tags(target, around, is_over, |name| !kept.contains(name)));
    all.extend(around.folders.iter().map(|name| Thing::Snapshot { name: name.clone() }));
    all
}

/// Names of ours on images, given by operations that are over.
fn tags(
    target: &str,
    around: &Around,
    is_over: &dyn Fn(&str) -> bool,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<Thing> {
    let ours = format!("{}:", keep_repository(target));
    let is_left = |name: &&String| {
        let operation = name.strip_prefix(&ours).and_then(|it| it.split_once('-'));
        is_wanted(name) && operation.is_some_and(|it| is_over(it.0))
    };
    let found = around.image_names.iter().filter(is_left);
    found.map(|name| Thing::Tag { name: name.clone() }).collect()
}

fn snapshots(state: &TargetState) -> impl Iterator<Item = &str> {
    state
        .releases
        .iter()
        .filter_map(|it| it.release.snapshot.as_ref())
        .map(|it| it.operation.as_str())
}

fn containers(state: &TargetState, around: &Around, is_over: &dyn Fn(&str) -> bool) -> Vec<Thing> {
    let releases: Vec<Release> = state.releases.iter().map(|it| it.release.clone()).collect();
    // The way back, and what was left last: after a rollback these are two.
    let back = way_back(&releases, state.current, None, |_| false).ok().map(|it| it.number);
    let last = releases.iter().map(|it| it.number).filter(|it| *it != state.current).max();
    let is_kept =
        |number: u32| number == state.current || Some(number) == back || Some(number) == last;
    let record = |id: &str| state.releases.iter().find(|it| has(it, id));
    stopped(around, &|id, name| match record(id) {
        Some(release) => !is_kept(release.release.number),
        None => operation_in(name).is_some_and(is_over),
    })
}

/// Whether a container is a release's own, or is parked with it.
fn has(release: &KeptRelease, id: &str) -> bool {
    release.container == id || release.dependents.iter().any(|it| it.container == id)
}

/// Containers that do not run and that `is_wanted` takes, by id and name.
fn stopped(around: &Around, is_wanted: &dyn Fn(&str, &str) -> bool) -> Vec<Thing> {
    let found = around.containers.iter().filter_map(|it| {
        let id = it["Id"].as_str()?;
        let name = listed_name(it);
        let is_still = matches!(it["State"].as_str(), Some("created" | "exited" | "dead"));
        (is_still && is_wanted(id, name))
            .then(|| Thing::Container { id: id.to_owned(), name: name.to_owned() })
    });
    found.collect()
}

/// The operation in a name that only we give: `web.switchback-OPERATION-old`.
fn operation_in(name: &str) -> Option<&str> {
    let (_, rest) = name.rsplit_once(".switchback-")?;
    let (operation, which) = rest.split_once('-')?;
    matches!(which, "old" | "new").then_some(operation)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use switchback_core::release::{Evidence, Snapshot};
    use switchback_targets::container::{
        document::{KeptDependent, Owner},
        specification::Specification,
    };

    use super::*;

    fn release(number: u32, keep: Option<&str>, snapshot: Option<&str>) -> KeptRelease {
        let snapshot = snapshot.map(|it| Snapshot { operation: it.to_owned(), at: 1 });
        KeptRelease {
            release: Release {
                number,
                version: format!("sha256:{number}"),
                label: None,
                specification: String::new(),
                at: u64::from(number),
                evidence: Evidence::Verified,
                operation: None,
                snapshot,
                irreversible: false,
            },
            container: format!("id{number}"),
            name: "web".to_owned(),
            image: String::new(),
            reference: String::new(),
            digest: None,
            keep: keep.map(str::to_owned),
            specification: Specification { body: Value::Null, joins: vec![], ambiguous: vec![] },
            inspect: Value::Null,
            dependents: Vec::new(),
        }
    }

    /// r3 runs; r2 is parked as the way back; r1's container was left over.
    fn state() -> TargetState {
        let owner = Owner { store: "s".into(), user: "u".into(), host: "h".into(), since: 1 };
        let releases = vec![
            release(1, Some("switchback-keep/web:op1-old"), None),
            KeptRelease {
                dependents: vec![KeptDependent { container: "d2".into(), name: String::new() }],
                ..release(2, Some("switchback-keep/web:op2-new"), Some("op3"))
            },
            release(3, None, None),
        ];
        TargetState { releases, current: 3, highest: 3, ..TargetState::new("web", owner, "op3") }
    }

    fn container(id: &str, name: &str, state: &str) -> Value {
        json!({ "Id": id, "Names": [format!("/{name}")], "State": state })
    }

    fn around() -> Around {
        Around {
            containers: vec![
                container("id3", "web", "running"),
                container("id2", "web.switchback-op3-old", "exited"),
                container("d2", "side.switchback-op3-old", "exited"),
                container("id1", "web.switchback-op2-old", "exited"),
                container("x1", "web.switchback-op4-new", "created"),
                container("x2", "web.switchback-theirs-new", "created"),
                container("x3", "web.switchback-op4-old", "running"),
                container("x4", "mine", "exited"),
            ],
            image_names: [
                "switchback-keep/web:op1-old",
                "switchback-keep/web:op4-new",
                "switchback-keep/web:theirs-new",
                "switchback-keep/web2:op4-new",
                "web:latest",
            ]
            .map(str::to_owned)
            .to_vec(),
            folders: ["op3", "op3-failed", "op4"].map(str::to_owned).to_vec(),
        }
    }

    fn titles(things: &[Thing]) -> Vec<String> {
        things.iter().map(Thing::title).collect()
    }

    #[test]
    fn what_a_kept_release_needs_stays_and_so_does_what_is_not_ours() {
        let is_over = |operation: &str| operation.starts_with("op");
        assert_eq!(
            titles(&unneeded("web", Some(&state()), &around(), &is_over)),
            [
                "container web.switchback-op2-old",
                "container web.switchback-op4-new",
                "image name switchback-keep/web:op4-new",
                "snapshot op3-failed",
                "snapshot op4",
            ]
        );
    }

    #[test]
    fn without_a_record_only_what_known_operations_have_left_goes() {
        let is_over = |operation: &str| operation == "op4";
        let mut around = around();
        around.folders.push("theirs".to_owned());
        assert_eq!(
            titles(&unneeded("web", None, &around, &is_over)),
            [
                "container web.switchback-op4-new",
                "image name switchback-keep/web:op4-new",
                "snapshot op4",
            ]
        );
    }

    #[test]
    fn a_purge_goes_by_the_record_and_leaves_what_runs() {
        let is_over = |operation: &str| operation.starts_with("op");
        assert_eq!(
            titles(&everything("web", &state(), &around(), &is_over)),
            [
                "container web.switchback-op3-old",
                "container side.switchback-op3-old",
                "container web.switchback-op2-old",
                "container web.switchback-op4-new",
                "image name switchback-keep/web:op1-old",
                "image name switchback-keep/web:op4-new",
                "snapshot op3",
                "snapshot op3-failed",
                "snapshot op4",
            ]
        );
    }
}
