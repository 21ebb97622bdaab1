//! Failures before the switch cost nothing: the old version serves throughout.

use serde_json::json;
use switchback_testkit::lab::{free_port, ledger_config};

use crate::common::{Output, World};

/// A service at 1.0.0 with rows.
pub(super) fn serving(name: &str) -> World {
    let world = World::new(name);
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(2);
    world
}

/// Updates, and sees that nobody noticed anything.
#[track_caller]
pub(super) fn costs_nothing(world: &World, arguments: &[&str], code: i32, error: &str) {
    costs_nothing_by(world, || world.run_json(arguments), code, error);
}

/// As [`costs_nothing`], by whatever gives the command; returns what the command said.
#[track_caller]
pub(super) fn costs_nothing_by(
    world: &World,
    run: impl FnOnce() -> Output,
    code: i32,
    error: &str,
) -> Output {
    let before = world.service();
    let prober = world.prober();
    let update = run();
    let report = prober.stop();
    let update = update.exits(code);
    assert_eq!(report.lost, 0, "{report:?}\n{update}");
    let update = update.has("/error/code", error);
    let after = world.service();
    assert_eq!(after["Id"], before["Id"], "{update}");
    assert_eq!(after["State"]["StartedAt"], before["State"]["StartedAt"], "{update}");
    assert_eq!(after["HostConfig"]["RestartPolicy"], before["HostConfig"]["RestartPolicy"]);
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{update}");
    assert_eq!(world.kept_images(), Vec::<String>::new(), "{update}");
    assert_eq!(world.rows(), 2);
    update
}

#[test]
fn a_reference_that_does_not_exist_costs_nothing() {
    let world = serving("missing");
    costs_nothing(&world, &["update", "web", "--to", "no-such-tag", "-y"], 1, "ref_not_found");
}

#[test]
fn a_registry_that_is_down_costs_nothing() {
    let world = serving("down");
    let port = free_port().expect("a port on which nothing listens");
    world.setting(&format!("image = \"127.0.0.1:{port}/gone:latest\""));
    costs_nothing(&world, &["update", "web", "-y"], 1, "registry_unreachable");
}

#[test]
fn an_image_that_no_container_can_be_made_of_costs_nothing() {
    let world = serving("badimage");
    let mut config = ledger_config(&[("LEDGER_VERSION", "2.0.0")]);
    // Without a command the engine makes no container.
    config["Entrypoint"] = json!([]);
    world.publish_config("latest", &config);
    let before = world.service();
    let prober = world.prober();
    let update = world.run_json(&["update", "web", "-y"]);
    let report = prober.stop();
    assert!(matches!(update.code, Some(1 | 3)), "{update}");
    assert_eq!(report.lost, 0, "{report:?}\n{update}");
    assert_eq!(world.service()["State"]["StartedAt"], before["State"]["StartedAt"]);
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{update}");
}

/// The engine finds out only when it starts the process; what ran before is back at once.
#[test]
fn an_entry_point_that_is_missing_goes_back() {
    let world = serving("entry");
    let old = world.id();
    let mut config = ledger_config(&[("LEDGER_VERSION", "2.0.0")]);
    config["Entrypoint"] = json!(["/no/such/program"]);
    world.publish_config("latest", &config);
    let update = world.run_json(&["update", "web", "-y"]).exits(4).has("/outcome", "rolled_back");
    update.has("/error/code", "start_failed");
    assert_eq!(world.id(), old);
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 2);
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_changed() {
    let world = serving("unasked");
    world.publish("2.0.0", &[]);
    costs_nothing(&world, &["update", "web"], 3, "confirmation_required");
    assert_eq!(world.history(), Vec::<String>::new());
}

#[test]
fn a_plan_changes_nothing_and_says_that_there_is_something() {
    let world = serving("plan");
    world.publish("2.0.0", &[]);
    let before = world.service();
    let plan = world.run_json(&["plan", "web"]).exits(10);
    assert!(plan.json()["fingerprint"].is_string(), "{plan}");
    assert_eq!(world.service()["State"]["StartedAt"], before["State"]["StartedAt"]);
    assert_eq!(world.kept_images(), Vec::<String>::new());
    assert_eq!(world.history(), Vec::<String>::new());
}

#[test]
fn a_container_of_compose_is_refused_and_its_owner_named() {
    let world = World::new("compose");
    world.publish("1.0.0", &[]);
    world.start_service_with(&["--label", "com.docker.compose.project=shop"]);
    world.publish("2.0.0", &[]);
    let refused = world.run_json(&["update", "web", "-y"]).exits(3).says("compose");
    assert!(refused.json()["error"].is_object(), "{refused}");
    assert_eq!(world.serving(), "1.0.0");
}

#[test]
fn a_container_that_the_engine_removes_when_it_stops_is_refused() {
    let world = World::new("autoremove");
    world.publish("1.0.0", &[]);
    // The last of two restart policies counts, and --rm goes with none.
    world.start_service_with(&["--restart", "no", "--rm"]);
    world.publish("2.0.0", &[]);
    world.run_json(&["update", "web", "-y"]).exits(3).says("--rm");
    assert_eq!(world.serving(), "1.0.0");
}

#[test]
fn a_plan_that_would_be_refused_shows_its_checks_with_the_failed_ones_first() {
    let world = World::new("refusedplan");
    world.publish("1.0.0", &[]);
    world.start_service_with(&["--label", "com.docker.compose.project=shop"]);
    world.publish("2.0.0", &[]);
    let plan = world.run_json(&["plan", "web"]).exits(3).json();
    let checks = plan["checks"].as_array().expect("checks");
    let results: Vec<&str> = checks.iter().filter_map(|it| it["result"].as_str()).collect();
    let failed = results.iter().take_while(|it| **it == "failed").count();
    assert!(failed > 0 && results.len() > failed, "{plan:#}");
    assert!(!results[failed..].contains(&"failed"), "{plan:#}");
    assert_eq!(plan["error"]["message"], checks[0]["message"], "{plan:#}");
    assert_eq!(plan["target_label"], "2.0.0", "{plan:#}");
    assert!(plan.get("fingerprint").is_none(), "nothing to ask for: {plan:#}");
    world.run(&["plan", "web"]).exits(3).says("This would be refused.").says("Next: ");
}
