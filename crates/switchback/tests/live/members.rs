//! Those that share something of a container go along with it, and nothing of theirs is lost.

use crate::common::World;

/// Version 1.0.0 runs, and 2.0.0 is published.
fn running(name: &str, more: &[&str]) -> World {
    let world = World::new(name);
    world.publish("1.0.0", &[]);
    world.start_service_with(more);
    world
}

/// Another container of the service's image, with these arguments of `docker run`.
fn beside(world: &World, suffix: &str, more: &[&str], command: &str) -> String {
    let name = world.also_runs(suffix);
    let image = world.image("latest");
    // Who shares processes has a first process already, which Podman holds to.
    let init = if more.contains(&"--pid") { &[][..] } else { &["--init"][..] };
    let end = ["--entrypoint", "/bin/sh", &image, "-c", command];
    world.docker(&[&["run", "--detach", "--name", &name][..], more, init, &end].concat());
    name
}

/// The one that an update has parked.
fn parked(world: &World, name: &str) -> Vec<String> {
    let listed = world.docker(&["ps", "--all", "--format", "{{.Names}}"]);
    let mark = format!("{name}.switchback-");
    listed.lines().filter(|it| it.starts_with(&mark)).map(str::to_owned).collect()
}

fn is_running(world: &World, name: &str) -> bool {
    world.inspect(name)["State"]["Running"] == true
}

#[test]
fn what_a_dependent_has_written_is_named_and_kept_until_the_next_update() {
    let world = running("layer", &[]);
    let reader = beside(&world, "reader", &["--volumes-from", &world.name], "sleep 3600");
    world.docker(&["exec", &reader, "/bin/sh", "-c", "echo precious > /important.txt"]);
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says(&reader).says("/important.txt");

    let kept = parked(&world, &reader);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let copy = world.folder.path().join("important.txt");
    let to = copy.display().to_string();
    world.docker(&["cp", &format!("{}:/important.txt", kept[0]), &to]);
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "precious\n");
    world.run(&["gc", "-y"]).exits(0);
    assert_eq!(parked(&world, &reader), kept, "the way back needs it");

    // Going back does not lose it either, and it is no dependent of what it is parked beside.
    world.run(&["rollback", "web", "-y"]).exits(0).says("1.0.0");
    let both = parked(&world, &reader);
    assert!(both.len() == 2 && both.contains(&kept[0]), "{both:?}");
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
    let last = parked(&world, &reader);
    assert!(last.len() == 1 && !both.contains(&last[0]), "{last:?} after {both:?}");
    assert!(is_running(&world, &reader));
}

#[test]
fn a_dependent_keeps_its_image_wherever_its_name_leads_now() {
    let world = running("image", &[]);
    let named = format!("{}:side", world.repository_reference());
    world.docker(&["tag", &world.image("latest"), &named]);
    let name = world.also_runs("side");
    let network = format!("container:{}", world.name);
    let sleep = ["--init", "--entrypoint", "/bin/sleep", &named, "3600"];
    world.docker(
        &[&["run", "--detach", "--name", &name, "--network", &network][..], &sleep].concat(),
    );
    let image = world.inspect(&name)["Image"].clone();
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    let now = world.inspect(&name);
    assert_eq!((&now["Image"], now["Config"]["Image"].as_str()), (&image, Some(named.as_str())));

    world.docker(&["tag", &world.image("latest"), &named]);
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
    assert_eq!(world.inspect(&name)["Image"], image, "its name leads to another image");

    world.docker(&["rmi", &named]);
    world.publish("1.2.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.2.0");
    assert_eq!(world.inspect(&name)["Image"], image, "its name is gone");
    assert!(is_running(&world, &name));
}

#[test]
fn a_dependent_that_a_stop_would_delete_stops_nothing() {
    let world = running("remove", &[]);
    let reader = beside(&world, "reader", &["--rm", "--volumes-from", &world.name], "sleep 3600");
    let before = (world.id(), world.inspect(&reader)["Id"].clone());
    world.publish("2.0.0", &[]);
    let refused = world.run_json(&["update", "web", "-y"]).exits(3);
    refused.has("/error/code", "data_at_risk").says(&reader).says("--rm");
    assert_eq!((world.id(), world.inspect(&reader)["Id"].clone()), before);
    assert!(is_running(&world, &reader) && world.serving() == "1.0.0");
}

#[test]
fn those_who_share_only_its_processes_or_memory_go_along() {
    let world = running("spaces", &["--ipc", "shareable"]);
    let of = format!("container:{}", world.name);
    let processes = beside(&world, "processes", &["--pid", &of], "sleep 3600");
    let memory = beside(&world, "memory", &["--ipc", &of], "sleep 3600");
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    assert!(is_running(&world, &processes) && is_running(&world, &memory));
    let seen = world.docker(&["exec", &processes, "/bin/ps"]);
    assert!(seen.contains("sleep 3600") && seen.lines().count() > 3, "{seen}");
    world.docker(&["restart", "--time", "0", &processes, &memory]);
}

#[test]
fn an_update_after_which_a_dependent_dies_goes_back() {
    let world = running("dies", &[]);
    // Alive beside version 1 only.
    let command = "until wget -q -O - http://127.0.0.1:8080/ | grep -q version; do sleep 0.1; done; \
                   wget -q -O - http://127.0.0.1:8080/ | grep -q 1.0.0 || exit 3; sleep 3600";
    let network = format!("container:{}", world.name);
    let watcher = beside(&world, "watcher", &["--network", &network], command);
    world.publish("2.0.0", &[]);
    let ended = world.run_json(&["update", "web", "-y"]).exits(4);
    ended.has("/error/code", "gate_failed").says(&watcher).says("exit code 3");
    assert_eq!(world.serving(), "1.0.0");
    assert!(is_running(&world, &watcher));
}

#[test]
fn a_stopped_container_that_others_still_share_is_left_alone() {
    let world = running("outlived", &[]);
    let network = format!("container:{}", world.name);
    let sidecar = beside(&world, "sidecar", &["--network", &network], "sleep 3600");
    let reader = beside(&world, "reader", &["--volumes-from", &world.name], "sleep 3600");
    world.publish("2.0.0", &[]);
    world.docker(&["stop", &world.name]);
    world.run(&["update", "web", "-y"]).exits(3).says(&sidecar);
    assert!(is_running(&world, &sidecar));

    world.docker(&["stop", "--time", "0", &sidecar]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    assert!(is_running(&world, &reader), "it ran, although the other one did not");
}
