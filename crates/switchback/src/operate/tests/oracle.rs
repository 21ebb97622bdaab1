//! The sentence that holds whatever happened: an update proves itself or never happened.
//!
//! Judged from outside: what serves, what its data is, what is left over, and what was said of it.
//! Nothing here asks the code that is tested.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_testkit::{
    World,
    engine::{Container, RestartPolicy, Status},
};

use super::{
    act::Act,
    operator::End,
    run::{Log, Running},
    scene::{REFERENCE, VOLUME},
    schedule::{Scenario, Schedule, Who},
};
use crate::store::{Mode, Operation, Store};

const TARGET: &str = "/switchback/targets/web";
const SNAPSHOTS: &str = "/switchback/snapshots/web/";

/// What was there before.
#[derive(Debug)]
pub(super) struct Before {
    from: String,
    to: String,
    data: Vec<String>,
    /// Images by their digests.
    digests: Vec<String>,
    /// The operation that the record with the target is of.
    recorded: Option<String>,
}

impl Before {
    pub(super) fn seen(world: &World, from: String, to: String) -> Self {
        let digests = digests(world);
        Self { from, to, data: world.data(VOLUME), digests, recorded: recorded(&state(world)) }
    }
}

fn digests(world: &World) -> Vec<String> {
    world.images().into_iter().flat_map(|it| it.digests).collect()
}

/// The record with the target.
fn state(world: &World) -> Value {
    let bytes = world.files().remove(&format!("{TARGET}/state.json")).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn recorded(state: &Value) -> Option<String> {
    state["operation"].as_str().map(str::to_owned)
}

/// What is found afterwards.
struct Found<'a> {
    world: &'a World,
    before: &'a Before,
    state: Value,
    /// The target's own word: the new release is recorded there.
    committed: bool,
    /// Somebody else has done something to what is ours.
    strangers: bool,
    /// Another store took it over, and did the same anew.
    taken_over: bool,
    /// Whether what is stuck with the right version serving may be left to a person.
    may_stick: bool,
    /// The store of whoever began is lost, and nobody else may have heard of it.
    is_lost: bool,
    /// The changes that were left as they are, each as a journal that can be read names it.
    abandoned: Vec<String>,
    wrong: Vec<String>,
}

/// What is wrong; empty if nothing is.
pub(super) fn judged(
    running: &Running,
    before: &Before,
    schedule: &Schedule,
    ends: &[End],
    log: &Log,
) -> Vec<String> {
    let state = state(&running.world);
    let committed = recorded(&state) != before.recorded && is_current(&state, &before.to);
    let strangers = schedule.has_strangers();
    let taken_over = schedule.has(&Act::TakenOver);
    let is_lost = schedule.is_lost;
    let readable: &[Who] = if is_lost { &[Who::Other] } else { &[Who::Same, Who::Other] };
    let abandoned = readable.iter().flat_map(|it| abandoned(running, *it)).collect();
    let (world, wrong) = (&*running.world, Vec::new());
    let may_stick = schedule.may_stick();
    let mut found = Found {
        world,
        before,
        state,
        committed,
        strangers,
        taken_over,
        may_stick,
        is_lost,
        abandoned,
        wrong,
    };
    let history = history(running, if schedule.is_lost { Who::Other } else { Who::Same });
    if strangers {
        // Whoever starts, stops or removes it by hand has his way, and only he knows what is right. But
        // nobody may claim more than is so.
        found.says(ends, &history);
        found.neighbour();
        return found.wrong;
    }
    found.serves();
    found.data();
    found.leftovers();
    found.neighbour();
    // A prune takes the names of what does not run. One that we gave afterwards may be the last that its
    // image has, and no engine takes that away while a container has the image.
    if !schedule.has(&Act::Prune) {
        found.tag();
        found.images();
    }
    found.says(ends, &history);
    if committed && schedule.scenario == Scenario::IllUpdate {
        found.wrong.push("a version was committed that is never ready".to_owned());
    }
    if !running.world.is_quiet() {
        found.wrong.push("an effect is still to come a day later".to_owned());
    }
    found.wrong.extend(running.world.damage().into_iter().map(|it| it.1));
    let twice = running.world.overlaps().into_iter().map(|it| format!("two write to {}", it.1));
    found.wrong.extend(twice);
    if log.text().is_empty() {
        found.wrong.push("nothing was seen at all".to_owned());
    }
    if log.text().contains("  waits for ever") {
        found.wrong.push("a process waits for ever".to_owned());
    }
    found.wrong
}

