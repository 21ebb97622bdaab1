//! The program is killed at each request that it makes of the engine, and whatever it left is brought to an end.
//!
//! Every fourth request is tried; with `SWITCHBACK_SWEEP=full` in the environment, each one, and then
//! another store recovers a third of them.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rustix::process::Signal;

use super::{
    consistent::{Judge, Standing},
    rule::Must,
    scenario::{FAILING, ROLLBACK, Scenario, UPDATE},
};
use crate::common::{
    World,
    process::{Output, Running},
    proxy::{Moment, Proxy},
    survival::Case,
};

/// Of the requests of a command at least so many are tried: 137 to 171 were counted.
const FEWEST: usize = 100;

/// So many failures are enough to read.
const ENOUGH: usize = 10;

/// Of two cores; these tests wait more than they work.
const WORKERS: usize = 3;

fn is_full() -> bool {
    std::env::var("SWITCHBACK_SWEEP").is_ok_and(|it| it == "full")
}

fn step() -> usize {
    if is_full() { 1 } else { 4 }
}

/// Whether another store recovers what is left at the n-th of the places. It waits half a minute for
/// the lease to expire, so that it is one or two of a short sweep.
fn is_recovered_by_another(place: usize) -> bool {
    if is_full() { place % 3 == 2 } else { place % 24 == 12 }
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

/// How a command ended that was to be killed.
enum Ended {
    /// It was killed, and what it did was committed nevertheless, or not; and whether it had to be.
    Killed { committed: bool, had_to: bool },
    /// It had ended before it made so many requests.
    ByItself,
}

fn fails<T>(why: String) -> T {
    panic!("{why}")
}

/// One kill and its recovery.
fn one(
    world: &World,
    scenario: Scenario,
    (at, moment): (usize, Moment),
    by_another: bool,
    said: &mut String,
) -> Ended {
    let before = Standing::of(world);
    let (was_killed, output, proxy) = killed(world, scenario, at, moment);
    let requests = proxy.requests();
    let last = requests.get(at - 1).cloned().unwrap_or_default();
    write!(said, "request {at} ({last}), {moment:?}\n{output}\n").ok();
    let mut judge = Judge::called(world, scenario, &before, output.code).unwrap_or_else(fails);
    writeln!(said, "left: {:?}", judge.left).ok();
    let mut case = None;
    if was_killed {
        case = Some(Case::seen(world, "SIGKILL", scenario.from(), scenario.to));
        // The store whose process was killed learns how it ended.
        let stores: &[_] = if by_another { &["other", "state"] } else { &["state"] };
        for store in stores {
            let recovered = world.run_by(store, &["recover", "web", "-y", "-o", "json"]);
            writeln!(said, "{recovered}").ok();
            assert_eq!(recovered.code, Some(0), "the store {store} recovers it");
            judge.hears(store, &recovered);
        }
    } else {
        assert_eq!(output.code, Some(scenario.code), "{output}");
        // Whoever made that request and lived on was not killed where it had to be.
        assert!(requests.len() <= at, "it made {} requests", requests.len());
    }
    let committed = judge.judges().unwrap_or_else(fails);
    let by = if by_another { "another store" } else { "the same store" };
    if let Some(case) = case {
        case.ended(&world.serving(), scenario.from(), scenario.to, by);
        return Ended::Killed { committed, had_to: judge.left.must == Must::Commit };
    }
    Ended::ByItself
}

/// Kills at every request, `step` apart, on as many worlds as there are workers.
fn sweep(scenario: Scenario, moment: Moment, first: usize) {
    let (next, over) = (AtomicUsize::new(first), AtomicBool::new(false));
    let (failures, killed) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let had_to_commit = AtomicBool::new(false);
    let work = || {
        let mut world = None;
        while !over.load(Ordering::SeqCst) {
            let at = next.fetch_add(step(), Ordering::SeqCst);
            let by_another = is_recovered_by_another((at - first) / step());
            let mut said = String::new();
            let tried = catch_unwind(AssertUnwindSafe(|| {
                let world = world.get_or_insert_with(|| scenario.world());
                one(world, scenario, (at, moment), by_another, &mut said)
            }));
            match tried {
                Ok(Ended::Killed { committed, had_to }) => {
                    killed.fetch_add(1, Ordering::SeqCst);
                    had_to_commit.fetch_or(had_to, Ordering::SeqCst);
                    world = world.filter(|_| !committed && !by_another);
                }
                Ok(Ended::ByItself) => over.store(true, Ordering::SeqCst),
                Err(panic) => {
                    let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    let mut failures = failures.lock().expect("no panic here");
                    failures.push(format!("{said}{why}"));
                    // Where everything fails no run ends by itself.
                    over.fetch_or(failures.len() >= ENOUGH, Ordering::SeqCst);
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
    let killed = killed.into_inner();
    assert!(killed * step() >= FEWEST, "only {killed} were killed, {} requests apart", step());
    // A command that succeeds makes more than a dozen requests after its commit.
    let was_tried = had_to_commit.into_inner() || scenario.code != 0;
    assert!(was_tried, "none of {killed} was killed after its commit");
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
