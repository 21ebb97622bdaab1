//! Is there something newer? Asked without changing or pulling anything.

use std::{fmt::Write as _, net::TcpListener};

use rustix::process::Signal;

use crate::common::{
    World,
    process::Running,
    proxy::{Moment, Proxy},
    registry::SlowRegistry,
};

#[test]
fn check_says_what_is_newer_and_pulls_nothing() {
    let world = World::new("check");
    world.publish("1.0.0", &[]);
    world.start_service();
    let images = || {
        let format = "{{.Repository}}:{{.Tag}}@{{.Digest}} {{.ID}}";
        let all = ["images", "--all", "--digests", "--no-trunc", "--format", format];
        world.docker(&[&all[..], &[&world.repository_reference()]].concat())
    };
    let before = images();

    let same = world.run_json(&["check"]).exits(0).has("/deployments/0/status", "up_to_date");
    let digest = same.json()["deployments"][0]["current_version"].clone();
    assert_eq!(same.json()["deployments"][0]["target_version"], digest);
    let newer = world.publish("1.1.0", &[]);
    let found =
        world.run_json(&["check", "web"]).exits(10).has("/deployments/0/status", "available");
    let found = found
        .has("/deployments/0/target_version", &newer)
        .has("/deployments/0/target_label", "1.1.0");
    found.has("/deployments/0/current_label", "1.0.0");
    world.run(&["check"]).exits(10).says("Next: switchback update web");
    assert_eq!(images(), before, "nothing was pulled");
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
    assert_eq!(world.history(), Vec::<String>::new());
}

#[test]
fn what_was_rejected_is_not_offered_and_what_is_held_is_said() {
    let world = World::new("checkbad");
    world.publish("1.0.0", &[]);
    world.publish_as("stable", "1.0.0", &[]);
    world.start_service();
    world.publish("1.1.0", &[("LEDGER_HEALTH", "never")]);
    world.run(&["update", "web", "-y"]).exits(4).says("1.1.0");
    let found = world.run_json(&["check"]).exits(0).has("/deployments/0/status", "quarantined");
    assert!(found.json()["deployments"][0]["reason"].is_string(), "{found}");
    world.publish("1.2.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.2.0");
    world.run(&["update", "web", "--to", "stable", "-y"]).exits(0).says("1.0.0");
    let held = world.run_json(&["check"]).exits(10);
    assert_eq!(held.json()["deployments"][0]["held"], true, "{held}");
}

#[test]
fn a_registry_that_does_not_answer_is_no_up_to_date() {
    let world = World::new("checkdown");
    world.publish("1.0.0", &[]);
    world.start_service();
    // Nobody listens on the port that a listener has just given back.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.setting(&format!("image = \"127.0.0.1:{port}/web:latest\""));
    let down = world.run_json(&["check"]).exits(11).has("/deployments/0/status", "unknown");
    let down = down.has("/deployments/0/reason", "registry_unreachable");
    down.says("Failed to check registry: ");
    world.run(&["check"]).exits(11).says("Failed to check registry: ");
}

#[test]
fn a_changed_run_is_something_newer_too() {
    let world = World::new("checkrun");
    world.publish("1.0.0", &[]);
    world.setting(&format!("run.ports = [\"{}\"]", world.published(8080)));
    world.made.containers.borrow_mut().push(world.name.clone());
    let installs =
        world.run_json(&["check"]).exits(10).has("/deployments/0/reason", "not_installed");
    installs.says("1.0.0");
    world.run(&["update", "web", "-y"]).exits(0).says("1.0.0");
    world.run_json(&["check"]).exits(0).says("up_to_date");
    world.setting("run.environment = { LEDGER_BUILD = \"other\" }");
    world.run_json(&["check"]).exits(10).has("/deployments/0/reason", "run has changed");
}

#[test]
fn what_was_rejected_as_it_was_run_is_offered_when_it_is_run_otherwise() {
    let world = World::new("checkspec");
    world.publish("1.0.0", &[]);
    world.setting(&format!("run.ports = [\"{}\"]", world.published(8080)));
    world.made.containers.borrow_mut().push(world.name.clone());
    world.run(&["update", "web", "-y"]).exits(0).says("1.0.0");
    world.publish("1.1.0", &[("LEDGER_HEALTH", "never")]);
    world.run(&["update", "web", "-y"]).exits(4);
    world.run_json(&["check"]).exits(0).has("/deployments/0/status", "quarantined");

    world.setting("run.environment = { LEDGER_HEALTH = \"ok\" }");
    world.run_json(&["check"]).exits(10).has("/deployments/0/status", "available");
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
}

/// A hundred deployments of one registry: how much is asked of it, and how much at a time, decides
/// whether that takes one second or ten. Times are measured elsewhere; here requests are counted.
#[test]
fn a_hundred_deployments_are_asked_for_once_each_and_many_at_a_time() {
    let world = World::new("hundred");
    let digest = world.publish("1.0.0", &[]);
    let image = world.image("latest");
    world.docker(&["pull", "--quiet", &image]);
    let registry = SlowRegistry::start(digest);
    let mut text = String::new();
    for number in 0..100 {
        let name = world.also_runs(&number.to_string());
        world.docker(&["create", "--name", &name, &image]);
        writeln!(text, "[deployment.d{number}]\nkind = \"container\"\ncontainer = \"{name}\"\nimage = \"127.0.0.1:{}/web{number}:latest\"", registry.port).unwrap();
    }
    let file = world.folder.path().join("hundred.toml");
    fs_err::write(&file, text).unwrap();

    let checked = world.run_json(&["-c", file.to_str().unwrap(), "check"]).exits(0);
    let document = checked.json();
    let all = document["deployments"].as_array().unwrap();
    assert_eq!(all.len(), 100);
    assert!(all.iter().all(|it| it["status"] == "up_to_date"), "{document}");
    let asked = registry.counts();
    assert_eq!(asked.heads, 100, "one question a deployment");
    assert_eq!(asked.others, 0, "nothing but HEAD");
    // Sixteen are let through at a time; on a busy machine some of them come late.
    assert!((8..=16).contains(&asked.most_at_once), "{}", asked.most_at_once);
}

#[test]
fn health_of_many_deployments_asks_an_engine_once_what_it_is() {
    let world = World::new("healthy");
    world.publish("1.0.0", &[]);
    world.start_service();
    let mut text = String::new();
    for number in 0..5 {
        let name = world.also_runs(&number.to_string());
        world.docker(&["run", "--detach", "--name", &name, &world.image("latest")]);
        write!(
            text,
            "[deployment.web{number}]\nkind = \"container\"\ncontainer = \"{name}\"\n\
             health.http = \"http://{}/health\"\n",
            world.address
        )
        .unwrap();
    }
    let file = world.folder.path().join("many.toml");
    fs_err::write(&file, text).unwrap();
    let socket = world.folder.path().join("engine.sock");
    let never = (usize::MAX, Moment::LetThrough, Signal::KILL);
    let proxy = Proxy::start(&socket, world.lab.engine_url(), never);

    let arguments = ["-c", file.to_str().unwrap(), "health", "-o", "json"];
    let running = Running::spawn(world.command("state", &proxy.url, &arguments));
    proxy.watch(running.pid());
    let health = running.wait().exits(0).json();
    assert_eq!(health["deployments"].as_object().map(serde_json::Map::len), Some(5), "{health}");
    assert_eq!(health["deployments"]["web4"]["healthy"], true, "{health}");
    let infos = proxy.requests().iter().filter(|it| it.ends_with("/info")).count();
    assert_eq!(infos, 1, "{:?}", proxy.requests());
}
