//! Somebody sets the clock: in the middle of an update, between an update and its recovery, and on
//! one of two machines. What comes out is the same, and no time that is told is absurd.

use rustix::process::Signal;
use serde_json::Value;

use super::staging::serving;
use crate::common::{
    Output, World,
    clock::Clock,
    process::Running,
    proxy::{Act, Moment, Proxy, starts_the_new_one},
};

/// More than any command of these tests takes, and less than any jump.
const AN_HOUR_S: f64 = 3_600.0;

/// A service at 1.0.0 for which 2.0.0 is there.
fn prepared(name: &str) -> World {
    let world = serving(name);
    world.publish("2.0.0", &[]);
    world
}

/// Every span of time that a document tells is one in which the command can have run.
#[track_caller]
fn tells_sane_times(document: &Value, said: &Output) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let (true, Some(seconds)) = (name.ends_with("_seconds"), value.as_f64()) {
                    assert!((0.0..AN_HOUR_S).contains(&seconds), "{name} is {seconds}:\n{said}");
                }
                tells_sane_times(value, said);
            }
        }
        Value::Array(all) => all.iter().for_each(|it| tells_sane_times(it, said)),
        _ => {}
    }
}

#[track_caller]
fn history_is_sane(world: &World) {
    let history = world.run_json(&["history", "web"]).exits(0);
    tells_sane_times(&history.json(), &history);
}

/// What was written down as the beginning is off by so many days: the clock is the one that was set.
/// Without this, all of these tests would pass with the right time.
#[track_caller]
fn was_off_by(world: &World, days: i32) {
    let history = world.run_by("other", &["history", "web", "-o", "json"]).exits(0);
    let document = history.json();
    let begun = document["operations"][0]["started_at"].as_str().expect("an operation");
    let begun: jiff::Timestamp = begun.parse().expect("a time");
    let off_h = begun.duration_since(jiff::Timestamp::now()).as_hours();
    let expected_h = i64::from(days) * 24;
    assert!((off_h - expected_h).abs() < 24, "{begun} is off by {off_h} hours:\n{history}");
}

/// The clock is set when the new version runs and is being looked at.
fn jumps_in_the_gate(name: &str, days: i32) {
    let world = prepared(name);
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"4s\"\nhealthy_deadline = \"30s\"");
    let clock = Clock::off_by(&world, "update", 0);
    let arguments = ["update", "web", "-y", "-o", "json"];
    let command = world.command("state", world.lab.engine_url(), &arguments);
    let running = Running::spawn(clock.of(command));
    world.until("the new version serves", || world.serving() == "2.0.0");
    clock.jump_to(days);
    let update = running.wait().exits(0).has("/outcome", "committed");
    tells_sane_times(&update.json(), &update);
    history_is_sane(&world);
    assert_eq!((world.serving(), world.rows()), ("2.0.0".to_owned(), 2), "{update}");
    world.run(&["rollback", "web", "-y"]).exits(0).says("1.0.0");
}

#[test]
fn a_clock_that_is_set_forward_in_the_gate_changes_nothing() {
    jumps_in_the_gate("forward", 30);
}

#[test]
fn a_clock_that_is_set_back_in_the_gate_changes_nothing() {
    jumps_in_the_gate("backward", -30);
}

/// Killed as it starts the new version, with a clock that is off by so many days.
fn killed(world: &World, days: i32) -> Output {
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::LetThrough, Act::Signal(Signal::KILL));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, starts_the_new_one);
    let command = world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]);
    let running = Running::spawn(Clock::off_by(world, "killed", days).of(command));
    proxy.watch(running.pid());
    let killed = running.wait();
    assert_eq!(killed.code, None, "it is killed:\n{killed}");
    killed
}

/// Runs a command with a clock that is off by so many days.
fn run_off_by(world: &World, days: i32, store: &str, arguments: &[&str]) -> Output {
    let arguments = [arguments, &["-o", "json"]].concat();
    let command = world.command(store, world.lab.engine_url(), &arguments);
    Running::spawn(Clock::off_by(world, store, days).of(command)).wait()
}

fn recovered_at_another_time(name: &str, days: i32) {
    let world = prepared(name);
    let old = world.id();
    let killed = killed(&world, 0);
    let recovered = run_off_by(&world, days, "state", &["recover", "web", "-y"]);
    let recovered = recovered.exits(0);
    let downtime = recovered.json()["downtime_seconds"].as_f64().unwrap_or(0.0);
    assert!(downtime >= 0.0, "{recovered}");
    assert_eq!(world.id(), old, "{killed}\n{recovered}");
    assert_eq!((world.serving(), world.rows()), ("1.0.0".to_owned(), 2), "{recovered}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{recovered}");
    let history = world.run_json(&["history", "web"]).exits(0);
    for operation in history.json()["operations"].as_array().into_iter().flatten() {
        assert!(operation["duration_seconds"].as_f64().unwrap_or(0.0) >= 0.0, "{history}");
    }
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    world.run(&["rollback", "web", "-y"]).exits(0).says("1.0.0");
}

#[test]
fn a_clock_that_is_set_back_before_the_recovery_changes_nothing() {
    recovered_at_another_time("recback", -400);
}

#[test]
fn a_clock_that_is_set_forward_before_the_recovery_changes_nothing() {
    recovered_at_another_time("recforth", 400);
}

/// Whoever takes over compares no clocks. One that is years behind does not take the lease of a
/// holder that is gone for one that was just renewed, and one that is years ahead takes it from
/// nobody who lives.
fn another_stores_clock(name: &str, days: i32) {
    let world = prepared(name);
    let old = world.id();
    let killed = killed(&world, 0);
    let taken = run_off_by(&world, days, "other", &["update", "web", "-y"]).exits(0);
    let taken = taken.says("was interrupted").has("/outcome", "committed");
    was_off_by(&world, days);
    assert_ne!(world.id(), old, "{killed}\n{taken}");
    assert_eq!((world.serving(), world.rows()), ("2.0.0".to_owned(), 2), "{taken}");
}

#[test]
fn a_lease_is_taken_over_by_whoever_watched_it_whatever_their_clock_says() {
    std::thread::scope(|scope| {
        let all = [("leaseback", -400), ("leaseforth", 400)];
        let all = all.map(|(name, days)| scope.spawn(move || another_stores_clock(name, days)));
        for it in all {
            it.join().expect("no panic");
        }
    });
}

/// A holder that lives is not overtaken by somebody for whom its last sign of life is a year old.
#[test]
fn a_clock_that_is_ahead_takes_no_lease_from_who_lives() {
    let world = prepared("alive");
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"50s\"\nhealthy_deadline = \"60s\"");
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version serves", || world.serving() == "2.0.0");
    let refused = run_off_by(&world, 400, "other", &["recover", "web", "-y"]).exits(3);
    assert!(refused.stdout.contains("locked"), "{refused}");
    running.signal(Signal::INT);
    running.wait().exits(130).has("/outcome", "interrupted");
    assert_eq!((world.serving(), world.rows()), ("1.0.0".to_owned(), 2));
}
