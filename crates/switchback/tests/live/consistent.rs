//! What has to hold once everything was brought to an end: of what serves, of its data, of what is
//! left over, and of what was written down about it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    compared::{differences, specification},
    rule::{Left, Must},
    scenario::Scenario,
    told,
};
use crate::common::{Output, World, names::unique, store::Line, target::Recorded};

/// Far longer than a service needs to come up, also where a machine has too much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands with the target.
pub(super) struct Standing {
    service: Value,
    images: BTreeSet<String>,
    snapshots: BTreeSet<String>,
    volumes: BTreeSet<String>,
    /// How many operations the history has.
    pub(super) operations: usize,
}

impl Standing {
    #[track_caller]
    pub(super) fn of(world: &World) -> Self {
        let name = |it: &String| match serde_json::from_str::<Value>(it).expect("a line of JSON")["name"]
        {
            Value::String(ref name) => name.clone(),
            ref other => panic!("a snapshot has the name {other}"),
        };
        Self {
            service: world.service(),
            images: world.kept_images().into_iter().collect(),
            snapshots: world.kept_snapshots().iter().map(name).collect(),
            volumes: volumes(world),
            operations: world.history().len(),
        }
    }

    /// The container that serves.
    pub(super) fn id(&self) -> &str {
        self.service["Id"].as_str().expect("an inspect has an id")
    }

    /// What has to be the same whichever version serves afterwards, and is not: the configuration of what
    /// serves, and the volumes.
    fn changed(&self, service: &Value, volumes: &BTreeSet<String>) -> Vec<String> {
        let mut broken = Vec::new();
        differences("", &specification(&self.service), &specification(service), &mut broken);
        if *volumes != self.volumes {
            broken.push(format!("volumes are {volumes:?}, not {:?}", self.volumes));
        }
        broken
    }

    /// The same of what stands there now.
    #[track_caller]
    pub(super) fn assert_the_same_around(&self, world: &World, transcript: &str) {
        let changed = self.changed(&world.service(), &volumes(world));
        assert!(changed.is_empty(), "{}\n{transcript}", changed.join("\n"));
    }
}

/// Judges what became of one command, from what it has left on.
pub(super) struct Judge<'a> {
    pub(super) world: &'a World,
    pub(super) scenario: Scenario,
    pub(super) before: &'a Standing,
    /// The exit code of the command; none if it was killed.
    pub(super) code: Option<i32>,
    pub(super) left: Left,
    /// What was said by those who took it up, with their stores.
    pub(super) recoveries: Vec<(&'static str, Value)>,
    /// Whether somebody has taken what did not run.
    pub(super) was_pruned: bool,
    /// Whether the engine stood in the way of a first recovery, which says so in its own line.
    pub(super) was_in_the_way: bool,
    /// How many rows were written since, to whoever serves.
    pub(super) more_rows: usize,
    /// How long somebody may take to answer.
    pub(super) patience: Duration,
}

impl<'a> Judge<'a> {
    /// Looks at what a command has left that began where `before` was seen.
    pub(super) fn called(
        world: &'a World,
        scenario: Scenario,
        before: &'a Standing,
        code: Option<i32>,
    ) -> Result<Self, String> {
        let left = Left::of(world, scenario, before)?;
        Ok(Self {
            world,
            scenario,
            before,
            code,
            left,
            recoveries: Vec::new(),
            was_pruned: false,
            was_in_the_way: false,
            more_rows: 0,
            patience: PATIENCE,
        })
    }

    /// Hears what somebody says who has taken it up with a store.
    pub(super) fn hears(&mut self, store: &'static str, recovery: &Output) {
        let document = serde_json::from_str(&recovery.stdout).unwrap_or_default();
        self.recoveries.push((store, document));
    }

    /// Has it recovered, by another store first or at once by the one whose process was killed, which
    /// learns how it ended.
    #[track_caller]
    pub(super) fn has_it_recovered(&mut self, by_another: bool, said: &mut String) {
        let stores: &[_] = if by_another { &["other", "state"] } else { &["state"] };
        for store in stores {
            let recovered = self.world.run_by(store, &["recover", "web", "-y", "-o", "json"]);
            writeln!(said, "{recovered}").ok();
            assert_eq!(recovered.code, Some(0), "the store {store} recovers it: {recovered}");
            self.hears(store, &recovered);
        }
    }

