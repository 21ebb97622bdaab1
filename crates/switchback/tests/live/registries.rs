//! A registry fails in every way that it can; the service never notices.
//!
//! What runs on the engine was pulled from the lab's registry; what is newer comes through one at
//! which something goes wrong.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use super::staging::{costs_nothing, serving};
use crate::common::{World, http, registry_proxy::Trouble};

const UPDATE: [&str; 3] = ["update", "web", "-y"];

/// A service at 1.0.0 with rows, for which 2.0.0 is there.
fn prepared(name: &str) -> World {
    let world = serving(name);
    world.publish("2.0.0", &[]);
    world
}

/// Something goes wrong when the engine asks for the image's configuration, which every pull does: it
/// is in no other image, unlike the layers.
fn at_the_pull(
    goes_wrong: impl Fn(usize) -> Option<Trouble> + Send + Sync + 'static,
) -> impl Fn(&str) -> Option<Trouble> + Send + Sync + 'static {
    let asked = AtomicUsize::new(1);
    move |head| {
        let is_blob = head.starts_with("GET ") && head.contains("/blobs/");
        // The program itself has looked at it before.
        let is_by_us = head.to_lowercase().contains("user-agent: switchback");
        (is_blob && !is_by_us).then(|| goes_wrong(asked.fetch_add(1, Ordering::SeqCst))).flatten()
    }
}

fn is_manifest(line: &str) -> bool {
    line.contains("/manifests/")
}

#[test]
fn a_registry_that_is_silent_costs_nothing() {
    let world = prepared("silent");
    world.follows_through(|line| is_manifest(line).then_some(Trouble::Silence));
    costs_nothing(&world, &UPDATE, 1, "registry_unreachable");
    // Who only asks is told that nobody knows.
    for ask in [&["plan", "web"][..], &["update", "web", "--dry-run"], &["check", "web"]] {
        let said = world.run_json(ask).exits(11).to_string();
        assert!(said.contains("registry_unreachable"), "{said}");
    }
}

#[test]
fn a_registry_that_wants_to_know_who_asks_costs_nothing() {
    let world = prepared("denies");
    let challenge = "WWW-Authenticate: Basic realm=\"lab\"\r\n";
    world.follows_through(move |_| Some(Trouble::Says("401 Unauthorized", challenge)));
    costs_nothing(&world, &UPDATE, 1, "registry_denied");
}

#[test]
fn a_registry_that_has_no_such_image_any_more_costs_nothing() {
    let world = prepared("nothere");
    world.follows_through(|line| is_manifest(line).then_some(Trouble::Says("404 Not Found", "")));
    costs_nothing(&world, &UPDATE, 1, "ref_not_found");
}

#[test]
fn a_registry_that_limits_us_costs_nothing() {
    let world = prepared("limits");
    let limit = Trouble::Says("429 Too Many Requests", "Retry-After: 1\r\n");
    world.follows_through(move |_| Some(limit));
    costs_nothing(&world, &UPDATE, 1, "registry_unreachable");
}

#[test]
fn a_registry_that_dies_in_the_middle_of_a_pull_costs_nothing() {
    let world = prepared("dies");
    world.follows_through(at_the_pull(|_| Some(Trouble::DiesAfter(300))));
    costs_nothing(&world, &UPDATE, 1, "pull_failed");
}

#[test]
fn a_blob_that_the_registry_has_lost_costs_nothing() {
    let world = prepared("lostblob");
    world.follows_through(at_the_pull(|_| Some(Trouble::Says("404 Not Found", ""))));
    costs_nothing(&world, &UPDATE, 1, "pull_failed");
}

#[test]
fn a_pull_that_is_limited_once_is_tried_again() {
    let world = prepared("again");
    let limit = Trouble::Says("429 Too Many Requests", "Retry-After: 1\r\n");
    world.follows_through(at_the_pull(move |times| (times == 1).then_some(limit)));
    world.run(&UPDATE).exits(0).says("2.0.0");
    assert_eq!((world.serving(), world.rows()), ("2.0.0".to_owned(), 2));
}

/// It takes its time, and the service is away for the switch only: it answers as the pull begins, and
/// from there on it is not away for longer than the switch is told to have taken.
#[test]
fn a_registry_that_is_slow_costs_only_patience() {
    let world = prepared("slow");
    let (address, slow) = (world.address.clone(), Arc::new(Mutex::new(Vec::new())));
    let served = Arc::clone(&slow);
    world.follows_through(at_the_pull(move |_| {
        let answer = http::ask(&address, "GET", "/");
        served.lock().unwrap().push(answer.map_or(0, |it| it.0));
        Some(Trouble::Drips(100))
    }));
    let prober = world.prober();
    let update = world.run_json(&UPDATE);
    let report = prober.stop();
    let update = update.exits(0).has("/outcome", "committed").tells_how_long_it_was_away(&report);
    let seen = slow.lock().unwrap().clone();
    assert!(
        !seen.is_empty() && seen.iter().all(|it| *it == 200),
        "{seen:?} at the pull:\n{update}"
    );
    assert_eq!((world.serving(), world.rows()), ("2.0.0".to_owned(), 2), "{update}");
}

#[test]
fn an_image_for_another_architecture_costs_nothing() {
    let world = serving("foreign");
    world.publish_for("s390x", "latest", "2.0.0");
    costs_nothing(&world, &UPDATE, 1, "ref_not_found");
    world.run(&UPDATE).exits(1).says("linux/s390x");
    world.run_json(&["check"]).exits(11).has("/deployments/0/reason", "platform_missing");
}
