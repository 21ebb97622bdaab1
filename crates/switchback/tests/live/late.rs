//! The program is killed while the engine is at work for it, and whatever it left is brought to an
//! end at once: before the engine has done what it was asked for, which it does all the same.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::common::{
    World,
    process::{Output, Running},
    proxy::{Act, Moment, Proxy},
    spare::Spare,
    survival::Case,
    sweep::is_full,
};

const ROWS: usize = 4;

/// A service at 1.0.0 with rows, run with these arguments; 2.0.0 is to be published yet.
fn serving(world: &World, more: &[&str]) {
    world.setting("data.policy = \"snapshot\"");
    world.gate(
        "interval = \"50ms\"\ntimeout = \"1s\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\n\
         healthy_deadline = \"20s\"",
    );
    world.start_service_with(more);
    world.write_rows(ROWS);
}

/// Long enough for a request to reach the engine, and far less than what it asks for takes.
fn a_moment() -> bool {
    std::thread::sleep(Duration::from_millis(300));
    true
}

/// Updates, prepares the engine for the request that `picks` knows, and kills the program while the
/// engine is at it.
fn killed_at(
    world: &World,
    picks: impl Fn(&str) -> bool + Send + Sync + 'static,
    prepare: impl Fn() + Send + Sync + 'static,
    is_at_it: impl FnMut() -> bool,
) -> Output {
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
    running.signal(Signal::KILL);
    let killed = running.wait();
    assert_eq!(killed.code, None, "it is killed:\n{killed}");
    killed
}

