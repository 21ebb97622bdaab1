//! The program is killed at each request that it makes of the engine, and whatever it left is brought to an end.
//!
//! Every fourth request is tried; with `SWITCHBACK_SWEEP=full` in the environment, each one, and then
//! another store recovers a third of them.

use std::fmt::Write as _;

use rustix::process::Signal;

use super::{
    consistent::Standing,
    in_turn::{self, Ended, Left},
    scenario::{FAILING, ROLLBACK, Scenario, UPDATE},
};
use crate::common::{
    World,
    process::{Output, Running},
    proxy::{Moment, Proxy},
    sweep::is_full,
};

/// Of the requests of a command at least so many are tried: 137 to 171 were counted.
const FEWEST: usize = 100;

/// Of a short sweep every so many are recovered by another store.
const SELDOM: usize = 24;

/// Runs the command and kills it at a request, if it makes so many.
fn killed(world: &World, scenario: Scenario, at: usize, moment: Moment) -> (Output, Proxy) {
    let socket = world.folder.path().join(format!("engine-{at}.sock"));
    let proxy = Proxy::start(&socket, world.lab.engine_url(), (at, moment, Signal::KILL));
    let running = Running::spawn(world.command("state", &proxy.url, scenario.arguments));
    proxy.watch(running.pid());
    let output = running.wait();
    assert!(proxy.has_struck() || output.code.is_some(), "nobody else kills it: {output}");
    (output, proxy)
}

/// One kill and its recovery.
fn one(
    world: &World,
    scenario: Scenario,
    (at, moment): (usize, Moment),
    by_another: bool,
    said: &mut String,
) -> Ended {
    let before = &Standing::of(world);
    let (output, proxy) = killed(world, scenario, at, moment);
    let requests = proxy.requests();
    let last = requests.get(at - 1).cloned().unwrap_or_default();
    write!(said, "request {at} ({last}), {moment:?}\n{output}\n").ok();
    let left = Left { world, scenario, before, output: &output, event: "SIGKILL" };
    let ended = left.is_brought_to_an_end(by_another, said);
    // Whoever made that request and lived on was not killed where it had to be.
    let is_over = matches!(ended, Ended::ByItself);
    assert!(!is_over || requests.len() <= at, "it made {} requests", requests.len());
    ended
}

/// Kills at every request, `step` apart.
fn sweep(scenario: Scenario, moment: Moment, first: usize) {
    let step = if is_full() { 1 } else { 4 };
    let swept = in_turn::sweep(
        (first, step, SELDOM),
        || scenario.world(),
        |world, at, by_another, said| one(world, scenario, (at, moment), by_another, said),
    );
    let killed = swept.killed;
    let (enough, missed) = (killed * step >= FEWEST, &swept.missed);
    assert!(enough, "only {killed} were killed, {step} requests apart, and missed were {missed:?}");
    // A command that succeeds makes more than a dozen requests after its commit.
    let was_tried = swept.had_to_commit || scenario.code != 0;
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
