//! The engine takes longer for what it was asked than the program waits: it gives up and goes back by
//! itself, and the engine does what it was asked for all the same.

use std::{thread::sleep, time::Duration};

use super::{
    consistent::Standing,
    late::{
        Hold, a_moment, assert_as_before, at_it, creates, on_the_slow_runtime, publish_with_bulk,
        serving, starts, stops,
    },
};
use crate::common::{
    World,
    process::{Output, Running},
    spare::Spare,
    survival::Case,
    sweep::is_full,
};

/// The way back waits for the engine, so that whatever it was asked for has landed at its end.
#[track_caller]
fn gave_up(
    world: &World,
    (running, phase): (Running, &'static str),
    before: &Standing,
    (code, words): (i32, &str),
) -> Output {
    let ended = running.wait();
    assert_eq!(ended.code, Some(code), "{ended}");
    let transcript = format!("{ended}");
    let ended = ended.says(words);
    assert_as_before(world, before, &transcript);
    let event = "it gives up waiting, and the engine goes on";
    let case = Case::seen_in(phase, world, event, "1.0.0", "2.0.0");
    let started = world.service()["State"]["StartedAt"].clone();
    sleep(Duration::from_secs(10));
    world.run(&["recover", "web", "-y"]).exits(0);
    assert_as_before(world, before, &transcript);
    assert_eq!(world.service()["State"]["StartedAt"], started, "nobody stopped it:\n{transcript}");
    let lines = world.history();
    assert!(lines.iter().all(|it| !it.contains(" open")), "{lines:?}\n{transcript}");
    case.ended(&world.serving(), "1.0.0", "2.0.0", "itself");
    ended
}

/// Until the program gives it up, 15 s after its own time-out.
fn a_stop_is_given_up() {
    let spare = Spare::take();
    let world = World::on_engine(spare.url(), "givestop");
    world.publish("1.0.0", &[("LEDGER_STOP", "ignore-sigterm")]);
    serving(&world, &["--stop-timeout", "6"]);
    world.publish("2.0.0", &[]);
    let before = Standing::of(&world);
    let update = (at_it(&world, stops, || {}, a_moment), world.phase());
    spare.freeze_engine();
    sleep(Duration::from_secs(29));
    spare.thaw_engine();
    gave_up(&world, update, &before, (4, "21 s"));
}

/// After two minutes.
fn a_start_is_given_up() {
    let spare = Spare::take();
    let (world, machine) = (on_the_slow_runtime(&spare, "givestart"), spare.machine());
    let before = Standing::of(&world);
    let slowly = move || machine.starts_slowly(135);
    let update = (at_it(&world, starts(), slowly, || spare.is_starting()), world.phase());
    sleep(Duration::from_secs(90));
    gave_up(&world, update, &before, (4, "2 min"));
}

/// After ten minutes.
fn a_creation_is_given_up() {
    let spare = Spare::take();
    let world = World::on_engine(spare.url(), "givecreate");
    world.publish("1.0.0", &[]);
    serving(&world, &[]);
    publish_with_bulk(&world);
    let before = Standing::of(&world);
    let volumes = || world.docker(&["volume", "ls", "--quiet"]);
    let there = volumes();
    let hold = Hold::new(&spare, 620);
    let begun = hold.clone();
    let update = (at_it(&world, creates, move || begun.begin(), a_moment), world.phase());
    hold.wait();
    let ended = gave_up(&world, update, &before, (1, "10 min"));
    assert_eq!(volumes(), there, "its volume is gone too:\n{ended}");
}

/// With `SWITCHBACK_SWEEP=full` in the environment a start and a creation too, which take minutes.
#[test]
fn a_stop_that_takes_too_long_is_given_up_and_the_old_version_serves() {
    a_stop_is_given_up();
    if is_full() {
        a_start_is_given_up();
        a_creation_is_given_up();
    }
}