fn is_current(state: &Value, image: &str) -> bool {
    let releases = state["releases"].as_array().into_iter().flatten();
    let mut current = releases.filter(|it| it["release"]["number"] == state["current"]);
    current.next().is_some_and(|it| it["image"] == image)
}

fn history(running: &Running, who: Who) -> Vec<Operation> {
    let folder = running.scene.store(who.store());
    let store = Store::open(&folder, Mode::CreateParents).expect("the store can be opened");
    let mut all = store.history(None, 20, None).expect("the history can be read");
    // A recovery has a line of its own; what counts is what became of the operation.
    all.retain(|it| it.begun.action != "recover");
    all
}

/// Each change that a store's journals say was left as it is.
fn abandoned(running: &Running, who: Who) -> Vec<String> {
    let folder = running.scene.store(who.store());
    let store = Store::open(&folder, Mode::CreateParents).expect("the store can be opened");
    let operations = store.history(None, 20, None).expect("the history can be read");
    let journals = operations.iter().map(|it| store.load(&it.begun.id).unwrap_or_default());
    journals.flat_map(|it| abandoned_in(&it)).collect()
}

fn abandoned_in(lines: &[String]) -> Vec<String> {
    let records: Vec<Value> = lines.iter().filter_map(|it| serde_json::from_str(it).ok()).collect();
    let Some(opened) = records.first() else { return Vec::new() };
    let parts = ["stage", "apply", "seal", "retire"].map(|it| opened["plan"][it].as_array());
    let is_left = |step: &Value| {
        let of = |it: &&Value| it["record"] == "step_abandoned" && it["step"] == step["id"];
        records.iter().any(|it| of(&it))
    };
    let steps = parts.into_iter().flatten().flatten();
    steps.filter(|it| is_left(it)).map(|it| it["change"].to_string()).collect()
}

