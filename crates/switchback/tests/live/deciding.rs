//! What was decided about a target lies with it: whoever takes it over goes by it.

use serde_json::Value;

use crate::common::World;

/// Version 1.0.0 runs, under the name `latest` of a repository of its own.
fn running(name: &str) -> World {
    let world = World::new(name);
    world.publish("1.0.0", &[]);
    world.start_service();
    world
}

fn take_over(world: &World) {
    world.run_by("second", &["adopt", "web", "--take-over", "-y"]).exits(0).says("web");
}

/// Runs a command of the store that has taken over.
fn second(world: &World, arguments: &[&str]) -> crate::common::Output {
    world.run_by("second", &[arguments, &["-o", "json"]].concat())
}

#[test]
fn what_was_left_by_hand_stays_left_for_whoever_takes_over() {
    let world = running("left");
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
    world.run(&["rollback", "web", "-y"]).exits(0).says("1.0.0");
    take_over(&world);

    // Up to the release that a person has left there is no way without its name.
    second(&world, &["rollback", "web", "-y"]).exits(3).has("/error/code", "no_previous_release");
    second(&world, &["update", "web", "-y"]).exits(3).has("/error/code", "quarantined");
    let listed = second(&world, &["quarantine", "web"]).exits(0);
    listed.has("/quarantine/0/reason", "rolled back by hand");
    assert_eq!(world.serving(), "1.0.0");
    second(&world, &["rollback", "web", "--to", "r2", "-y"]).exits(0);
    assert_eq!(world.serving(), "1.1.0");
}

#[test]
fn what_did_not_hold_is_not_tried_again_by_whoever_takes_over() {
    let world = running("rejected");
    world.publish("1.1.0", &[("LEDGER_HEALTH", "never")]);
    world.run(&["update", "web", "-y"]).exits(4);
    let id = world.id();
    take_over(&world);

    second(&world, &["update", "web", "-y"]).exits(3).has("/error/code", "quarantined");
    assert_eq!(world.id(), id, "it was not even stopped");
    second(&world, &["check", "web"]).exits(0).has("/deployments/0/status", "quarantined");

    // Cleared by the one, it is cleared for the other too once that takes it back.
    second(&world, &["quarantine", "web", "clear"]).exits(0);
    world.run(&["quarantine", "web", "clear"]).exits(3).says("belongs to another store");
    world.run(&["adopt", "web", "--take-over", "-y"]).exits(0);
    let listed = world.run_json(&["quarantine", "web"]).exits(0).json();
    assert_eq!(listed["quarantine"], Value::Array(vec![]), "{listed}");
    world.run(&["update", "web", "-y"]).exits(4);
}

#[test]
fn a_hold_holds_for_whoever_takes_over_and_ends_with_a_plain_update() {
    let world = running("held");
    world.publish_as("stable", "1.1.0", &[]);
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "--to", "stable", "-y"]).exits(0).says("1.1.0");
    take_over(&world);

    let passed_by = second(&world, &["update", "--all", "-y"]).exits(0);
    passed_by.has("/results/0/outcome", "skipped").says("held at").says("stable");
    assert_eq!(second(&world, &["check", "web"]).exits(10).json()["deployments"][0]["held"], true);
    second(&world, &["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    assert_eq!(world.serving(), "2.0.0");
    world.run(&["adopt", "web", "--take-over", "-y"]).exits(0);
    assert_eq!(world.run_json(&["check", "web"]).exits(0).json()["deployments"][0]["held"], false);
}

#[test]
fn a_hold_where_nothing_is_to_be_done_is_kept_with_the_target_too() {
    let world = running("heldhere");
    world.run(&["adopt", "web", "-y"]).exits(0);
    let tag = world.image("stable");
    world.publish_as("stable", "1.0.0", &[]);
    let held = world.run_json(&["update", "web", "--to", "stable", "-y"]).exits(0);
    held.has("/outcome", "up_to_date");
    take_over(&world);
    second(&world, &["update", "--all", "-y"]).exits(0).says(&format!("held at {tag}"));
    second(&world, &["update", "web", "-y"]).exits(0).has("/outcome", "up_to_date");
    let found = second(&world, &["check", "web"]).exits(0).json();
    assert_eq!(found["deployments"][0]["held"], false, "{found}");
}

#[test]
fn whoever_is_held_elsewhere_follows_what_they_followed() {
    let world = running("follows");
    world.follows_what_it_was_made_from();
    world.publish_as("stable", "1.1.0", &[]);
    world.run(&["update", "web", "--to", "stable", "-y"]).exits(0).says("1.1.0");
    assert_eq!(world.serving(), "1.1.0");

    world.publish("2.0.0", &[]);
    let found = world.run_json(&["check", "web"]).exits(10).json();
    assert_eq!(found["deployments"][0]["held"], true, "{found}");
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    assert_eq!(world.serving(), "2.0.0", "it follows latest again");
}
