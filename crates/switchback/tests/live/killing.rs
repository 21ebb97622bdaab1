//! The program is killed at each request that it makes of the engine, and whatever it left is brought to an end.
//!
//! Every fourth request is tried; with `SWITCHBACK_SWEEP=full` in the environment, each one.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rustix::process::Signal;

use crate::common::{
    World,
    process::{Output, Running},
    proxy::{Moment, Proxy},
    survival::Case,
};

pub(super) const ROWS: usize = 6;

/// Of two cores; these tests wait more than they work.
const WORKERS: usize = 3;

/// What is interrupted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    word: &'static str,
    /// The version that the command leads to, if it succeeds.
    pub(super) to: &'static str,
    pub(super) arguments: &'static [&'static str],
    /// The exit code without an interruption.
    pub(super) code: i32,
}

pub(super) const UPDATE: Scenario =
    Scenario { word: "kill", to: "2.0.0", arguments: &["update", "web", "-y"], code: 0 };

pub(super) const FAILING: Scenario =
    Scenario { word: "killback", to: "3.0.0", arguments: &["update", "web", "--force"], code: 4 };

pub(super) const ROLLBACK: Scenario = Scenario {
    word: "killroll",
    to: "1.0.0",
    arguments: &["rollback", "web", "--with-data", "-y"],
    code: 0,
};

impl Scenario {
    pub(super) fn from(&self) -> &'static str {
        if self.to == "1.0.0" { "2.0.0" } else { "1.0.0" }
    }

    /// A world in which the command can be given.
    pub(super) fn world(&self) -> World {
        let world = World::new(self.word);
        world.setting("data.policy = \"snapshot\"");
        let deadline = if self.code == 0 { "10s" } else { "1500ms" };
        world.gate(&format!(
            "interval = \"50ms\"\ntimeout = \"1s\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\n\
             healthy_deadline = \"{deadline}\""
        ));
        world.publish("1.0.0", &[]);
        world.start_service();
        world.write_rows(ROWS);
        let next = if self.to == "1.0.0" { "2.0.0" } else { self.to };
        world.publish(next, &[]);
        if self.to == "1.0.0" {
            world.run(&["update", "web", "-y"]).exits(0);
        }
        world
    }
}

fn step() -> usize {
    let is_full = std::env::var("SWITCHBACK_SWEEP").is_ok_and(|it| it == "full");
    if is_full { 1 } else { 4 }
}

/// Runs the command and kills it at a request. None if it ended before it made so many.
fn killed(world: &World, scenario: Scenario, at: usize, moment: Moment) -> (bool, Output, Proxy) {
    let socket = world.folder.path().join(format!("engine-{at}.sock"));
    let proxy = Proxy::start(&socket, world.lab.engine_url(), (at, moment, Signal::KILL));
    let running = Running::spawn(world.command("state", &proxy.url, scenario.arguments));
    proxy.watch(running.pid());
    let output = running.wait();
    (proxy.has_struck() && output.code.is_none(), output, proxy)
}

/// What has to hold once everything was brought to an end. True if the command has been committed.
pub(super) fn assert_consistent(
    world: &World,
    scenario: Scenario,
    lines: &[String],
    old: &str,
) -> bool {
    let committed = lines.last().is_some_and(|it| it.contains(" committed"));
    let expected = if committed { scenario.to } else { scenario.from() };
    world.until("the service answers", || world.status("/health") == 200);
    assert_eq!(world.serving(), expected, "history: {lines:?}");
    assert_eq!(world.rows(), ROWS as u64, "every row is there");
    assert!(lines.iter().all(|it| !it.contains(" open")), "nothing is open: {lines:?}");
    let left = world.temporary_containers();
    let is_first = scenario.from() == "1.0.0";
    let parked = usize::from(committed || !is_first);
    assert_eq!(left.len(), parked, "only a predecessor may be parked: {left:?}, {lines:?}");
    let service = world.service();
    assert_eq!(service["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
    if committed {
        assert_ne!(service["Id"], old);
    } else {
        assert_eq!(service["Id"], old, "the original itself serves");
        assert_eq!(world.kept_images().len(), if is_first { 0 } else { 2 });
    }
    let tag = world.docker(&["image", "inspect", "--format", "{{.Id}}", &world.image("latest")]);
    assert_eq!(service["Image"], tag, "the local tag names what runs");
    committed
}

/// One kill and its recovery. False if the command ended before it made so many requests.
fn one(
    world: &World,
    scenario: Scenario,
    at: usize,
    moment: Moment,
    said: &mut String,
) -> (bool, bool) {
    let old = world.id();
    let before = world.history().len();
    let (was_killed, output, proxy) = killed(world, scenario, at, moment);
    let requests = proxy.requests();
    let last = requests.get(at - 1).cloned().unwrap_or_default();
    write!(said, "request {at} ({last}), {moment:?}\n{output}\n").ok();
    let mut case = None;
    if was_killed {
        case = Some(Case::seen(world, "SIGKILL", scenario.from(), scenario.to));
        let recovered = world.run_json(&["recover", "web", "-y"]);
        writeln!(said, "{recovered}").ok();
        let recovered = recovered.exits(0);
        assert!(recovered.json()["outcome"].is_string(), "{recovered}");
    } else {
        assert_eq!(output.code, Some(scenario.code), "{output}");
    }
    let lines = world.history()[before..].to_vec();
    writeln!(said, "history: {lines:?}").ok();
    let committed = assert_consistent(world, scenario, &lines, &old);
    if let Some(case) = case {
        case.ended(&world.serving(), scenario.from(), scenario.to, "the same store");
    }
    (was_killed, committed)
}

/// Kills at every request, `step` apart, on as many worlds as there are workers.
fn sweep(scenario: Scenario, moment: Moment, first: usize) {
    let (next, over) = (AtomicUsize::new(first), AtomicBool::new(false));
    let failures = Mutex::new(Vec::new());
    let work = || {
        let mut world = None;
        while !over.load(Ordering::SeqCst) {
            let at = next.fetch_add(step(), Ordering::SeqCst);
            let mut said = String::new();
            let tried = catch_unwind(AssertUnwindSafe(|| {
                let world = world.get_or_insert_with(|| scenario.world());
                one(world, scenario, at, moment, &mut said)
            }));
            match tried {
                Ok((true, false)) => {}
                Ok((true, true)) => world = None,
                Ok((false, _)) => over.store(true, Ordering::SeqCst),
                Err(panic) => {
                    let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    failures.lock().expect("no panic here").push(format!("{said}{why}"));
                    world = None;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().expect("no panic here");
    assert!(
        failures.is_empty(),
        "{} failed:\n\n{}",
        failures.len(),
        failures.join("\n\n=====\n\n")
    );
}

#[test]
fn an_update_killed_before_a_request_is_brought_to_an_end() {
    sweep(UPDATE, Moment::HeldBack, 1);
}

#[test]
fn an_update_killed_after_a_request_is_brought_to_an_end() {
    sweep(UPDATE, Moment::LetThrough, 3);
}

#[test]
fn a_failing_update_killed_before_a_request_goes_back_with_its_data() {
    sweep(FAILING, Moment::HeldBack, 2);
}

#[test]
fn a_failing_update_killed_after_a_request_goes_back_with_its_data() {
    sweep(FAILING, Moment::LetThrough, 4);
}

#[test]
fn a_rollback_killed_before_a_request_is_brought_to_an_end() {
    sweep(ROLLBACK, Moment::HeldBack, 3);
}

#[test]
fn a_rollback_killed_after_a_request_is_brought_to_an_end() {
    sweep(ROLLBACK, Moment::LetThrough, 1);
}
