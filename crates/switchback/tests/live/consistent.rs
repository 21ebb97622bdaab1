//! What has to hold once everything was brought to an end: of what serves, of its data, of what is
//! left over, and of what was written down about it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    compared::{differences, specification},
    scenario::{ROWS, Scenario},
};
use crate::common::{World, names::unique, store::Line};

/// Far longer than a service needs to come up, also where a machine has too much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands with the target.
pub(super) struct Standing {
    service: Value,
    images: Vec<String>,
    snapshots: Vec<String>,
    /// How many operations the history has.
    operations: usize,
}

impl Standing {
    #[track_caller]
    pub(super) fn of(world: &World) -> Self {
        Self {
            service: world.service(),
            images: world.kept_images(),
            snapshots: world.kept_snapshots(),
            operations: world.history().len(),
        }
    }
}

/// Everything that is not as it should be after a command that began where `before` was seen.
/// Whether the command has been committed, if nothing is.
pub(super) fn consistent(
    world: &World,
    scenario: Scenario,
    before: &Standing,
    was_pruned: bool,
) -> Result<bool, String> {
    let lines = world.history_of("state")[before.operations..].to_vec();
    let is_it = |it: &Line| it.outcome.as_deref() == Some("committed");
    let committed = lines.last().is_some_and(is_it);
    let expected = if committed { scenario.to } else { scenario.from() };
    let answers = until(|| world.status("/health") == 200);
    if !answers {
        let all = world.docker(&["ps", "--all", "--format", "{{.Names}} {{.Status}}"]);
        return Err(format!("nobody answers; there are:\n{all}\n{lines:?}"));
    }
    let after = Standing::of(world);
    let left = world.temporary_containers();
    let parked = usize::from(committed || scenario.is_rollback());
    let same_id = after.service["Id"] == before.service["Id"];
    let latest = ["image", "inspect", "--format", "{{.Id}}", &world.image("latest")];
    let tag = world.docker_output(&latest);
    let mut broken = vec![];
    let mut hold = |what: &str, holds: bool| {
        if !holds {
            broken.push(what.to_owned());
        }
    };
    hold("the version of the history serves", world.serving() == expected);
    hold("every row is there", world.rows() == ROWS as u64);
    hold("only a predecessor is parked", left.len() == parked || was_pruned && left.len() < parked);
    hold("one container runs", running(world) == [world.name.clone()]);
    hold(
        "what serves is the original or the new one",
        same_id != committed || was_pruned && !committed,
    );
    // A prune takes the name of what stands still just then; whoever pulls gets it back.
    let is_named = tag.as_ref().is_ok_and(|it| after.service["Image"] == *it);
    hold("the local tag names what runs", is_named || was_pruned && tag.is_err());
    broken.extend(told(&lines));
    let mut differ = Vec::new();
    differences("", &specification(&before.service), &specification(&after.service), &mut differ);
    broken.extend(differ);
    if !was_pruned {
        broken.extend(kept(committed, before, &after));
    }
    // What a prune took and was made again on a way back is not the container of the record.
    let may_drift = was_pruned && !committed && !same_id;
    broken.extend(recorded(world, scenario, committed, may_drift));
    if broken.is_empty() {
        return Ok(committed);
    }
    Err(format!("not so:\n{}\nleft: {left:?}, history: {lines:?}", broken.join("\n")))
}

fn until(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// The containers that run of this world; there may never be two.
pub(super) fn running(world: &World) -> Vec<String> {
    let names = world.docker(&["ps", "--format", "{{.Names}}"]);
    let mark = format!("{}.switchback-", world.name);
    let is_ours = |it: &&str| *it == world.name || it.starts_with(&mark);
    names.lines().filter(is_ours).map(str::to_owned).collect()
}

/// Lines of the history that are open, or whose exit code says something else than the outcome.
fn told(lines: &[Line]) -> Vec<String> {
    let agrees = |it: &&Line| match (it.action.as_str(), it.outcome.as_deref(), it.exit_code) {
        (_, None, _) => false,
        ("recover", Some(_), Some(0)) => true,
        (_, Some("committed"), Some(0)) => true,
        (_, Some("interrupted"), Some(130)) => true,
        (_, Some("rolled_back"), Some(4)) => true,
        (_, Some("failed"), Some(1 | 3)) => true,
        _ => false,
    };
    let wrong = lines.iter().filter(|it| !agrees(it));
    wrong.map(|it| format!("the history has {:?}", it.text())).collect()
}

/// Images and snapshots that are kept without need, or missing.
fn kept(committed: bool, before: &Standing, after: &Standing) -> Vec<String> {
    let mut wrong = Vec::new();
    let (images, snapshots) = (&after.images, &after.snapshots);
    if committed {
        // Both versions, and the data as the first left it.
        if images.len() != 2 || snapshots.is_empty() {
            wrong.push(format!("kept are {images:?} and {snapshots:?}"));
        }
    } else if *images != before.images {
        wrong.push(format!("images {:?} -> {images:?}", before.images));
    }
    wrong
}

/// What somebody is told about it who has only what lies with the target.
fn recorded(world: &World, scenario: Scenario, committed: bool, may_drift: bool) -> Vec<String> {
    let shown = world.run_by(&unique("onlooker"), &["show", "web", "-o", "json"]);
    if shown.code != Some(0) {
        return vec![shown.to_string()];
    }
    let row = shown.json();
    let (serves, release) = match (committed, scenario.is_rollback()) {
        // Nothing was recorded before its first update was committed.
        (false, false) => ("1.0.0", Value::Null),
        (true, false) | (false, true) => ("2.0.0", json!("r2")),
        (true, true) => ("1.0.0", json!("r1")),
    };
    let expected = json!({
        "drift": false, "healthy": true, "phase": "idle", "container_state": "running",
        "release": release, "current_label": serves, "reported_version": serves,
        "container": world.name,
    });
    let told = |(key, value): (&String, &Value)| {
        (row[key] != *value && !(may_drift && key == "drift"))
            .then(|| format!("told is {key} = {}, not {value}", row[key]))
    };
    expected.as_object().into_iter().flatten().filter_map(told).collect()
}