/// The old version serves as if nothing had been, and nothing of ours is left.
#[track_caller]
fn assert_as_before(world: &World, old: &str, transcript: &str) {
    world.until("it answers", || world.status("/health") == 200);
    assert_eq!(world.serving(), "1.0.0", "{transcript}");
    assert_eq!(world.id(), old, "{transcript}");
    assert_eq!(world.rows(), ROWS as u64, "{transcript}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{transcript}");
    assert_eq!(world.kept_images(), Vec::<String>::new(), "{transcript}");
    let service = world.service();
    assert_eq!(service["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped", "{transcript}");
    assert_eq!(service["RestartCount"], 0, "{transcript}");
}

/// Recovers at once, and looks again when everything has happened that was asked for: `lasts` is what
/// the engine takes for it.
#[track_caller]
fn recovered(world: &World, by: &str, old: &str, killed: &Output, lasts: Duration) {
    let case = Case::seen(world, "SIGKILL, and the engine goes on", "1.0.0", "2.0.0");
    let lands = Instant::now() + lasts + Duration::from_secs(2);
    let recovered = world.run_by(by, &["recover", "web", "-y"]);
    let transcript = format!("{killed}\n{recovered}");
    assert_eq!(recovered.code, Some(0), "{transcript}");
    assert_as_before(world, old, &transcript);
    let started = world.service()["State"]["StartedAt"].clone();
    std::thread::sleep(lands.saturating_duration_since(Instant::now()));
    assert_as_before(world, old, &transcript);
    assert_eq!(world.service()["State"]["StartedAt"], started, "nobody stopped it:\n{transcript}");
    world.run(&["recover", "web", "-y"]).exits(0);
    let lines = world.history();
    assert!(lines.iter().all(|it| !it.contains(" open")), "{lines:?}\n{transcript}");
    let by = if by == "state" { "the same store" } else { "another store" };
    case.ended(&world.serving(), "1.0.0", "2.0.0", by);
}

fn stops(line: &str) -> bool {
    line.contains("/stop?t=")
}

/// The engine goes on with a stop until it kills, which must not hit what was started meanwhile.
fn a_stop_lands_late(by: &str, timeout_s: u64) {
    let world = World::new("latestop");
    world.publish("1.0.0", &[("LEDGER_STOP", "ignore-sigterm")]);
    serving(&world, &["--stop-timeout", &timeout_s.to_string()]);
    world.publish("2.0.0", &[]);
    let old = world.id();
    let killed = killed_at(&world, stops, || {}, a_moment);
    assert_eq!(world.serving(), "1.0.0", "it is being stopped and runs yet:\n{killed}");
    recovered(&world, by, &old, &killed, Duration::from_secs(timeout_s));
}

#[test]
fn a_stop_that_kills_only_later_does_not_hit_what_was_recovered() {
    a_stop_lands_late("state", 5);
    if is_full() {
        // Longer than another store waits for the lease, so that it finds it unfinished too.
        a_stop_lands_late("other", 50);
    }
}

/// 500 MB, which an engine copies into a fresh volume before it shows the container.
fn publish_with_bulk(world: &World) {
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

/// Holds the engine for two seconds as soon as it has begun to fill one more volume than there were.
/// Ends by itself, whatever becomes of the test.
const HOLD: &str = "for try in $(seq 3000); do\n\
    if [ $(ls /var/lib/docker/volumes | wc -l) -gt \"$there\" ]; then\n\
    kill -STOP $(cat /run/docker.pid); sleep 2; kill -CONT $(cat /run/docker.pid); exit; fi\n\
    sleep 0.01; done; exit 1";

#[test]
fn a_creation_that_is_still_copying_leaves_nothing_once_it_is_over() {
    let spare = Spare::take();
    let world = World::on_engine(spare.url(), "latecreate");
    world.publish("1.0.0", &[]);
    serving(&world, &[]);
    publish_with_bulk(&world);
    let old = world.id();
    let volumes = || world.docker(&["volume", "ls", "--quiet"]);
    let before = volumes();
    let machine = spare.machine();
    let holding = Arc::new(Mutex::new(None));
    let holder = Arc::clone(&holding);
    let prepare = move || {
        let there = machine.shell("ls /var/lib/docker/volumes | wc -l");
        let (machine, words) = (machine.clone(), format!("there={there}\n{HOLD}"));
        let held = std::thread::spawn(move || drop(machine.shell(&words)));
        *holder.lock().expect("nobody panics here") = Some(held);
    };
    let creates = |line: &str| line.contains("/containers/create?name=") && line.contains("-new");
    let killed = killed_at(&world, creates, prepare, a_moment);
    recovered(&world, "state", &old, &killed, Duration::from_secs(5));
    let held = holding.lock().expect("nobody panics here").take().expect("a thread");
    held.join().expect("the engine was held while it copied");
    assert_eq!(volumes(), before, "its volume is gone too:\n{killed}");
}

/// Switches the slowness of a runtime on for one start.
const SLOW: &str = "/run/slow-start";

/// A runtime that sleeps before it starts a container, once for each time that it is told to.
fn with_slow_runtime(spare: &Spare) {
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *\" start \"*) if mv {SLOW} {SLOW}.begun 2>/dev/null; then\n\
         sleep \"$(cat {SLOW}.begun)\"; fi ;; esac\nexec runc \"$@\"\n"
    );
    let settings = r#"{ "runtimes": { "slow": { "path": "/usr/local/bin/slow-runc" } } }"#;
    spare.shell(&format!(
        "printf '%s' '{script}' >/usr/local/bin/slow-runc; chmod 755 /usr/local/bin/slow-runc\n\
         mkdir -p /etc/docker; printf '%s' '{settings}' >/etc/docker/daemon.json\n\
         rm -f {SLOW} {SLOW}.begun; kill -HUP $(cat /run/docker.pid)"
    ));
}

/// Of two starts: that of the new version, and that of the old one on the way back.
fn a_start_lands_late(by: &str, sleeps_s: u64, on_the_way_back_s: Option<u64>) {
    let spare = Spare::take();
    with_slow_runtime(&spare);
    let world = World::on_engine(spare.url(), "latestart");
    let has_slow = || world.docker(&["info", "--format", "{{json .Runtimes}}"]).contains("slow");
    world.until("the engine has read its settings", has_slow);
    world.publish("1.0.0", &[]);
    serving(&world, &["--runtime", "slow"]);
    world.publish("2.0.0", &[]);
    let old = world.id();
    let machine = spare.machine();
    let slowly = move || drop(machine.shell(&format!("echo {sleeps_s} >{SLOW}")));
    let has_stopped = AtomicBool::new(false);
    // The lease was started before.
    let starts = move |line: &str| {
        has_stopped.fetch_or(stops(line), Ordering::SeqCst)
            && line.contains("/containers/")
            && line.ends_with("/start")
    };
    let sleeps = || spare.shell("ls /run").contains("slow-start.begun");
    let killed = killed_at(&world, starts, slowly, sleeps);
    assert_eq!(world.serving(), "", "the new one is being started:\n{killed}");
    if let Some(sleeps_s) = on_the_way_back_s {
        spare.shell(&format!("echo {sleeps_s} >{SLOW}"));
    }
    recovered(&world, by, &old, &killed, Duration::from_secs(sleeps_s));
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
