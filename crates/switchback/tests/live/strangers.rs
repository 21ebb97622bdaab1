//! Somebody else makes, moves or removes containers where an update is at work.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{
    Output, World,
    process::Running,
    proxy::{Act, Moment, Proxy, Request},
};

/// A service at 1.0.0 for which 2.0.0 is there.
fn prepared(name: &str) -> World {
    let world = World::new(name);
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(3);
    world.publish("2.0.0", &[]);
    world
}

/// Updates; when it makes a request that `picks` knows, somebody runs the docker client with what
/// `arguments` makes of the container's name and of the request.
fn meddled(
    world: &World,
    picks: fn(&Request<'_>) -> bool,
    arguments: fn(&str, &str) -> Vec<String>,
) -> Output {
    let (engine, name) = (world.lab.engine_url().to_owned(), world.name.clone());
    let meddle = move |line: &str| {
        let run = Command::new("docker")
            .args(arguments(&name, line))
            .env("DOCKER_HOST", &engine)
            .output()
            .expect("the docker client runs");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::HeldBack, Act::Do(Box::new(meddle)));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, picks);
    let command = world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]);
    let running = Running::spawn(command);
    proxy.watch(running.pid());
    let output = running.wait();
    assert!(proxy.has_struck(), "somebody has meddled:\n{output}");
    output
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|it| (*it).to_owned()).collect()
}

/// `docker create` of something harmless.
fn create(name: &str) -> Vec<String> {
    words(&["create", "--name", name, "--entrypoint", "/keeper", &keeper_image(), "hold"])
}

/// An image that every engine has on which an update is at work.
fn keeper_image() -> String {
    switchback_targets::keeper::image::image_reference()
}

/// The container that a request names: `…?name=NAME`, or `…/containers/NAME/json`.
fn named(line: &str) -> &str {
    let after = line.split_once("name=").or_else(|| line.split_once("/containers/"));
    after.map_or("", |it| it.1.split(['&', '/']).next().unwrap_or_default())
}

fn looks_for_the_new_one(it: &Request<'_>) -> bool {
    it.line.contains("/containers/") && it.line.ends_with("-new/json")
}

#[track_caller]
fn code_and_message(output: &Output) -> (String, String) {
    let document = output.json();
    let document = document.pointer("/results/0").unwrap_or(&document);
    let text = |key: &str| document["error"][key].as_str().unwrap_or_default().to_owned();
    (text("code"), text("message"))
}

#[track_caller]
fn nothing_was_stopped(world: &World, before: &Value) {
    let now = world.service();
    assert_eq!(now["Id"], before["Id"]);
    assert_eq!(now["State"]["StartedAt"], before["State"]["StartedAt"], "it never stopped");
    assert_eq!(world.serving(), "1.0.0");
}

#[test]
fn a_container_of_ones_own_with_the_name_of_the_lease_is_refused_by_its_name() {
    let world = prepared("ownlease");
    let before = world.service();
    let lease = format!("switchback-lease-{}", world.name);
    world.made.containers.borrow_mut().push(lease.clone());
    world.docker(&["create", "--name", &lease, &world.image("latest")]);
    for command in [["update", "web", "-y"], ["recover", "web", "-y"]] {
        let refused = world.run_json(&command).exits(3).says(&format!("docker rename {lease}"));
        let (code, message) = code_and_message(&refused);
        assert_eq!(code, "preflight_failed", "{refused}");
        assert!(message.contains(&lease), "{refused}");
    }
    nothing_was_stopped(&world, &before);
    world.run(&["status", "web"]).exits(0);
    world.docker(&["inspect", "--type", "container", &lease]);
}

#[test]
fn a_container_of_ones_own_with_the_temporary_name_costs_nothing() {
    let world = prepared("owntemp");
    let before = world.service();
    let refused = meddled(&world, looks_for_the_new_one, |_, line| create(named(line))).exits(1);
    let (code, message) = code_and_message(&refused);
    assert_eq!(code, "drifted", "{refused}");
    let stranger = world.temporary_containers();
    assert_eq!(stranger.len(), 1, "the stranger's is untouched: {stranger:?}");
    assert!(message.contains(&stranger[0]), "{refused}");
    nothing_was_stopped(&world, &before);
}

