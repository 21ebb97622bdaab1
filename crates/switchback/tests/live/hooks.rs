//! Data that a person's own commands save and bring back.

use switchback_testkit::lab::ledger_config;

use crate::common::World;

/// A world whose service has a shell, and whose commands write down that they ran.
fn with_commands(name: &str) -> World {
    let world = World::new(name);
    world.setting("data.policy = \"command\"");
    world.setting("data.backup = \"echo backup >> /data/commands\"");
    world.setting("data.restore = \"echo restore >> /data/commands\"");
    publish(&world, "1.0.0", &[]);
    world.start_service();
    world
}

fn publish(world: &World, version: &str, more: &[(&str, &str)]) {
    let mut environment = vec![("LEDGER_VERSION", version), ("LEDGER_BUILD", &world.name)];
    environment.extend_from_slice(more);
    world.publish_layers("latest", &ledger_config(&environment), &["debian", "ledger"]);
}

fn commands(world: &World) -> String {
    world.docker(&["exec", &world.name, "cat", "/data/commands"])
}

#[test]
fn what_was_backed_up_by_a_command_comes_back_once_the_old_version_runs() {
    let world = with_commands("hooks-back");
    publish(&world, "1.1.0", &[("LEDGER_HEALTH", "never")]);

    world.run_json(&["update", "web", "-y"]).exits(4).has("/outcome", "rolled_back");
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(commands(&world), "backup\nrestore");
    assert_eq!(world.kept_snapshots(), Vec::<String>::new());
}

#[test]
fn a_backup_is_not_brought_back_where_the_new_version_never_ran() {
    let world = with_commands("hooks-unstarted");
    world.publish_config("latest", &serde_json::json!({ "Entrypoint": ["/no-such-program"] }));

    world.run_json(&["update", "web", "-y"]).exits(4).has("/error/code", "start_failed");
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(commands(&world), "backup");
}

#[test]
fn a_backup_that_fails_costs_no_downtime() {
    let world = with_commands("hooks-failing");
    let id = world.id();
    world.docker(&["exec", &world.name, "mkdir", "/data/commands"]);
    publish(&world, "1.1.0", &[]);

    let failed = world.run_json(&["update", "web", "-y"]);
    failed.has("/error/code", "hook_failed").says("Is a directory");
    assert_eq!(world.id(), id);
    assert_eq!(world.serving(), "1.0.0");
}

#[test]
fn an_update_that_proves_itself_restores_nothing() {
    let world = with_commands("hooks-forward");
    publish(&world, "1.1.0", &[]);

    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    assert_eq!(commands(&world), "backup");
}