impl Found<'_> {
    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }

    fn right(&self) -> &str {
        if self.committed { &self.before.to } else { &self.before.from }
    }

    /// Exactly one version serves, the right one, as it did before.
    fn serves(&mut self) {
        let all = self.world.containers();
        let up = |it: &&Container| {
            matches!(it.status, Status::Running | Status::Paused)
                && it.specification.volumes.iter().any(|it| it == VOLUME)
        };
        let serving: Vec<&Container> = all.iter().filter(up).collect();
        let [it] = serving[..] else {
            let names: Vec<&str> = serving.iter().map(|it| it.name.as_str()).collect();
            return self.wrong.push(format!("exactly one has to serve, and these do: {names:?}"));
        };
        self.expect(it.name == "web", || format!("what serves is called {}", it.name));
        let right = self.right().to_owned();
        self.expect(it.image_id == right, || format!("{} serves, not {right}", it.image_id));
        let policy = it.specification.policy;
        let is_kept = policy == RestartPolicy::Always;
        self.expect(is_kept, || format!("its restart policy has become {policy:?}"));
        self.expect(it.status == Status::Running, || "it is paused".to_owned());
        let binds: Vec<_> = it.specification.binds().collect();
        self.expect(binds == [(VOLUME, "/data")], || format!("its data is at {binds:?}"));
    }

    /// The data is that of the version that serves: all that was there, and nothing of another one's.
    fn data(&mut self) {
        let data = self.world.data(VOLUME);
        let was = &self.before.data;
        let is_whole = data.starts_with(was);
        let right = self.right().to_owned();
        let added = data.get(was.len()..).unwrap_or_default().to_vec();
        self.expect(is_whole, || format!("data was lost: {data:?}"));
        let is_foreign = |it: &&String| !self.committed && **it != self.before.from;
        let foreign: Vec<_> = added.iter().filter(is_foreign).cloned().collect();
        self.expect(foreign.is_empty(), || format!("{right} has the data of {foreign:?}"));
    }

    /// Of what is ours, only what a kept release needs is left. What could not be taken back or away is
    /// named, each, where people can read it.
    fn leftovers(&mut self) {
        let words = self.state["releases"].to_string();
        let abandoned = std::mem::take(&mut self.abandoned);
        let is_named = |name: &str| abandoned.iter().any(|it| it.contains(name));
        let mut left = Vec::new();
        for it in self.world.containers() {
            let is_known = ["web", "neighbour", "switchback-anchor", "mine"].contains(&&*it.name)
                || self.may_stick && it.name == "switchback-lease-web";
            let is_named = words.contains(&it.id) || is_named(&it.id) || is_named(&it.name);
            if !is_known && !is_named {
                left.push(format!("container {}", it.name));
            }
        }
        for tag in self.world.images().iter().flat_map(|it| &it.tags) {
            let is_named = words.contains(tag.as_str()) || is_named(tag);
            if tag.starts_with("switchback-keep/") && !is_named {
                left.push(format!("image name {tag}"));
            }
        }
        let files = self.world.files();
        let folders: BTreeSet<&str> =
            files.keys().filter_map(|it| it.strip_prefix(SNAPSHOTS)?.split('/').next()).collect();
        for folder in folders {
            // What a failed version wrote is set aside, and kept for a person with the snapshot.
            let is_aside = !self.committed || self.taken_over;
            let operation = folder.split('-').next().unwrap_or(folder);
            let is_named =
                words.contains(operation) || is_named(&format!("\"operation\":\"{operation}\""));
            if !is_aside && !is_named {
                left.push(format!("snapshot {folder}"));
            }
        }
        self.expect(left.is_empty(), || format!("left over, and named nowhere: {left:?}"));
    }

    /// The name that people use points at what runs.
    fn tag(&mut self) {
        let images = self.world.images();
        let named = images.iter().find(|it| it.tags.iter().any(|it| it == REFERENCE));
        let named = named.map(|it| it.id.clone());
        let right = self.right().to_owned();
        let holds = named.as_ref() == Some(&right);
        self.expect(holds, || format!("{REFERENCE} names {named:?}, and {right} runs"));
    }

    /// Images that were there before are there still, but for what a kept release needs no longer.
    fn images(&mut self) {
        let now = digests(self.world);
        let gone: Vec<String> =
            self.before.digests.iter().filter(|it| !now.contains(it)).cloned().collect();
        self.expect(gone.is_empty(), || format!("images are gone: {gone:?}"));
    }

    /// What is somebody else's is as it was.
    fn neighbour(&mut self) {
        let all = self.world.containers();
        let is_up = |it: &Container| it.name == "neighbour" && it.status == Status::Running;
        self.expect(all.iter().any(is_up), || "somebody else's container was touched".to_owned());
    }

    /// Whether nothing came of an operation. Somebody else may have done the same anew, and then that is
    /// what is recorded.
    fn was_undone(&self, operation: &str) -> bool {
        !self.committed || self.taken_over && recorded(&self.state).as_deref() != Some(operation)
    }

    /// What was said, what is in the history, and what is recorded with the target agree.
    fn says(&mut self, ends: &[End], history: &[Operation]) {
        let committed = self.committed;
        for end in ends {
            let End::Said(Ok(Some(document))) = end else { continue };
            let (said, success) = (&document["outcome"], document["success"] == true);
            let operation = document["operation"].as_str().unwrap_or_default();
            // Who has lost the lease, or could not go on, does not know what became of it.
            let knows = success || said == "rolled_back" || said == "failed";
            let is_true = !knows || if success { committed } else { self.was_undone(operation) };
            self.expect(is_true, || format!("it said {said}, committed: {committed}"));
            let line = history.iter().find(|it| it.begun.id == operation);
            let told = line.and_then(|it| it.finished.as_ref()).map(|it| it.outcome.as_str());
            // Another store may have come to another end meanwhile, and this may be its history.
            let is_kept =
                !knows || self.taken_over || self.is_lost || told.is_none_or(|it| said == it);
            self.expect(is_kept, || format!("it said {said}, and the history {told:?}"));
        }
        let Some(last) =
            history.first().filter(|it| Some(&it.begun.id) != self.before.recorded.as_ref())
        else {
            let known = !committed || self.taken_over || self.is_lost;
            return self.expect(known, || "committed, and not in the history".to_owned());
        };
        let Some(finished) = &last.finished else {
            return self.wrong.push(format!("operation {} has no end", last.begun.id));
        };
        let said = finished.outcome.as_str();
        let holds = match said {
            "committed" => committed,
            "rolled_back" | "failed" => self.was_undone(&last.begun.id),
            // Another store's word counts where it has done the same anew, or is all that is left.
            "interrupted" => self.was_undone(&last.begun.id) || self.taken_over || self.is_lost,
            "stuck" => self.strangers || self.may_stick && !committed,
            _ => false,
        };
        self.expect(holds, || format!("the history says {said}, committed: {committed}"));
        let is_success = finished.exit_code == 0;
        let is_right = is_success == (said == "committed");
        self.expect(is_right, || format!("exit code {} for {said}", finished.exit_code));
    }
}