#[test]
fn a_container_that_takes_the_temporary_name_just_before_us_is_not_removed() {
    let world = prepared("fasttemp");
    let before = world.service();
    let creates =
        |it: &Request<'_>| it.line.contains("/containers/create?") && it.line.ends_with("-new");
    let refused = meddled(&world, creates, |_, line| create(named(line))).exits(1);
    let (code, message) = code_and_message(&refused);
    assert_eq!(code, "drifted", "{refused}");
    let stranger = world.temporary_containers();
    assert_eq!(stranger.len(), 1, "the stranger's is untouched: {stranger:?}");
    assert!(message.contains(&stranger[0]), "{refused}");
    nothing_was_stopped(&world, &before);
}

#[test]
fn a_container_of_ones_own_with_the_parked_name_is_noticed_before_anything_stops() {
    let world = prepared("ownparked");
    let before = world.service();
    let parked = |_: &str, line: &str| create(&named(line).replace("-new", "-old"));
    let refused = meddled(&world, looks_for_the_new_one, parked).exits(1);
    let (code, message) = code_and_message(&refused);
    assert_eq!(code, "drifted", "{refused}");
    assert!(message.contains("-old"), "{refused}");
    assert_eq!(world.temporary_containers().len(), 1, "the stranger's is untouched");
    nothing_was_stopped(&world, &before);
}

/// After the stop, before the names change hands.
fn takes_the_policy(it: &Request<'_>) -> bool {
    it.line.starts_with("POST ") && it.line.ends_with("/update")
}

#[test]
fn an_old_version_renamed_half_way_is_left_under_its_name_and_named() {
    let world = prepared("renamed");
    let old = world.id();
    let moved = world.also_runs("moved");
    let rename = |name: &str, _: &str| words(&["rename", name, &format!("{name}-moved")]);
    let stuck = meddled(&world, takes_the_policy, rename).exits(5);
    let (code, message) = code_and_message(&stuck);
    assert_eq!(code, "undo_failed", "{stuck}");
    assert!(message.contains(&moved), "what stands there is named:\n{stuck}");
    let found = world.inspect(&moved);
    assert_eq!(found["Id"], old.as_str(), "it is left where the stranger put it:\n{stuck}");
    assert_eq!(found["State"]["Running"], true, "and it serves:\n{stuck}");
    assert_eq!(world.serving(), "1.0.0");

    // A person puts it back, and what was begun is brought to its end.
    world.docker(&["rename", &moved, &world.name]);
    world.run_json(&["recover", "web", "-y"]).exits(0);
    assert_eq!(world.id(), old);
    assert_eq!(world.rows(), 3);
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
}

#[test]
fn an_old_version_removed_half_way_is_made_again_from_its_record() {
    let world = prepared("gone");
    let old = world.id();
    let remove = |name: &str, _: &str| words(&["rm", "--force", name]);
    let back = meddled(&world, takes_the_policy, remove).exits(4).has("/outcome", "rolled_back");
    assert_ne!(world.id(), old, "{back}");
    assert_eq!(world.serving(), "1.0.0", "{back}");
    assert_eq!(world.rows(), 3, "{back}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{back}");
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped", "{back}");
}

#[test]
fn an_old_version_started_half_way_serves_on_with_its_data() {
    let world = prepared("started");
    let old = world.id();
    let start = |name: &str, _: &str| words(&["start", name]);
    let back = meddled(&world, takes_the_policy, start);
    assert!([Some(1), Some(4)].contains(&back.code), "it goes back:\n{back}");
    assert_eq!(world.id(), old, "{back}");
    assert_eq!(world.serving(), "1.0.0", "{back}");
    assert_eq!(world.rows(), 3, "{back}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{back}");
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped", "{back}");
}

#[test]
fn a_new_version_removed_in_its_gate_goes_back_and_bans_nothing() {
    let world = prepared("newgone");
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"6s\"\nhealthy_deadline = \"12s\"");
    let old = world.id();
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version serves", || world.serving() == "2.0.0");
    world.docker(&["rm", "--force", &world.name]);
    let back = running.wait().exits(4).has("/error/code", "drifted");
    assert_eq!(world.id(), old, "{back}");
    assert_eq!(world.serving(), "1.0.0", "{back}");
    assert_eq!(world.rows(), 3, "{back}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{back}");
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"1s\"\nhealthy_deadline = \"12s\"");
    world.run_json(&["update", "web", "-y"]).exits(0).has("/release", "r2");
}

