//! Ways back by hand, from the original container, from its image, from the registry, and from nowhere.

use crate::common::World;

/// A service that was updated once, with four rows before and three after.
fn updated(name: &str, policy: &str) -> World {
    let world = World::new(name);
    world.setting(&format!("data.policy = \"{policy}\""));
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(4);
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    world.write_rows(3);
    world
}

#[test]
fn a_rollback_by_hand_restores_the_original_container_and_keeps_the_data() {
    let world = World::new("back");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(4);
    let old = world.id();
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    world.write_rows(3);

    let prober = world.prober();
    let back = world.run_json(&["rollback", "web", "-y"]).exits(0).has("/outcome", "committed");
    let report = prober.stop();
    let back = back.has("/action", "rollback").has("/release", "r1").says("1.0.0");
    back.tells_how_long_it_was_away(&report);
    assert_eq!(world.id(), old);
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 7, "by hand the data stays");
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
    assert_eq!(world.history(), ["update committed 0", "rollback committed 0"]);

    // What was left by hand is not installed again by itself.
    world.run_json(&["update", "web", "-y"]).exits(3).has("/error/code", "quarantined").says("r");
    assert_eq!(world.id(), old);
}

#[test]
fn a_rollback_with_data_takes_the_rows_back_too() {
    let world = updated("withdata", "snapshot");
    world.run_json(&["rollback", "web", "--with-data", "-y"]).exits(0).has("/release", "r1");
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 4, "as they were when 1.0.0 was left");
}

#[test]
fn update_with_rollback_is_the_same_as_rollback() {
    let world = updated("flag", "keep");
    let back = world.run_json(&["update", "web", "--rollback", "-y"]).exits(0);
    back.has("/action", "rollback").has("/release", "r1");
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 7);
}

#[test]
fn without_a_previous_version_nothing_is_touched() {
    let world = World::new("first");
    world.publish("1.0.0", &[]);
    world.start_service();
    let started = world.service()["State"]["StartedAt"].clone();
    let refused = world.run_json(&["rollback", "web", "-y"]);
    refused
        .has("/error/code", "no_previous_release")
        .says("No previous version available for rollback");
    assert_eq!(world.service()["State"]["StartedAt"], started);
    assert_eq!(world.history(), Vec::<String>::new());
}

#[test]
fn without_the_parked_container_its_image_is_the_way_back() {
    let world = updated("image", "keep");
    world.docker(&["rm", &world.temporary_containers()[0]]);
    world.run_json(&["rollback", "web", "-y"]).exits(0).has("/release", "r1");
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 7);
    assert_eq!(world.service()["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
}

#[test]
fn without_container_and_image_the_registry_is_the_way_back() {
    let world = updated("pulled", "keep");
    world.docker(&["rm", &world.temporary_containers()[0]]);
    remove_old_image(&world);
    world.run_json(&["rollback", "web", "-y"]).exits(0).has("/release", "r1");
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 7);
}

#[test]
fn when_everything_is_lost_the_way_back_is_refused_before_anything_stops() {
    let world = updated("lost", "keep");
    world.docker(&["rm", &world.temporary_containers()[0]]);
    let digest = remove_old_image(&world);
    world.forget_manifest(&digest);
    let started = world.service()["State"]["StartedAt"].clone();

    let prober = world.prober();
    let refused = world.run_json(&["rollback", "web", "-y"]);
    let report = prober.stop();
    assert!(matches!(refused.code, Some(1 | 3)), "{refused}");
    assert_eq!(report.lost, 0, "{report:?}\n{refused}");
    assert_eq!(world.service()["State"]["StartedAt"], started);
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
}

/// Removes every name of the image that does not run, and returns its digest in the registry.
fn remove_old_image(world: &World) -> String {
    let running = world.service()["Image"].as_str().unwrap_or_default().to_owned();
    let kept = world.kept_images();
    let id = |name: &String| world.docker(&["image", "inspect", "--format", "{{.Id}}", name]);
    let old = kept.iter().map(id).find(|it| *it != running).expect("the old image is kept");
    let digests =
        world.docker(&["image", "inspect", "--format", "{{join .RepoDigests \"\\n\"}}", &old]);
    let digest = digests.lines().find(|it| it.starts_with(&world.repository_reference()));
    // Podman names a digest only with the names that the image has at the moment.
    let digest = digest.or_else(|| digests.lines().next());
    let digest = digest.and_then(|it| it.split('@').nth(1)).unwrap_or_default().to_owned();
    world.docker(&["rmi", "--force", &old]);
    digest
}

#[test]
fn data_of_other_mounts_is_refused_before_anything_stops() {
    let world = updated("mounts", "snapshot");
    let more = world.also_has("more");
    world.docker(&["rm", "--force", &world.name]);
    world.start_service_with(&["--volume", &format!("{more}:/more")]);
    let (id, started) = (world.id(), world.service()["State"]["StartedAt"].clone());

    let refused = world.run_json(&["rollback", "web", "--to", "r1", "--with-data", "-y"]).exits(3);
    refused
        .has("/error/code", "no_previous_release")
        .says("holds /data, but the service has /data, /more now");
    assert_eq!((world.id(), &world.service()["State"]["StartedAt"]), (id, &started));

    // The same place, but not the same volume.
    world.docker(&["rm", "--force", &world.name]);
    world.start_service_on(&more, &[]);
    let refused = world.run_json(&["rollback", "web", "--to", "r1", "--with-data", "-y"]).exits(3);
    refused.says(&format!("r1 has {} at /data, but {more} is there now", world.name));

    // Without its data the release can be gone back to.
    world.run(&["rollback", "web", "--to", "r1", "-y"]).exits(0);
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 7, "the release has its own volume");
}
