//! A holder whose lease is taken from it: by somebody who tidies up, or by a successor while it stood still.
//!
//! Every fourth change that it asks for is tried; with `SWITCHBACK_SWEEP=full` in the environment, each one;
//! with a number, only that one.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::consistent::Standing;
use crate::common::{
    Output, World,
    process::Running,
    proxy::{Act, Moment, Proxy},
    request::is_a_look,
    survival::{Case, Noted},
    sweep::assert_most_were_reached,
};

const ROWS: usize = 4;

/// Of the changes of an update with a snapshot; 37 were counted.
const FEWEST: usize = 30;

fn prepared(name: &str) -> World {
    let world = World::new(name);
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(ROWS);
    world.publish("2.0.0", &[]);
    world
}

/// How many changes an update asks for that nobody disturbs.
fn changes_of_an_update() -> usize {
    let world = prepared("changes");
    let socket = world.folder.path().join("engine.sock");
    let never = (0, Moment::HeldBack, Signal::INT);
    let proxy = Proxy::start(&socket, world.lab.engine_url(), never);
    let running = Running::spawn(world.command("state", &proxy.url, &["update", "web", "-y"]));
    proxy.watch(running.pid());
    let _updated = running.wait().exits(0);
    proxy.changes()
}

/// What became of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    /// It had ended before.
    TooLate,
    /// What it was to try has happened, and it came to a good end nevertheless.
    Struck,
    /// Another brought it to an end meanwhile, and it was told that the lease is no longer its own.
    Fenced,
}

/// One run for each place, as many at once as wait rather than work. Returns the places, and what became
/// of the run at each.
fn sweep(at_once: usize, one: impl Fn(usize) -> Tried + Sync) -> Vec<(usize, Tried)> {
    let changes = changes_of_an_update();
    assert!(changes >= FEWEST, "an update asks for {changes} changes");
    let wanted = std::env::var("SWITCHBACK_SWEEP").unwrap_or_default();
    let places: Vec<usize> = match (wanted.as_str(), wanted.parse()) {
        (_, Ok(at)) => vec![at],
        ("full", _) => (1..=changes).collect(),
        _ => (1..=changes).step_by(4).collect(),
    };
    let (mut failures, mut tried) = (Vec::new(), Vec::new());
    for group in places.chunks(at_once) {
        std::thread::scope(|scope| {
            let all: Vec<_> = group.iter().map(|at| scope.spawn(|| (*at, one(*at)))).collect();
            let ended = all.into_iter().map(std::thread::ScopedJoinHandle::join);
            let (ended, failed): (Vec<_>, Vec<_>) = ended.partition(Result::is_ok);
            tried.extend(ended.into_iter().filter_map(Result::ok));
            let failed = failed.into_iter().filter_map(Result::err);
            let text = |it: Box<dyn std::any::Any + Send>| match it.downcast_ref::<String>() {
                Some(text) => text.clone(),
                None => "a test panicked without a word".to_owned(),
            };
            failures.extend(failed.map(text));
        });
    }
    assert!(
        failures.is_empty(),
        "{} failed:\n\n{}",
        failures.len(),
        failures.join("\n\n=====\n\n")
    );
    // All but the last ones: an update that is quick has to say less often that it lives.
    let struck: Vec<_> = tried.iter().filter(|it| it.1 != Tried::TooLate).map(|it| it.0).collect();
    assert_most_were_reached(&places, &struck);
    tried
}

/// Every line of that store's history has its outcome.
#[track_caller]
fn assert_nothing_is_open(world: &World, store: &str, transcript: &str) {
    let lines = world.history_of(store);
    assert!(lines.iter().all(|it| it.outcome.is_some()), "{store}: {lines:?}\n{transcript}");
}

#[track_caller]
fn assert_one_version(world: &World, is_new: bool, before: &Standing, transcript: &str) {
    let version = if is_new { "2.0.0" } else { "1.0.0" };
    assert_eq!(world.serving(), version, "{transcript}");
    assert_eq!(world.id() != before.id(), is_new, "{transcript}");
    before.assert_the_same_around(world, transcript);
    assert_eq!(world.rows(), ROWS as u64, "{transcript}");
    assert!(world.has_table_of(version), "the data is that of {version}\n{transcript}");
    let left = world.temporary_containers();
    assert_eq!(left.len(), usize::from(is_new), "{left:?}\n{transcript}");
    let policy = &world.service()["HostConfig"]["RestartPolicy"]["Name"];
    assert_eq!(policy, "unless-stopped", "{transcript}");
}

