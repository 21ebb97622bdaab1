//! The journal takes no more records, from any record on: the command goes back, and once the disk
//! takes records again, what was left open is brought to its end.
//!
//! Some of the places are tried; with `SWITCHBACK_SWEEP=full` in the environment, each one.

use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::process::Signal;
use switchback_testkit::{Disk, disk::Trouble};

use super::{
    consistent::Standing,
    scenario::{FAILING, ROLLBACK, ROWS, Scenario, UPDATE},
};
use crate::common::{
    World,
    disk::SmallDisk,
    process::{Output, Running},
    proxy::{Moment, Proxy},
    store::phase_in,
    survival::Case,
    sweep::is_full,
};

/// Of two cores; these tests wait more than they work.
const WORKERS: usize = 3;

/// A command syncs its store at least so often: 39 to 49 times were counted.
const SYNCS_MIN: usize = 25;

/// More syncs than a command makes, so that a sweep ends.
const SYNCS_MAX: usize = 200;

fn run(world: &World, state: &Path, engine: &str, arguments: &[&str]) -> Running {
    let mut command = world.command("state", engine, arguments);
    command.env("SWITCHBACK_STATE", state);
    Running::spawn(command)
}

/// One world with a disk that can fail.
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
        Self { world, disk }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let engine = self.world.lab.engine_url();
        run(&self.world, self.disk.path(), engine, &[arguments, &["-o", "json"]].concat()).wait()
    }

    /// What the history says, the newest last.
    fn history(&self) -> Vec<(String, String)> {
        let document = self.run(&["history"]).exits(0).json();
        let operations = document["operations"].as_array().cloned().unwrap_or_default();
        let word = |it: &serde_json::Value| it.as_str().unwrap_or("open").to_owned();
        operations.iter().rev().map(|it| (word(&it["action"]), word(&it["outcome"]))).collect()
    }
}

/// Gives the command with a journal that takes so many syncs. False if it needed no more.
fn one(place: &Place, scenario: Scenario, takes: usize, trouble: Trouble) -> bool {
    let (was, to) = (scenario.from(), scenario.to);
    let (world, standing) = (&place.world, Standing::of(&place.world));
    let (before, synced, rows) = (place.history().len(), place.disk.syncs(), world.rows());
    place.disk.fails_after(Some((takes, trouble)));
    let update = place.run(scenario.arguments);
    let has_struck = place.disk.syncs() - synced >= takes;
    let told = update.code.unwrap_or(-1);
    assert!([scenario.code, 1, 4].contains(&told), "{update}");
    let serves = scenario.serves(told == 0);
    // A rollback leaves what was written since.
    let leaves_them = told == 0 && scenario.is_rollback();
    let rows = if leaves_them { scenario.rows(true) as u64 } else { rows };
    // It has to be so at once, before anybody has recovered anything.
    world.until("it serves", || world.serving() == serves);
    assert_eq!(world.id() == standing.id(), told != 0, "{update}");

    // What is written to whoever serves now is not taken back, even if its journal has no end.
    world.write_rows(1);
    place.disk.fails_after(None);
    let (phase, event) = (phase_in(place.disk.path()), "the store takes no more records");
    let case = Case::seen_in(phase, world, event, was, to);
    let recovered = place.run(&["recover", "-y"]).exits(0);
    assert_eq!(world.serving(), serves, "{update}\n{recovered}");
    assert_eq!(world.rows(), rows + 1, "{update}\n{recovered}");
    assert!(world.has_table_of(serves), "the data is that of {serves}\n{update}\n{recovered}");
    let mut lines = place.history()[before..].to_vec();
    lines.retain(|it| it.0 != "recover");
    let expected: &[&str] = match told {
        0 => &["committed"],
        // Its end could not be written: whoever recovers it knows only that it was interrupted.
        4 => &["rolled_back", "interrupted"],
        // What was full before it began has no line; what had begun was taken back.
        _ => &["failed", "interrupted"],
    };
    let is_said = lines.iter().all(|it| expected.contains(&it.1.as_str()));
    assert!(is_said && lines.len() <= 1, "{lines:?}\n{update}\n{recovered}");
    assert!(told == 1 || lines.len() == 1, "{lines:?}\n{update}\n{recovered}");
    let parked = usize::from(told == 0 || scenario.is_rollback());
    assert_eq!(world.temporary_containers().len(), parked, "{update}\n{recovered}");
    standing.assert_the_same_around(world, &format!("{update}\n{recovered}"));
    if has_struck {
        case.ended(&world.serving(), was, to, "itself, or the same store");
    }
    has_struck
}