/// An update to a version that never gets healthy; on its way back, while the old one proves itself,
/// somebody runs the docker client with these arguments. That is the end of it: stuck.
fn stuck_because(world: &World, arguments: &[&str]) -> Output {
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"4s\"\nhealthy_deadline = \"6s\"");
    world.publish("2.1.0", &[("LEDGER_HEALTH", "never")]);
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version runs", || world.serving() == "2.1.0");
    world.until("the old one is back", || world.serving() == "1.0.0");
    world.docker(arguments);
    let stuck = running.wait().exits(5).has("/outcome", "stuck");
    assert_eq!(world.serving(), "", "nobody else starts it:\n{stuck}");
    stuck
}

#[test]
fn an_old_version_stopped_while_it_proves_itself_again_is_started_by_whoever_recovers_it_by_name() {
    let world = prepared("stopped");
    let old = world.id();
    let stuck = stuck_because(&world, &["stop", &world.name]);

    // As at a boot. Whoever stopped it may have done so to repair something.
    let all = world.run_json(&["recover", "-y"]).exits(5);
    assert_eq!(world.serving(), "", "{stuck}\n{all}");

    let recovered = world.run_json(&["recover", "web", "-y"]).exits(0);
    assert_eq!(world.id(), old, "{stuck}\n{recovered}");
    assert_eq!((world.serving(), world.rows()), ("1.0.0".to_owned(), 3), "{stuck}\n{recovered}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{stuck}\n{recovered}");
}

#[test]
fn an_old_version_removed_while_it_proves_itself_again_is_made_again_by_whoever_recovers() {
    let world = prepared("taken");
    let old = world.id();
    let stuck = stuck_because(&world, &["rm", "--force", &world.name]);
    let recovered = world.run_json(&["recover", "web", "-y"]).exits(0);
    assert_ne!(world.id(), old, "{stuck}\n{recovered}");
    assert_eq!((world.serving(), world.rows()), ("1.0.0".to_owned(), 3), "{stuck}\n{recovered}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{stuck}\n{recovered}");
}

#[test]
fn who_shares_the_network_of_an_old_version_that_is_started_again_is_started_again_with_it() {
    let world = prepared("beside");
    let beside = world.also_runs("vpn");
    let (image, network) = (world.image("latest"), format!("container:{}", world.name));
    let command = ["--entrypoint", "/bin/sh", &image, "-c", "sleep 3600"];
    let shares = ["run", "--detach", "--init", "--name", &beside, "--network", &network];
    world.docker(&[&shares[..], &command].concat());
    let stuck = stuck_because(&world, &["stop", &world.name]);
    assert_eq!(world.inspect(&beside)["State"]["Running"], true, "{stuck}");

    let recovered = world.run_json(&["recover", "web", "-y"]).exits(0);
    let asks = ["exec", &beside, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/"];
    let answer = world.docker_output(&asks);
    assert!(answer.as_ref().is_ok_and(|it| it.contains("1.0.0")), "{answer:?}\n{recovered}");
}

#[test]
fn an_old_version_that_proves_itself_again_is_not_touched_by_whoever_recovers() {
    let world = prepared("proving");
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"4s\"\nhealthy_deadline = \"6s\"");
    world.publish("2.1.0", &[("LEDGER_HEALTH", "never")]);
    let running = world.start(&["update", "web", "-y", "-o", "json"]);
    world.until("the new version runs", || world.serving() == "2.1.0");
    world.until("the old one is back", || world.serving() == "1.0.0");
    let started = world.service()["State"]["StartedAt"].clone();
    running.signal(Signal::KILL);
    let killed = running.wait();
    assert_eq!(killed.code, None, "it is killed:\n{killed}");
    let recovered = world.run_json(&["recover", "web", "-y"]).exits(0);
    let recovered = recovered.has("/outcome", "rolled_back");
    assert_eq!(world.service()["State"]["StartedAt"], started, "{killed}\n{recovered}");
    assert_eq!((world.serving(), world.rows()), ("1.0.0".to_owned(), 3), "{recovered}");
}
