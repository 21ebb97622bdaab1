//! Is there something newer? Asked without changing or pulling anything.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use crate::common::World;

#[test]
fn check_says_what_is_newer_and_pulls_nothing() {
    let world = World::new("check");
    world.publish("1.0.0", &[]);
    world.start_service();
    let images = || {
        world.docker(&["images", "--all", "--digests", "--no-trunc", &world.repository_reference()])
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

/// A hundred deployments of one registry that takes 50 ms for each answer: what is asked of it at a
/// time, and of the engine only once, decides whether that is one second or ten.
#[test]
fn a_hundred_deployments_cost_about_a_second() {
    let world = World::new("hundred");
    let digest = world.publish("1.0.0", &[]);
    let image = world.image("latest");
    world.docker(&["pull", "--quiet", &image]);
    let port = slow_registry(digest);
    let mut text = String::new();
    for number in 0..100 {
        let name = world.also_runs(&number.to_string());
        world.docker(&["create", "--name", &name, &image]);
        writeln!(text, "[deployment.d{number}]\nkind = \"container\"\ncontainer = \"{name}\"\nimage = \"127.0.0.1:{port}/web{number}:latest\"").unwrap();
    }
    let file = world.folder.path().join("hundred.toml");
    fs_err::write(&file, text).unwrap();

    let begun = Instant::now();
    let checked = world.run_json(&["-c", file.to_str().unwrap(), "check"]).exits(0);
    let took = begun.elapsed();
    let document = checked.json();
    let all = document["deployments"].as_array().unwrap();
    assert_eq!(all.len(), 100);
    assert!(all.iter().all(|it| it["status"] == "up_to_date"), "{document}");
    // One after another it would be five seconds; half of that leaves room for a busy machine.
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}

/// A registry in which every reference is this digest, 50 ms after it was asked for.
fn slow_registry(digest: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let digest = digest.clone();
            std::thread::spawn(move || answer(stream, &digest));
        }
    });
    port
}

/// Answers the requests of one connection until it is closed.
fn answer(stream: TcpStream, digest: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut stream = stream;
    while let Some(Ok(line)) = lines.next() {
        if !line.is_empty() {
            continue;
        }
        std::thread::sleep(Duration::from_millis(50));
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\nContent-Length: 2\r\n\r\n"
        );
        if stream.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}
