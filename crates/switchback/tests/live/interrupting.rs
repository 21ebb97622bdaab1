//! A person changes their mind, or closes the terminal.

use rustix::process::Signal;

use crate::common::{
    World,
    process::{Output, Running},
    proxy::{Moment, Proxy},
};

/// A service at 1.0.0 for which 2.0.0 is there.
fn serving(name: &str) -> World {
    let world = World::new(name);
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(4);
    world.publish("2.0.0", &[]);
    world
}

/// Updates through a proxy that sends a signal when it sees a request that `picks` knows.
fn signalled(world: &World, signal: Signal, picks: impl Fn(&str) -> bool) -> Output {
    let socket = world.folder.path().join("engine.sock");
    let proxy = Proxy::start(&socket, world.lab.engine_url(), (0, Moment::HeldBack, signal));
    let running =
        Running::spawn(world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]));
    proxy.watch(running.pid());
    world.until("the request is made", || proxy.requests().iter().any(|it| picks(it)));
    running.signal(signal);
    running.wait()
}

#[track_caller]
fn nothing_has_changed(world: &World, old: &str) {
    assert_eq!(world.id(), old);
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 4);
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
    assert_eq!(world.kept_images(), Vec::<String>::new());
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
    assert_eq!(world.history(), ["update interrupted 130"]);
}

fn creates(line: &str) -> bool {
    line.contains("/containers/create?name=") && line.contains("-new")
}

#[test]
fn an_interrupt_while_staging_costs_nothing() {
    let world = serving("intstage");
    let old = world.id();
    let prober = world.prober();
    let update = signalled(&world, Signal::INT, creates);
    let report = prober.stop();
    let update = update.exits(130).has("/outcome", "interrupted");
    assert_eq!(report.lost, 0, "{report:?}\n{update}");
    nothing_has_changed(&world, &old);
}

#[test]
fn an_interrupt_during_the_stop_brings_the_old_one_back() {
    let world = serving("intstop");
    let old = world.id();
    let stops = |line: &str| line.contains("/stop?t=");
    signalled(&world, Signal::INT, stops).exits(130).has("/outcome", "interrupted");
    nothing_has_changed(&world, &old);
}

#[test]
fn an_interrupt_during_the_gate_brings_the_old_one_back() {
    let world = serving("intgate");
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"8s\"\nhealthy_deadline = \"12s\"");
    let old = world.id();
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version serves", || world.serving() == "2.0.0");
    running.signal(Signal::INT);
    running.wait().exits(130).has("/outcome", "interrupted");
    nothing_has_changed(&world, &old);

    // An interruption says nothing about the release.
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"1s\"\nhealthy_deadline = \"12s\"");
    world.run_json(&["update", "web", "-y"]).exits(0).has("/release", "r2");
}

#[test]
fn a_second_interrupt_leaves_at_once_and_says_so_in_the_form_that_was_asked_for() {
    let world = serving("inttwice");
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"10s\"\nhealthy_deadline = \"15s\"");
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version serves", || world.serving() == "2.0.0");
    running.signal(Signal::INT);
    // The way back has to prove itself for as long as the update would have had to.
    world.until("the old one serves again", || world.serving() == "1.0.0");
    running.signal(Signal::INT);
    let left = running.wait().exits(130);
    left.has("/error/code", "interrupted").has("/error/hint", "switchback recover");
    world.run_json(&["recover", "web", "-y"]).exits(0).has("/outcome", "interrupted");
    let learned = world.run_json(&["recover", "web", "-y"]).exits(0);
    learned.has("/outcome", "up_to_date").has("/action", "recover");
}

#[test]
fn an_update_keeps_its_line_in_the_history_beside_that_of_its_recovery() {
    let world = serving("intlines");
    signalled(&world, Signal::KILL, |line: &str| line.contains("/stop?t="));
    let recovered = world.run_json(&["recover", "web", "-y"]).exits(0);
    let result = recovered.json();
    let document = world.run_json(&["history", "web"]).exits(0).json();
    let (recovery, update) = (&document["operations"][0], &document["operations"][1]);

    assert_eq!(world.history(), ["update interrupted 130", "recover interrupted 0"]);
    assert_eq!(recovery["operation"], result["recovery"], "{document:#}");
    assert_eq!(recovery["related"], update["operation"], "{document:#}");
    assert_eq!(recovery["trigger"], "recovery", "{document:#}");
    assert!(recovery["command_line"].as_str().unwrap().contains("recover web"), "{document:#}");

    assert_eq!(update["operation"], result["operation"], "{document:#}");
    assert_eq!(update["action"], "update", "{document:#}");
    assert_eq!(update["trigger"], "manual", "{document:#}");
    assert!(update["command_line"].as_str().unwrap().contains("update web"), "{document:#}");
    assert_eq!(update["recovered"]["operation"], recovery["operation"], "{document:#}");
    assert_eq!(update["recovered"]["at"], recovery["finished_at"], "{document:#}");
    assert!(world.run(&["history", "web"]).stdout.contains(", recovered by "));
}

#[test]
fn a_closed_terminal_stops_nothing() {
    let world = serving("hangup");
    signalled(&world, Signal::HUP, creates).exits(0).has("/outcome", "committed");
    assert_eq!(world.serving(), "2.0.0");
    assert_eq!(world.history(), ["update committed 0"]);
}
