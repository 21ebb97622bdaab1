//! The program, or the engine, stands still for longer than any time-out, and goes on.

use std::time::Duration;

use rustix::process::Signal;

use super::staging::serving;
use crate::common::{
    World,
    process::Running,
    proxy::{Act, Moment, Proxy, Request, starts_the_new_one},
    spare::Spare,
};

/// Longer than a look at the engine (10 s), a look at the service, and the gate that is configured.
const LONG: Duration = Duration::from_secs(20);

/// Longer than any step of these updates may take (a minute), and than two terms of the lease.
const LONGER: Duration = Duration::from_secs(75);

const GATE: &str = "interval = \"100ms\"\ntimeout = \"2s\"\nhealthy_streak = 2\nmin_healthy_time = \"3s\"\nhealthy_deadline = \"6s\"";

/// A service at 1.0.0 for which 2.0.0 is there.
fn prepared(name: &str) -> World {
    let world = serving(name);
    world.gate(GATE);
    world.publish("2.0.0", &[]);
    world
}

/// The program is stopped for longer than its gate may take.
#[test]
fn whoever_stood_still_in_the_gate_goes_on_looking() {
    let world = prepared("stillgate");
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version serves", || world.serving() == "2.0.0");
    running.signal(Signal::STOP);
    std::thread::sleep(LONG);
    running.signal(Signal::CONT);
    let update = running.wait().exits(0).has("/outcome", "committed");
    assert_eq!((world.serving(), world.rows()), ("2.0.0".to_owned(), 2), "{update}");
}

/// What a release is worth is found out all the same.
#[test]
fn whoever_stood_still_while_a_version_died_takes_it_back() {
    let world = prepared("stilldies");
    // In each window of this length it dies.
    world.gate("interval = \"100ms\"\ntimeout = \"2s\"\nhealthy_streak = 2\nmin_healthy_time = \"10s\"\nhealthy_deadline = \"16s\"");
    world.publish("2.0.1", &[("LEDGER_HEALTH", "crash-after-8s")]);
    let old = world.id();
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version serves", || world.serving() == "2.0.1");
    running.signal(Signal::STOP);
    std::thread::sleep(LONG);
    running.signal(Signal::CONT);
    let update = running.wait().exits(4).has("/outcome", "rolled_back");
    assert_eq!(world.id(), old, "{update}");
    assert_eq!(world.serving(), "1.0.0", "{update}");
}

/// Stops the program at a request, which takes place; its answer lies there until it goes on.
fn stands_still_at(name: &str, picks: fn(&Request<'_>) -> bool, span: Duration) {
    let world = prepared(name);
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::HeldBack, Act::Signal(Signal::STOP));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, picks);
    let command = world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]);
    let running = Running::spawn(command);
    proxy.watch(running.pid());
    world.until("it stands still", || proxy.has_struck());
    std::thread::sleep(span);
    running.signal(Signal::CONT);
    let update = running.wait();
    let lines = proxy.requests().join("\n");
    assert_eq!(update.code, Some(0), "{update}\n{lines}");
    assert_eq!((world.serving(), world.rows()), ("2.0.0".to_owned(), 2), "{update}");
    assert_eq!(world.temporary_containers().len(), 1, "{update}");
}

fn looks_for_the_new_one(it: &Request<'_>) -> bool {
    it.line.starts_with("GET ") && it.line.ends_with("-new/json")
}

fn creates_the_new_one(it: &Request<'_>) -> bool {
    it.line.contains("/containers/create?name=") && it.line.ends_with("-new")
}

/// Each stands still for longer than the request, the step and the lease may last.
#[test]
fn whoever_stood_still_between_two_requests_goes_on_with_the_update() {
    type Picks = fn(&Request<'_>) -> bool;
    let all: [(&str, Picks, Duration); 4] = [
        ("stilllook", looks_for_the_new_one, LONG),
        ("stillcreate", creates_the_new_one, LONGER),
        ("stillstop", |it| it.line.contains("/stop?"), LONGER),
        ("stillstart", starts_the_new_one, LONGER),
    ];
    let failures: Vec<String> = std::thread::scope(|scope| {
        let start = |(name, picks, span)| scope.spawn(move || stands_still_at(name, picks, span));
        let all: Vec<_> = all.into_iter().map(start).collect();
        let failed = all.into_iter().filter_map(|it| it.join().err());
        failed.map(|it| it.downcast_ref::<String>().cloned().unwrap_or_default()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n=====\n\n"));
}

fn on(spare: &Spare, name: &str) -> World {
    let world = World::on_engine(spare.url(), name);
    world.gate("interval = \"100ms\"\ntimeout = \"2s\"\nhealthy_streak = 2\nmin_healthy_time = \"2s\"\nhealthy_deadline = \"60s\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(2);
    world.publish("2.0.0", &[]);
    world
}

/// Nothing can be seen of a version while the engine stands still, which says nothing against it.
#[test]
fn an_engine_that_stands_still_in_the_gate_is_waited_for() {
    let spare = Spare::take();
    let world = on(&spare, "frozen");
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version serves", || world.serving() == "2.0.0");
    spare.freeze_engine();
    std::thread::sleep(LONG);
    spare.thaw_engine();
    let update = running.wait().exits(0).has("/outcome", "committed");
    assert_eq!((world.serving(), world.rows()), ("2.0.0".to_owned(), 2), "{update}");
}

/// In the switch nobody waits for ever: one version serves afterwards, and nothing is held against
/// the new one.
#[test]
fn an_engine_that_stands_still_in_the_switch_leaves_one_version() {
    let spare = Spare::take();
    let world = on(&spare, "frozenswitch");
    let old = world.id();
    let socket = world.folder.path().join("engine.sock");
    let machine = spare.machine();
    let freeze = move |_: &str| machine.freeze_engine();
    let act = (Moment::HeldBack, Act::Do(Box::new(freeze)));
    let stops = |it: &Request<'_>| it.line.contains("/stop?");
    let proxy = Proxy::at(&socket, spare.url(), act, stops);
    let command = world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]);
    let running = Running::spawn(command);
    proxy.watch(running.pid());
    world.until("the engine stands still", || proxy.has_struck());
    std::thread::sleep(LONG);
    spare.thaw_engine();
    let update = running.wait();
    assert!(matches!(update.code, Some(0 | 4)), "{update}");
    let is_new = update.code == Some(0);
    let expected = if is_new { "2.0.0" } else { "1.0.0" };
    assert_eq!((world.serving().as_str(), world.rows()), (expected, 2), "{update}");
    assert_eq!(world.id() != old, is_new, "{update}");
    assert_eq!(world.temporary_containers().len(), usize::from(is_new), "{update}");
    world.run(&["recover", "web", "-y"]).exits(0);
    world.run(&["update", "web", "-y"]).exits(0);
    assert_eq!(world.serving(), "2.0.0");
}