/// Tries every `step`-th place, as many at a time as there are workers.
fn sweep(scenario: Scenario, trouble: Trouble, (first, step): (usize, usize)) {
    let is_full = is_full();
    let (first, step) = if is_full { (0, 1) } else { (first, step) };
    let (next, end, tried) =
        (AtomicUsize::new(first), AtomicUsize::new(SYNCS_MAX), Mutex::default());
    let work = || {
        let mut place = None;
        loop {
            let takes = next.fetch_add(step, Ordering::SeqCst);
            if takes >= end.load(Ordering::SeqCst) {
                return;
            }
            let at = place.get_or_insert_with(|| Place::new(scenario));
            if !one(at, scenario, takes, trouble) {
                end.fetch_min(takes, Ordering::SeqCst);
            }
            let tried: &Mutex<Vec<usize>> = &tried;
            tried.lock().expect("no panic here").push(takes);
            if at.world.serving() == scenario.to {
                place = None;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let tried = tried.into_inner().expect("no panic here");
    assert!(tried.len() * step >= SYNCS_MIN, "only {tried:?} were tried");
    assert!(end.load(Ordering::SeqCst) < SYNCS_MAX, "a command makes fewer syncs");
}

#[test]
fn a_journal_on_a_full_disk_from_any_record_on_leaves_one_version_serving() {
    sweep(UPDATE, Trouble::Full, (2, 5));
}

#[test]
fn a_journal_on_an_ill_disk_from_any_record_on_leaves_one_version_serving() {
    sweep(UPDATE, Trouble::Ill, (4, 5));
}

#[test]
fn a_failing_update_whose_journal_takes_no_more_records_goes_back_with_its_data() {
    sweep(FAILING, Trouble::Full, (7, 15));
    if is_full() {
        sweep(FAILING, Trouble::Ill, (7, 15));
    }
}

#[test]
fn a_rollback_whose_journal_takes_no_more_records_leaves_one_version_serving() {
    sweep(ROLLBACK, Trouble::Ill, (12, 15));
    if is_full() {
        sweep(ROLLBACK, Trouble::Full, (12, 15));
    }
}

/// What was set aside when the operation began is enough for its records.
#[test]
fn a_disk_that_fills_up_during_the_switch_stops_nothing() {
    let world = UPDATE.world();
    let disk = SmallDisk::new(8_192);
    world.copy_store(disk.path());
    let socket = world.folder.path().join("engine.sock");
    let never = (0, Moment::HeldBack, Signal::TERM);
    let proxy = Proxy::start(&socket, world.lab.engine_url(), never);
    let update = run(&world, disk.path(), &proxy.url, &["update", "web", "-y", "-o", "json"]);
    proxy.watch(update.pid());
    let creates = |line: &String| line.contains("create?name=") && line.contains("-new");
    world.until("it stages", || proxy.requests().iter().any(creates));
    assert!(disk.path().join("reserve").exists(), "space was set aside");
    let filler = disk.fill();
    let update = update.wait().exits(0).has("/outcome", "committed");
    assert!(!update.json()["warnings"].to_string().contains("history"), "{update}");
    assert!(!disk.path().join("reserve").exists(), "and was used");
    fs::remove_file(filler).expect("the disk has room again");
    let history = run(&world, disk.path(), world.lab.engine_url(), &["history"]).wait().exits(0);
    history.says("committed");
    assert_eq!(world.serving(), "2.0.0");
    assert_eq!(world.rows(), ROWS as u64);
}

/// The failed version has left no room beside the data that comes back.
#[test]
fn a_version_that_filled_its_disk_goes_back_with_the_data() {
    let world = World::new("datafull");
    world.setting("data.policy = \"snapshot\"");
    let data = SmallDisk::new(4_096);
    world.publish("1.0.0", &[]);
    world.made.containers.borrow_mut().push(world.name.clone());
    let mount = format!("{}:/data", data.path().display());
    let publish = format!("127.0.0.1:{}:8080", world.port);
    let image = world.image("latest");
    let name = &world.name;
    let create = ["run", "-d", "--quiet", "--pull", "always", "--name", name, "-p", &publish];
    world.docker(&[&create[..], &["-v", &mount, "--restart", "unless-stopped", &image]].concat());
    world.until("the service answers", || world.status("/") == 200);
    world.write_rows(ROWS);
    world.publish("3.0.0", &[]);
    let update = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the failing version runs", || world.serving() == "3.0.0");
    let filler = data.fill();
    let update = update.wait().exits(4).has("/outcome", "rolled_back");
    assert_eq!(world.serving(), "1.0.0", "{update}");
    assert_eq!(world.rows(), ROWS as u64);
    assert!(!filler.exists(), "what the failed version wrote is set aside");
    world.write_rows(1);
}
