//! The disk of the engine, on which the records and snapshots of a target lie, takes no more writes,
//! from any of them on; or fills up while a snapshot is written.
//!
//! Some of the writes are tried; with `SWITCHBACK_SWEEP=full` in the environment, each one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{
    consistent::Standing,
    scenario::{FAILING, ROLLBACK, Scenario, UPDATE},
    told,
};
use crate::common::{
    Output, World,
    process::Running,
    proxy::{Act, Moment, Proxy, Request},
    spare::Spare,
    survival::{Case, Noted},
    sweep::is_full,
};

/// More than a command starts programs of the keeper, so that the sweep ends.
const PROGRAMS_MAX: usize = 40;

fn world_of(spare: &Spare, scenario: Scenario) -> World {
    scenario.world_on(spare.url(), "unless-stopped")
}

/// Gives the command; something happens just before the request that `picks` knows. False if there
/// was none.
fn given(
    world: &World,
    scenario: Scenario,
    picks: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static,
    event: impl Fn() + Send + Sync + 'static,
) -> (bool, Output) {
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::HeldBack, Act::Do(Box::new(move |_: &str| event())));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, picks);
    let arguments = [scenario.arguments, &["-o", "json"]].concat();
    let running = Running::spawn(world.command("state", &proxy.url, &arguments));
    proxy.watch(running.pid());
    let output = running.wait();
    (proxy.has_struck(), output)
}

/// Every write to the records is a program that is started in the keeper's container.
fn starts_program(line: &str) -> bool {
    line.ends_with("/exec")
}

/// One version serves, the one that was told of, and nothing of ours is left over.
#[track_caller]
fn assert_told(
    (world, scenario): (&World, Scenario),
    before: &Standing,
    is_new: bool,
    transcript: &str,
) {
    let version = scenario.serves(is_new);
    world.until(&format!("it answers:\n{transcript}"), || world.status("/health") == 200);
    assert_eq!(world.serving(), version, "{transcript}");
    assert_eq!(world.id() != before.id(), is_new, "{transcript}");
    before.assert_the_same_around(world, transcript);
    assert_eq!(world.rows(), scenario.rows(is_new) as u64, "{transcript}");
    assert!(world.has_table_of(version), "the data is that of {version}\n{transcript}");
    let policy = &world.service()["HostConfig"]["RestartPolicy"]["Name"];
    assert_eq!(policy, "unless-stopped", "{transcript}");
}

/// One command whose records take no more writes from the n-th program on. False if it started fewer.
fn one(spare: &Spare, world: &World, scenario: Scenario, from: usize) -> bool {
    let (was, to) = (scenario.from(), scenario.to);
    let before = Standing::of(world);
    let started = AtomicUsize::new(0);
    let picks = move |it: &Request<'_>| {
        starts_program(it.line) && started.fetch_add(1, Ordering::SeqCst) + 1 == from
    };
    let machine = spare.machine();
    let noted = Noted::of(world);
    let here = noted.clone();
    let event = move || {
        here.now();
        machine.records_take_writes(false);
    };
    let (has_struck, update) = given(world, scenario, picks, event);
    let transcript = format!("no writes from program {from} on\n{update}");
    let is_new = update.code == Some(0);
    // What the new version has written may not be overwritten, and there is no room to set it aside:
    // then nobody serves until a person has made some.
    let is_stuck = update.code == Some(5);
    if is_stuck {
        let says = |it: &str| update.stdout.contains(it);
        assert!(says("cannot restore the data") || says("cannot mark the restore"), "{transcript}");
        assert_eq!(world.serving(), "", "{transcript}");
    } else {
        assert_told((world, scenario), &before, is_new, &transcript);
    }
    if has_struck && !is_new {
        assert!(matches!(update.code, Some(1 | 4 | 5)), "{transcript}");
        assert!(update.json()["error"]["code"].is_string(), "{transcript}");
        // What fails by itself may tell of that.
        let is_told =
            update.stdout.contains("ead-only file system") || update.code == Some(scenario.code);
        assert!(is_told, "the cause is told: {transcript}");
    }
    let name = "the target takes no more records";
    let case = Case::seen_in(noted.phase(), world, name, was, to);

    spare.records_take_writes(true);
    let recovered = world.run(&["recover", "web", "-y"]);
    let transcript = format!("{transcript}\n{recovered}");
    assert_eq!(recovered.code, Some(0), "{transcript}");
    assert_told((world, scenario), &before, is_new, &transcript);
    let left = world.temporary_containers();
    let parked = usize::from(is_new || scenario.is_rollback());
    assert_eq!(left.len(), parked, "{left:?}\n{transcript}");
    let wrong = told::in_history(&world.history_of("state")[before.operations..], is_new);
    assert!(wrong.is_empty(), "{wrong:?}\n{transcript}");
    if has_struck {
        case.ended(&world.serving(), was, to, "the same store");
    }
    has_struck
}

