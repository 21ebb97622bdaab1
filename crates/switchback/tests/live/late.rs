//! The program is killed while the engine is at work for it, and whatever it left is brought to an
//! end at once: before the engine has done what it was asked for, which it does all the same.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::consistent::Standing;
use crate::common::{
    World,
    process::{Output, Running},
    proxy::{Act, Moment, Proxy},
    slow_runtime::RUNTIME,
    spare::{Machine, Spare},
    survival::Case,
    sweep::is_full,
};

const ROWS: usize = 4;

/// A service at 1.0.0 with rows, run with these arguments; 2.0.0 is to be published yet.
pub(super) fn serving(world: &World, more: &[&str]) {
    world.setting("data.policy = \"snapshot\"");
    world.gate(
        "interval = \"50ms\"\ntimeout = \"1s\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\n\
         healthy_deadline = \"20s\"",
    );
    world.start_service_with(more);
    world.write_rows(ROWS);
}

/// Long enough for a request to reach the engine, and far less than what it asks for takes.
pub(super) fn a_moment() -> bool {
    std::thread::sleep(Duration::from_millis(300));
    true
}

/// An update whose engine was prepared for the request that `picks` knows, and is at it.
pub(super) fn at_it(
    world: &World,
    picks: impl Fn(&str) -> bool + Send + Sync + 'static,
    prepare: impl Fn() + Send + Sync + 'static,
    is_at_it: impl FnMut() -> bool,
) -> Running {
    let socket = world.folder.path().join("engine.sock");
    let is_prepared = Arc::new(AtomicBool::new(false));
    let prepared = Arc::clone(&is_prepared);
    let prepare = move |_: &str| {
        prepare();
        prepared.store(true, Ordering::SeqCst);
    };
    let act = (Moment::HeldBack, Act::Do(Box::new(prepare)));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, move |it| picks(it.line));
    let running = Running::spawn(world.command("state", &proxy.url, &["update", "web", "-y"]));
    proxy.watch(running.pid());
    world.until("the request is made", || is_prepared.load(Ordering::SeqCst));
    world.until("the engine is at it", is_at_it);
    running
}

/// The same, killed.
fn killed_at(
    world: &World,
    picks: impl Fn(&str) -> bool + Send + Sync + 'static,
    prepare: impl Fn() + Send + Sync + 'static,
    is_at_it: impl FnMut() -> bool,
) -> Output {
    let running = at_it(world, picks, prepare, is_at_it);
    running.signal(Signal::KILL);
    let killed = running.wait();
    assert_eq!(killed.code, None, "it is killed:\n{killed}");
    killed
}