    /// Everything that is not as it should be. Whether the command has been committed, if nothing is.
    pub(super) fn judges(&self) -> Result<bool, String> {
        let world = self.world;
        let mut lines = world.history_of("state")[self.before.operations..].to_vec();
        let was_stuck =
            |it: &Line| (it.action.as_str(), it.outcome.as_deref()) == ("recover", Some("stuck"));
        lines.retain(|it| !(self.was_in_the_way && was_stuck(it)));
        let is_it = |it: &Line| it.outcome.as_deref() == Some("committed");
        let committed = lines.last().is_some_and(is_it);
        if !self.until_it_answers() {
            let all = world.docker(&["ps", "--all", "--format", "{{.Names}} {{.Status}}"]);
            return Err(format!("nobody answers; there are:\n{all}\n{lines:?}"));
        }
        let after = Standing::of(world);
        let mut broken = Vec::new();
        broken.extend(self.ruled(committed));
        broken.extend(told::in_history(&lines, committed));
        broken.extend(told::in_history(&world.history_of("other"), committed));
        broken.extend(told::by_exit_code(self.code, committed));
        broken.extend(told::by_its_line(self.code, lines.first()));
        for (store, document) in &self.recoveries {
            let left = &self.left;
            let is_open = if *store == "state" { left.is_open_here } else { left.is_open_there };
            broken.extend(told::by_recovery(document, left, is_open, committed));
        }
        broken.extend(self.served(committed, &after));
        broken.extend(self.before.changed(&after.service, &after.volumes));
        broken.extend(self.kept(committed, &after));
        // What a prune took and was made again on a way back is not the container of the record.
        let same_id = after.service["Id"] == self.before.service["Id"];
        let may_drift = self.was_pruned && !committed && !same_id;
        broken.extend(shown(world, self.scenario, committed, may_drift));
        if broken.is_empty() {
            return Ok(committed);
        }
        let left = world.temporary_containers();
        Err(format!("not so:\n{}\nleft: {left:?}, history: {lines:?}", broken.join("\n")))
    }

    /// Whether it ended as it had to.
    fn ruled(&self, committed: bool) -> Option<String> {
        let is_right = match self.left.must {
            Must::Commit => committed,
            Must::GoBack => !committed,
            Must::Either => true,
        };
        let possible = !committed || self.scenario.code == 0;
        (!(is_right && possible)).then(|| {
            format!("what was written asked for {:?}, committed: {committed}", self.left.must)
        })
    }

