//! The program is killed each time that its store has something new on the disk, before it hears of
//! that: between any two records, also where it asks the engine for nothing meanwhile.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    sync::{Arc, OnceLock},
};

use rustix::process::{Pid, Signal, kill_process};
use switchback_testkit::Disk;

use super::{
    consistent::Standing,
    in_turn::{self, Ended, Left},
    scenario::{FAILING, ROLLBACK, Scenario, UPDATE},
};
use crate::common::{
    World,
    process::{Output, Running},
    sweep::is_full,
};

/// A command syncs its store at least so often: 39 to 49 times were counted.
const FEWEST: usize = 30;

/// Of a short sweep every so many are recovered by another store.
const SELDOM: usize = 4;

/// A world whose store lies on a disk that can be watched.
struct Place {
    world: World,
    disk: Disk,
}

impl Place {
    fn new(scenario: Scenario) -> Self {
        let world = scenario.world();
        let disk =
            Disk::mount_beside("switchback.db-shm").expect("FUSE and the right to mount (be root)");
        world.copy_store(disk.path());
        let state = world.state("state");
        fs::rename(&state, world.state("before")).expect("the store is put aside");
        symlink(disk.path(), &state).expect("the disk stands in its place");
        Self { world, disk }
    }

    /// Runs the command and kills it at a sync, if it makes so many.
    fn killed(&self, scenario: Scenario, at: usize) -> Output {
        let pid = Arc::new(OnceLock::<Pid>::new());
        let (until, killed) = (self.disk.syncs() + at, Arc::clone(&pid));
        self.disk.watch(Some(Box::new(move |contents| {
            if let Some(pid) = killed.get().filter(|_| contents.syncs() >= until) {
                kill_process(*pid, Signal::KILL).ok();
            }
        })));
        let engine = self.world.lab.engine_url();
        let running = Running::spawn(self.world.command("state", engine, scenario.arguments));
        pid.set(running.pid()).expect("it is the first");
        let output = running.wait();
        self.disk.watch(None);
        output
    }
}

fn one(place: &Place, scenario: Scenario, at: usize, by_another: bool, said: &mut String) -> Ended {
    let world = &place.world;
    let before = &Standing::of(world);
    let output = place.killed(scenario, at);
    write!(said, "sync {at}\n{output}\n").ok();
    let event = "SIGKILL once its store is on the disk";
    let left = Left { world, scenario, before, output: &output, event };
    left.is_brought_to_an_end(by_another, said)
}

fn sweep(scenario: Scenario, (first, step): (usize, usize)) {
    let (first, step) = if is_full() { (1, 1) } else { (first, step) };
    let swept = in_turn::sweep(
        (first, step, SELDOM),
        || Place::new(scenario),
        |place, at, by_another, said| one(place, scenario, at, by_another, said),
    );
    let (killed, missed) = (swept.killed, &swept.missed);
    let enough = (killed + 1) * step >= FEWEST;
    assert!(enough, "only {killed} were killed, {step} syncs apart, and missed were {missed:?}");
}

#[test]
fn an_update_killed_after_a_record_is_brought_to_an_end() {
    sweep(UPDATE, (3, 8));
}

#[test]
fn a_failing_update_killed_after_a_record_goes_back_with_its_data() {
    sweep(FAILING, (6, 12));
}

#[test]
fn a_rollback_killed_after_a_record_is_brought_to_an_end() {
    sweep(ROLLBACK, (9, 12));
}
