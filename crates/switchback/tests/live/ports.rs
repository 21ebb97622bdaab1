//! Somebody takes a port between the plan and the start.

use std::process::Command;

use super::staging::serving;
use crate::common::{
    Output, World,
    process::Running,
    proxy::{Act, Moment, Proxy, Request, starts_the_new_one},
};

/// Updates; at the request that `picks` knows, somebody else's container takes a port of the host.
fn with_a_thief(world: &World, port: u16, picks: fn(&Request<'_>) -> bool) -> Output {
    let thief = world.also_runs("thief");
    let engine = world.lab.engine_url().to_owned();
    let published = format!("{}:{port}:1", world.lab.publish_address());
    let image = switchback_targets::keeper::image::image_reference();
    let take = move |_: &str| {
        let words = ["run", "--detach", "--name", &thief, "--publish", &published];
        let words = [&words[..], &["--entrypoint", "/keeper", &image, "hold"]].concat();
        // Some engines give a port free a moment after whoever had it has stopped.
        for _ in 0..50 {
            let run = Command::new("docker").args(&words).env("DOCKER_HOST", &engine).output();
            if run.expect("the docker client runs").status.success() {
                return;
            }
            let _removed = Command::new("docker")
                .args(["rm", "--force", &thief])
                .env("DOCKER_HOST", &engine)
                .output();
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the port {published} was not to be had");
    };
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::HeldBack, Act::Do(Box::new(take)));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, picks);
    let command = world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]);
    let running = Running::spawn(command);
    proxy.watch(running.pid());
    let output = running.wait();
    assert!(proxy.has_struck(), "the port was taken:\n{output}");
    output
}

#[test]
fn a_further_port_that_somebody_takes_before_the_start_goes_back_and_bans_nothing() {
    let world = World::new("newport");
    world.publish("1.0.0", &[]);
    world.made.containers.borrow_mut().push(world.name.clone());
    world.setting(&format!("run.ports = [\"{}\"]", world.published(8080)));
    world.run(&["update", "web", "-y"]).exits(0).says("1.0.0");
    let old = world.id();
    world.publish("2.0.0", &[]);
    let port = switchback_testkit::lab::free_port().expect("a port on which nothing listens");
    let further = format!("{}:{port}:9999", world.lab.publish_address());
    world.without_settings();
    world.setting(&format!("run.ports = [\"{}\", \"{further}\"]", world.published(8080)));

    let stops = |it: &Request<'_>| it.line.contains("/stop?");
    let back = with_a_thief(&world, port, stops).exits(4).has("/outcome", "rolled_back");
    let back = back.has("/error/code", "drifted").says(&port.to_string());
    assert_eq!(world.id(), old, "{back}");
    assert_eq!(world.serving(), "1.0.0", "{back}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{back}");

    // With the thief still there it is refused before anything stops, and taken once it is gone.
    world.run(&["update", "web", "-y"]).exits(3).says(&port.to_string());
    world.docker(&["rm", "--force", &format!("{}-thief", world.name)]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
}

/// Without its port neither version can run. Nothing is claimed, and nothing is lost: once the port
/// is free, `recover` brings back what ran before.
#[test]
fn the_services_own_port_taken_in_the_switch_is_told_and_recovered_from() {
    let world = serving("ownport");
    let old = world.id();
    world.publish("2.0.0", &[]);
    let stuck = with_a_thief(&world, world.port, starts_the_new_one);
    let stuck = stuck.exits(5).has("/outcome", "stuck").says(&world.port.to_string());
    world.docker(&["rm", "--force", &format!("{}-thief", world.name)]);
    let recovered = world.run(&["recover", "web", "-y"]).exits(0);
    assert_eq!(world.id(), old, "{stuck}\n{recovered}");
    assert_eq!((world.serving(), world.rows()), ("1.0.0".to_owned(), 2), "{recovered}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{recovered}");
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
}

#[test]
fn a_container_changed_between_plan_and_lease_is_planned_for_again_and_not_touched() {
    let world = serving("changed");
    let old = world.id();
    world.publish("2.0.0", &[]);
    let (engine, name) = (world.lab.engine_url().to_owned(), world.name.clone());
    let change = move |_: &str| {
        let words = ["update", "--restart", "always", &name];
        let run = Command::new("docker").args(words).env("DOCKER_HOST", &engine).output();
        assert!(run.expect("the docker client runs").status.success());
    };
    let act = (Moment::HeldBack, Act::Do(Box::new(change)));
    let asks_for_the_lease =
        |it: &Request<'_>| it.line.contains("/containers/create?name=switchback-lease-");
    let socket = world.folder.path().join("engine.sock");
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, asks_for_the_lease);
    let command = world.command("state", &proxy.url, &["update", "web", "-y", "-o", "json"]);
    let running = Running::spawn(command);
    proxy.watch(running.pid());
    let refused = running.wait().exits(3).has("/error/code", "plan_stale");
    assert_eq!(world.id(), old, "{refused}");
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "always");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{refused}");
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "always");
}