    fn until_it_answers(&self) -> bool {
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            if self.world.status("/health") == 200 {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// One version serves, the right one, with all its data.
    fn served(&self, committed: bool, after: &Standing) -> Vec<String> {
        let (world, was_pruned) = (self.world, self.was_pruned);
        let expected = self.scenario.serves(committed);
        let rows = self.scenario.rows(committed) + self.more_rows;
        let left = world.temporary_containers();
        let parked = usize::from(committed || self.scenario.is_rollback());
        let same_id = after.service["Id"] == self.before.service["Id"];
        let latest = ["image", "inspect", "--format", "{{.Id}}", &world.image("latest")];
        let tag = world.docker_output(&latest);
        let is_alone = left.len() == parked || was_pruned && left.len() < parked;
        let is_kept = same_id != committed || was_pruned && !committed;
        // A prune takes the name of what stands still just then; whoever pulls gets it back.
        let is_named = tag.as_ref().is_ok_and(|it| after.service["Image"] == *it);
        [
            ("the version of the history serves", world.serving() == expected),
            ("every row of its time is there, and no other", world.rows() == rows as u64),
            ("the table is that of its version", world.has_table_of(expected)),
            ("only a predecessor is parked", is_alone),
            ("one container runs", running(world) == [world.name.clone()]),
            ("what serves is the original or the new one", is_kept),
            ("the local tag names what runs", is_named || was_pruned && tag.is_err()),
        ]
        .into_iter()
        .filter(|(_, holds)| !holds)
        .map(|(what, _)| what.to_owned())
        .collect()
    }

    /// Images and snapshots that are kept without need, or missing.
    fn kept(&self, committed: bool, after: &Standing) -> Vec<String> {
        let before = self.before;
        let recorded = self.world.recorded();
        let mut wrong = Vec::new();
        let mut same = |what: &str, is: &BTreeSet<String>, right: &BTreeSet<String>| {
            if is != right {
                wrong.push(format!("{what} are {is:?}, not {right:?}"));
            }
        };
        // A prune takes image names, and what is made again may be kept under another.
        if !self.was_pruned {
            let named = names(&recorded, |it| &it["keep"]);
            same("image names", &after.images, if committed { &named } else { &before.images });
        }
        // Snapshots lie where no prune comes. Both versions, and the data as the first left it.
        let named = names(&recorded, |it| &it["release"]["snapshot"]["operation"]);
        let aside = self.set_aside(committed);
        let new: BTreeSet<_> = after.snapshots.difference(&before.snapshots).cloned().collect();
        let is_lost = named.difference(&after.snapshots).next().is_some();
        let is_surplus = new.iter().any(|it| !named.contains(it) && !aside.contains(it));
        if is_lost || is_surplus {
            let found = &after.snapshots;
            wrong.push(format!("snapshots are {found:?}: named {named:?}, set aside {aside:?}"));
        }
        if !committed && !before.snapshots.is_subset(&after.snapshots) {
            let found = &after.snapshots;
            wrong.push(format!("snapshots {:?} -> {found:?}", before.snapshots));
        }
        wrong
    }

    /// The snapshots that may be there although no release names them: what this very operation has
    /// copied, which a way back keeps for a person until `gc`.
    fn set_aside(&self, committed: bool) -> BTreeSet<String> {
        let Some(operation) = self.left.operation.as_ref() else { return BTreeSet::new() };
        let records = self.world.journal(operation);
        let plan = records.first().map(|it| it["plan"].clone()).unwrap_or_default();
        let by_another = self.recoveries.iter().any(|(store, _)| *store == "other");
        let started = |change: &str| {
            let steps = plan["apply"].as_array().into_iter().flatten();
            // Another store takes every step of the part under way as possibly begun.
            let is_it = |it: &&Value| by_another || it["change"]["change"] == change;
            let ids: Vec<_> = steps.filter(is_it).map(|it| &it["id"]).collect();
            let has_begun =
                |it: &Value| it["record"] == "step_started" && ids.contains(&&it["step"]);
            records.iter().any(has_begun)
        };
        let copies = [
            ("take_snapshot", operation.clone(), !committed),
            ("restore_data", format!("{operation}-before"), true),
            // What a way back has found where it put the data of before.
            ("restore_data", format!("{operation}-before-again"), !committed),
            ("hand_over_data", format!("{operation}-failed"), !committed),
        ];
        let made = copies.into_iter().filter(|(change, _, may)| *may && started(change));
        made.map(|(_, name, _)| name).collect()
    }
}

/// The volumes with names of this world.
fn volumes(world: &World) -> BTreeSet<String> {
    let ours = format!("name={}", world.name);
    let volumes = world.docker(&["volume", "ls", "--quiet", "--filter", &ours]);
    volumes.lines().map(str::to_owned).collect()
}

/// What the kept releases name.
fn names(recorded: &Recorded, of: impl Fn(&Value) -> &Value) -> BTreeSet<String> {
    recorded.releases().filter_map(|it| of(it).as_str().map(str::to_owned)).collect()
}

/// The containers that run of this world; there may never be two.
pub(super) fn running(world: &World) -> Vec<String> {
    let names = world.docker(&["ps", "--format", "{{.Names}}"]);
    let mark = format!("{}.switchback-", world.name);
    let is_ours = |it: &&str| *it == world.name || it.starts_with(&mark);
    names.lines().filter(is_ours).map(str::to_owned).collect()
}

/// What somebody is told about it who has only what lies with the target.
fn shown(world: &World, scenario: Scenario, committed: bool, may_drift: bool) -> Vec<String> {
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
