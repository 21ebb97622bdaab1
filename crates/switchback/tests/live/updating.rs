//! An update that goes well, and one that has nothing to do.

use crate::common::World;

#[test]
fn an_update_costs_only_the_switch_and_keeps_every_row() {
    let world = World::new("update");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(5);
    let second = world.publish("2.0.0", &[]);

    let prober = world.prober();
    let update = world.run_json(&["update", "web", "-y"]).exits(0);
    let report = prober.stop();

    let update = update.has("/outcome", "committed").has("/release", "r2");
    let update = update.has("/previous_release", "r1").has("/new_label", "2.0.0");
    let version = update.json()["new_version"].as_str().unwrap_or_default().to_owned();
    assert!(version.ends_with(&second), "{second} was attempted:\n{update}");
    assert_eq!(world.serving(), "2.0.0");
    assert_eq!(world.rows(), 5);
    update.tells_how_long_it_was_away(&report);
    assert_eq!(world.history(), ["update committed 0"]);
}

#[test]
fn a_second_update_touches_nothing() {
    let world = World::new("noop");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    let (service, tags, history) = (world.service(), world.kept_images(), world.history());

    let prober = world.prober();
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "up_to_date").says("success");
    let report = prober.stop();

    assert_eq!(report.lost, 0, "{report:?}");
    let after = world.service();
    assert_eq!(after["Id"], service["Id"]);
    assert_eq!(after["State"]["StartedAt"], service["State"]["StartedAt"]);
    assert_eq!(after["RestartCount"], 0);
    assert_eq!(world.kept_images(), tags);
    assert_eq!(world.history(), history);
}

#[test]
fn the_old_container_is_parked_and_cannot_come_back_by_itself() {
    let world = World::new("parked");
    world.publish("1.0.0", &[]);
    world.start_service();
    let old = world.id();
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("r2");

    let left = world.temporary_containers();
    assert_eq!(left.len(), 1, "only the predecessor is kept, and no lease: {left:?}");
    let parked = world.inspect(&left[0]);
    assert_eq!(parked["Id"], old);
    assert_eq!(parked["State"]["Running"], false);
    assert_eq!(parked["HostConfig"]["RestartPolicy"]["Name"], "no");
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
    let image = world.service()["Config"]["Image"].as_str().unwrap_or_default().to_owned();
    // Podman leaves the tag out where there is a digest.
    let named =
        if world.is_podman() { world.repository_reference() } else { world.image("latest") };
    assert!(image.starts_with(&format!("{named}@sha256:")), "{image}");
}

/// The engine lists mounts in another order each time it is asked.
#[test]
fn a_container_with_many_mounts_has_the_same_plan_each_time() {
    let world = World::new("mounts");
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    let folder = |number: usize| {
        let path = world.folder.path().join(format!("mounted-{number}"));
        std::fs::create_dir(&path).expect("a folder");
        format!("{}:/mounted-{number}", path.display())
    };
    let binds: Vec<String> = (0..5).map(folder).collect();
    let more: Vec<&str> = binds.iter().flat_map(|it| ["--volume", it.as_str()]).collect();
    world.start_service_with(&more);
    world.publish("2.0.0", &[]);
    let fingerprint = || world.run_json(&["plan", "web"]).exits(10).json()["fingerprint"].clone();
    let first = fingerprint();
    assert!(first.is_string());
    assert_eq!([fingerprint(), fingerprint()], [first.clone(), first]);
    world.run_json(&["update", "web", "-y"]).exits(0).has("/release", "r2");
}

/// Nobody knows beforehand whether a process heeds the signal; after the first stop it is known.
#[test]
fn who_has_to_be_killed_at_each_stop_is_named_with_the_remedy() {
    let world = World::new("deaf");
    let deaf = [("LEDGER_STOP", "ignore-sigterm")];
    world.publish("1.0.0", &deaf);
    world.start_service_with(&["--stop-timeout", "2"]);
    world.publish("1.1.0", &deaf);
    let plan = world.run_json(&["plan", "web"]).exits(10).json();
    assert!(!plan["warnings"].to_string().contains("killed"), "{plan}");

    let updated = world.run_json(&["update", "web", "-y"]).exits(0);
    let warnings = updated.json()["warnings"].to_string();
    assert!(warnings.contains("was killed after 2 s"), "{updated}");
    assert!(warnings.contains("docker run --init") && warnings.contains("STOPSIGNAL"), "{updated}");

    world.publish("1.2.0", &[]);
    let next = world.run_json(&["plan", "web"]).exits(10).json();
    assert!(next["warnings"].to_string().contains("expect 2 s of downtime"), "{next}");
    let seconds = |it: &serde_json::Value| it["downtime_estimate_seconds"].as_f64().unwrap();
    assert!(seconds(&next) >= seconds(&plan) + 2.0, "{next}");

    // The next but one is stopped as soon as it is asked to.
    world.run(&["update", "web", "-y"]).exits(0).says("was killed after 2 s");
    world.publish("1.3.0", &[]);
    let quick = world.run_json(&["update", "web", "-y"]).exits(0);
    assert!(!quick.stdout.contains("was killed"), "{quick}");
}