/// Tries some of the programs that the command starts, or each.
fn sweep(scenario: Scenario, (first, step): (usize, usize)) {
    let spare = Spare::take();
    let _records = spare.machine().on_small_records(64);
    let mut world = None;
    let (mut from, step) = if is_full() { (1, 1) } else { (first, step) };
    while from < PROGRAMS_MAX {
        let there = world.get_or_insert_with(|| world_of(&spare, scenario));
        if !one(&spare, there, scenario, from) {
            break;
        }
        if there.serving() == scenario.to {
            world = None;
        }
        from += step;
    }
    assert!((6..PROGRAMS_MAX).contains(&from), "a command starts some programs, not {from}");
}

#[test]
fn records_that_take_no_more_writes_leave_one_version_serving() {
    sweep(UPDATE, (2, 5));
}

#[test]
fn a_failing_update_whose_records_take_no_more_writes_goes_back_with_its_data() {
    sweep(FAILING, (6, 12));
}

#[test]
fn a_rollback_whose_records_take_no_more_writes_leaves_one_version_serving() {
    sweep(ROLLBACK, (9, 12));
}

/// The data is copied while the service is down, so that a full disk costs the time of the copy.
#[test]
fn a_disk_that_fills_up_under_a_snapshot_goes_back_and_loses_nothing() {
    let spare = Spare::take();
    let _records = spare.machine().on_small_records(24);
    let world = world_of(&spare, UPDATE);
    world.docker(&[
        "exec",
        &world.name,
        "/bin/dd",
        "if=/dev/urandom",
        "of=/data/big",
        "bs=1M",
        "count=4",
    ]);
    let before = Standing::of(&world);
    let has_stopped = AtomicBool::new(false);
    // The first program after the stop copies the data.
    let picks = move |it: &Request<'_>| {
        has_stopped.fetch_or(it.line.contains("/stop?t="), Ordering::SeqCst)
            && starts_program(it.line)
    };
    let machine = spare.machine();
    let (has_struck, update) = given(&world, UPDATE, picks, move || machine.fill_records(1));
    assert!(has_struck, "{update}");
    let update = update.exits(4).has("/outcome", "rolled_back").has("/error/code", "no_space");
    assert_told((&world, UPDATE), &before, false, &update.to_string());
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{update}");
    assert_eq!(world.history(), ["update rolled_back 4"]);

    spare.clear_records();
    let recovered = world.run(&["recover", "web", "-y"]).exits(0);
    assert_eq!(world.kept_snapshots(), Vec::<String>::new(), "half a copy is gone:\n{recovered}");
    // A full disk says nothing about the release.
    world.run_json(&["update", "web", "-y"]).exits(0).has("/release", "r2");
    assert_told((&world, UPDATE), &before, true, "after there was room again");
    assert_eq!(world.kept_snapshots().len(), 1);
}