/// Somebody removes the lease's container when the update asks for its n-th change.
fn removed(at: usize) -> Tried {
    let world = prepared(&format!("tidied{at}"));
    let before = Standing::of(&world);
    let (engine, lease) =
        (world.lab.engine_url().to_owned(), format!("switchback-lease-{}", world.name));
    let noted = Noted::of(&world);
    let here = noted.clone();
    let remove = move |_: &str| {
        here.now();
        let mut docker = Command::new("docker");
        // It may not be there yet, or not any more.
        docker.args(["rm", "--force", &lease]).env("DOCKER_HOST", &engine).output().ok();
    };
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::HeldBack, Act::Do(Box::new(remove)));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, move |it| it.change == at);
    let command = world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]);
    let running = Running::spawn(command);
    proxy.watch(running.pid());
    let update = running.wait();
    let transcript = format!("removed at change {at}\n{}\n{update}", changes(&proxy));
    let case = Case::seen_in(noted.phase(), &world, "its lease is removed", "1.0.0", "2.0.0");
    match update.code {
        Some(0) => assert_one_version(&world, true, &before, &transcript),
        // Nothing was written before, by which it could tell that nobody else had acted.
        Some(3 | 130) => {
            assert_eq!(code_of(&update), Some("locked".to_owned()), "{transcript}");
            assert_one_version(&world, false, &before, &transcript);
            let written = proxy.requests().iter().filter(|it| it.contains("/stop?")).count();
            assert_eq!(written, 0, "nothing was stopped\n{transcript}");
        }
        other => panic!("it ends well or is refused, not with {other:?}:\n{transcript}"),
    }
    world.run(&["recover", "web", "-y"]).exits(0);
    assert_nothing_is_open(&world, "state", &transcript);
    if !proxy.has_struck() {
        return Tried::TooLate;
    }
    case.ended(&world.serving(), "1.0.0", "2.0.0", "itself");
    Tried::Struck
}

fn changes(proxy: &Proxy) -> String {
    let mut lines = proxy.requests();
    lines.retain(|it| !is_a_look(it));
    let numbered = lines.iter().enumerate().map(|(index, it)| format!("{:3} {it}", index + 1));
    numbered.collect::<Vec<_>>().join("\n")
}

fn code_of(output: &Output) -> Option<String> {
    let document = output.json();
    document.pointer("/error/code").and_then(Value::as_str).map(str::to_owned)
}

#[test]
fn a_lease_removed_by_hand_is_taken_anew_and_the_update_goes_on() {
    let _tried = sweep(4, removed);
}

/// The update stands still when it asks for its n-th change, which takes place; another store brings
/// it to an end; then it goes on.
fn stopped(at: usize) -> Tried {
    let world = prepared(&format!("stands{at}"));
    let before = Standing::of(&world);
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::HeldBack, Act::Signal(Signal::STOP));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, move |it| it.change == at);
    let command = world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]);
    let mut running = Running::spawn(command);
    proxy.watch(running.pid());
    let mut stands = || proxy.has_struck() || running.has_ended();
    world.until("it stands still or has ended", &mut stands);
    if !proxy.has_struck() {
        let _updated = running.wait().exits(0);
        return Tried::TooLate;
    }
    let name = "it stands still (SIGSTOP) while another takes over, and goes on";
    let case = Case::seen(&world, name, "1.0.0", "2.0.0");
    let recovered = world.run_by("other", &["recover", "web", "-y", "-o", "json"]).exits(0);
    let transcript = format!("{}\nstopped at change {at}\n{recovered}", changes(&proxy));
    let found_something = recovered.json()["outcome"] != "up_to_date";
    let serving = world.serving();
    running.signal(Signal::CONT);
    let update = running.wait();
    let transcript = format!("{transcript}\n{update}\n{}", changes(&proxy));
    let is_new = world.serving() == "2.0.0";
    let is_locked = code_of(&update).as_deref() == Some("locked");
    if found_something {
        assert_eq!(world.serving(), serving, "the second's outcome stands:\n{transcript}");
        // Whoever had committed before it stood still says the same as its successor. Otherwise it
        // was refused before any change, or interrupted.
        let is_agreed = update.code == Some(0) && is_new;
        assert!(
            is_agreed || is_locked && [Some(3), Some(130)].contains(&update.code),
            "{transcript}"
        );
    }
    assert_one_version(&world, is_new, &before, &transcript);
    let learned = world.run_json(&["recover", "web", "-y"]);
    assert_eq!(learned.code, Some(0), "{transcript}\n{learned}");
    assert_one_version(&world, is_new, &before, &transcript);
    assert_nothing_is_open(&world, "state", &transcript);
    assert_nothing_is_open(&world, "other", &transcript);
    case.ended(&world.serving(), "1.0.0", "2.0.0", "another store");
    if found_something && is_locked { Tried::Fenced } else { Tried::Struck }
}

/// Each waits for a lease to expire, so many of them wait together.
#[test]
fn a_holder_that_stood_still_while_another_took_over_ends_with_locked() {
    let tried = sweep(11, stopped);
    // Not those before its first record, where the other finds nothing to do, nor those after it was
    // committed: 6 of 10 were counted.
    let fenced = tried.iter().filter(|it| it.1 == Tried::Fenced).count();
    assert!(fenced >= tried.len() / 2, "only {fenced} were taken over and told so: {tried:?}");
}