/// The old version serves as if nothing had been, and nothing of ours is left.
#[track_caller]
pub(super) fn assert_as_before(world: &World, before: &Standing, transcript: &str) {
    world.until("it answers", || world.status("/health") == 200);
    assert_eq!(world.serving(), "1.0.0", "{transcript}");
    assert_eq!(world.id(), before.id(), "{transcript}");
    before.assert_the_same_around(world, transcript);
    assert_eq!(world.rows(), ROWS as u64, "{transcript}");
    assert!(world.has_table_of("1.0.0"), "the data is that of 1.0.0\n{transcript}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{transcript}");
    assert_eq!(world.kept_images(), Vec::<String>::new(), "{transcript}");
    let service = world.service();
    assert_eq!(service["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped", "{transcript}");
    assert_eq!(service["RestartCount"], 0, "{transcript}");
}

/// Recovers at once, and looks again when everything has happened that was asked for: `lasts` is what
/// the engine takes for it.
#[track_caller]
fn recovered(world: &World, by: &str, before: &Standing, killed: &Output, lasts: Duration) {
    let case = Case::seen(world, "SIGKILL, and the engine goes on", "1.0.0", "2.0.0");
    let lands = Instant::now() + lasts + Duration::from_secs(2);
    let recovered = world.run_by(by, &["recover", "web", "-y"]);
    let transcript = format!("{killed}\n{recovered}");
    assert_eq!(recovered.code, Some(0), "{transcript}");
    assert_as_before(world, before, &transcript);
    let started = world.service()["State"]["StartedAt"].clone();
    std::thread::sleep(lands.saturating_duration_since(Instant::now()));
    assert_as_before(world, before, &transcript);
    assert_eq!(world.service()["State"]["StartedAt"], started, "nobody stopped it:\n{transcript}");
    world.run(&["recover", "web", "-y"]).exits(0);
    let lines = world.history();
    assert!(lines.iter().all(|it| !it.contains(" open")), "{lines:?}\n{transcript}");
    let by = if by == "state" { "the same store" } else { "another store" };
    case.ended(&world.serving(), "1.0.0", "2.0.0", by);
}

pub(super) fn stops(line: &str) -> bool {
    line.contains("/stop?t=")
}

/// The engine goes on with a stop until it kills, which must not hit what was started meanwhile.
fn a_stop_lands_late(by: &str, timeout_s: u64) {
    let world = World::new("latestop");
    world.publish("1.0.0", &[("LEDGER_STOP", "ignore-sigterm")]);
    serving(&world, &["--stop-timeout", &timeout_s.to_string()]);
    world.publish("2.0.0", &[]);
    let before = Standing::of(&world);
    let killed = killed_at(&world, stops, || {}, a_moment);
    assert_eq!(world.serving(), "1.0.0", "it is being stopped and runs yet:\n{killed}");
    recovered(&world, by, &before, &killed, Duration::from_secs(timeout_s));
}

#[test]
fn a_stop_that_kills_only_later_does_not_hit_what_was_recovered() {
    a_stop_lands_late("state", 5);
    if is_full() {
        // Longer than another store waits for the lease, so that it finds it unfinished too.
        a_stop_lands_late("other", 50);
    }
}

pub(super) fn creates(line: &str) -> bool {
    line.contains("/containers/create?name=") && line.contains("-new")
}

/// 500 MB, which an engine copies into a fresh volume before it shows the container.
pub(super) fn publish_with_bulk(world: &World) {
    world.publish_as("small", "2.0.0", &[]);
    let (small, latest, name) =
        (world.image("small"), world.image("latest"), world.also_runs("bulk"));
    let fill =
        "mkdir /bulk; for it in 1 2 3 4 5; do dd if=/dev/zero of=/bulk/$it bs=1M count=100; done";
    let run = ["run", "--name", &name, "--entrypoint", "/bin/sh", &small, "-c", fill];
    world.docker(&run);
    let kept =
        world.docker(&["image", "inspect", "--format", "{{json .Config.Entrypoint}}", &small]);
    let entry = format!("ENTRYPOINT {kept}");
    let commit = ["commit", "-c", "VOLUME /bulk", "-c", &entry, "-c", "CMD []", &name, &latest];
    world.docker(&commit);
    world.docker(&["push", "--quiet", &latest]);
    world.docker(&["rm", &name]);
}

/// Holds the engine for a while as soon as it has begun to fill one more volume than there were.
/// Ends by itself, whatever becomes of the test.
const HOLD: &str = "for try in $(seq 3000); do\n\
    if [ $(ls /var/lib/docker/volumes | wc -l) -gt \"$there\" ]; then\n\
    kill -STOP $(cat /run/docker.pid); sleep $span; kill -CONT $(cat /run/docker.pid); exit; fi\n\
    sleep 0.01; done; exit 1";

/// Whoever lets the engine stand still while it copies, for so many seconds; to be begun and waited for.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    machine: Machine,
    span_s: u64,
    holding: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Hold {
    pub(super) fn new(spare: &Spare, span_s: u64) -> Self {
        Self { machine: spare.machine(), span_s, holding: Arc::default() }
    }

    pub(super) fn begin(&self) {
        let there = self.machine.shell("ls /var/lib/docker/volumes | wc -l");
        let words = format!("there={there} span={}\n{HOLD}", self.span_s);
        let machine = self.machine.clone();
        let held = std::thread::spawn(move || drop(machine.shell(&words)));
        *self.holding.lock().expect("nobody panics here") = Some(held);
    }

    #[track_caller]
    pub(super) fn wait(&self) {
        let held = self.holding.lock().expect("nobody panics here").take();
        held.expect("it was begun").join().expect("the engine was held while it copied");
    }
}

fn a_creation_lands_late(by: &str) {
    let spare = Spare::take();
    let world = World::on_engine(spare.url(), "latecreate");
    world.publish("1.0.0", &[]);
    serving(&world, &[]);
    publish_with_bulk(&world);
    let before = Standing::of(&world);
    let volumes = || world.docker(&["volume", "ls", "--quiet"]);
    let there = volumes();
    let hold = Hold::new(&spare, 2);
    let begun = hold.clone();
    let killed = killed_at(&world, creates, move || begun.begin(), a_moment);
    recovered(&world, by, &before, &killed, Duration::from_secs(5));
    hold.wait();
    assert_eq!(volumes(), there, "its volume is gone too:\n{killed}");
}

#[test]
fn a_creation_that_is_still_copying_leaves_nothing_once_it_is_over() {
    a_creation_lands_late("state");
    if is_full() {
        a_creation_lands_late("other");
    }
}

/// The start of a version; the lease was started before.
pub(super) fn starts() -> impl Fn(&str) -> bool + Send + Sync + 'static {
    let has_stopped = AtomicBool::new(false);
    move |line| {
        has_stopped.fetch_or(stops(line), Ordering::SeqCst)
            && line.contains("/containers/")
            && line.ends_with("/start")
    }
}

/// A service at 1.0.0 whose starts can be made slow; 2.0.0 is there.
pub(super) fn on_the_slow_runtime(spare: &Spare, name: &str) -> World {
    spare.learns_the_slow_runtime();
    let world = World::on_engine(spare.url(), name);
    world.publish("1.0.0", &[]);
    serving(&world, &["--runtime", RUNTIME]);
    world.publish("2.0.0", &[]);
    world
}

/// Of two starts: that of the new version, and that of the old one on the way back.
fn a_start_lands_late(by: &str, sleeps_s: u64, on_the_way_back_s: Option<u64>) {
    let spare = Spare::take();
    let (world, machine) = (on_the_slow_runtime(&spare, "latestart"), spare.machine());
    let before = Standing::of(&world);
    let slowly = move || machine.starts_slowly(sleeps_s);
    let killed = killed_at(&world, starts(), slowly, || spare.is_starting());
    assert_eq!(world.serving(), "", "the new one is being started:\n{killed}");
    if let Some(sleeps_s) = on_the_way_back_s {
        spare.starts_slowly(sleeps_s);
    }
    recovered(&world, by, &before, &killed, Duration::from_secs(sleeps_s));
}

#[test]
fn a_start_that_takes_effect_late_leaves_one_version() {
    // Longer than a look at the container may take, which the engine does not answer meanwhile.
    a_start_lands_late("state", 12, None);
    if is_full() {
        a_start_lands_late("state", 60, None);
        a_start_lands_late("other", 60, None);
        a_start_lands_late("state", 15, Some(40));
    }
}
