//! What a user has given a container, its successor has too.

use serde_json::json;

use super::compared::{differences, specification};
use crate::common::World;

/// Updates, and compares the two containers.
#[track_caller]
fn updates_faithfully(world: &World) {
    let before = world.service();
    world.write_rows(3);
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    let after = world.service();
    assert_ne!(before["Id"], after["Id"]);
    let mut found = Vec::new();
    differences("", &specification(&before), &specification(&after), &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(world.serving(), "2.0.0");
    assert_eq!(world.rows(), 3);
}

impl World {
    fn network(&self, word: &str, arguments: &[&str]) -> String {
        let name = format!("{}-{word}", self.name);
        self.made.networks.borrow_mut().push(name.clone());
        self.docker(&[&["network", "create"], arguments, &[&name]].concat());
        name
    }
}

#[test]
fn limits_devices_and_the_surroundings_of_the_process_stay() {
    let world = World::new("limits");
    world.publish("1.0.0", &[]);
    let bind = format!("{}:/bound:ro", world.folder.path().display());
    world.start_service_with(&[
        "--volume",
        &bind,
        "--tmpfs",
        "/scratch:size=1m,mode=1770",
        "--device",
        "/dev/null:/dev/nothing:rw",
        "--ulimit",
        "nofile=4096:8192",
        "--cap-drop",
        "NET_RAW",
        "--cap-add",
        "SYS_NICE",
        "--health-cmd",
        "/ledger probe",
        "--health-interval",
        "2s",
        "--health-retries",
        "2",
        "--log-driver",
        "json-file",
        "--log-opt",
        "max-size=1m",
        "--log-opt",
        "max-file=2",
        "--hostname",
        "counter",
        "--domainname",
        "example.test",
        "--add-host",
        "db.test:192.0.2.7",
        "--env",
        "OWN=1",
        "--env",
        "LIKE=a=b c",
        "--label",
        "team=books",
        "--stop-timeout",
        "7",
        "--stop-signal",
        "SIGTERM",
        "--sysctl",
        "net.core.somaxconn=64",
        "--init",
        "--read-only",
        "--memory",
        "256m",
        "--cpu-shares",
        "512",
        "--pids-limit",
        "200",
        "--shm-size",
        "8m",
        "--dns",
        "192.0.2.53",
        "--user",
        "0:0",
        "--group-add",
        "7",
        "--security-opt",
        "no-new-privileges",
        "--restart",
        "on-failure:5",
    ]);
    updates_faithfully(&world);
}

#[test]
fn networks_with_aliases_and_fixed_addresses_stay() {
    let world = World::new("nets");
    world.publish("1.0.0", &[]);
    // Addresses from a test's own number, so that parallel runs do not collide.
    let own = world.port % 200;
    let subnet = |second: u16| format!("10.{second}.{own}.0/24");
    let front = world.network("front", &["--subnet", &subnet(213)]);
    let back = world.network("back", &["--subnet", &subnet(214)]);
    let (first, second) = (format!("10.213.{own}.77"), format!("10.214.{own}.78"));
    world.start_service_with(&[
        "--network",
        &front,
        "--ip",
        &first,
        "--network-alias",
        "twelveletter",
    ]);
    world.docker(&["network", "connect", "--ip", &second, "--alias", "books", &back, &world.name]);
    updates_faithfully(&world);
}

#[test]
fn what_the_image_says_follows_the_image_and_what_the_user_says_stays() {
    let world = World::new("env");
    world.publish("1.0.0", &[("LEDGER_COLOUR", "red"), ("LEDGER_SIZE", "small")]);
    world.start_service_with(&["--env", "LEDGER_SIZE=large"]);
    world.publish("2.0.0", &[("LEDGER_COLOUR", "blue"), ("LEDGER_SIZE", "medium")]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    let environment = world.service()["Config"]["Env"].to_string();
    assert!(environment.contains("LEDGER_COLOUR=blue"), "{environment}");
    assert!(environment.contains("LEDGER_SIZE=large"), "{environment}");
}

#[test]
fn an_anonymous_volume_goes_along_with_its_data() {
    let world = World::new("anonymous");
    world.publish("1.0.0", &[("LEDGER_DB", "/kept/ledger.db")]);
    world.start_service_with(&["--volume", "/kept"]);
    world.write_rows(5);
    world.publish("2.0.0", &[("LEDGER_DB", "/kept/ledger.db")]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    assert_eq!(world.rows(), 5);
}

#[test]
fn those_who_share_its_network_or_volumes_go_along() {
    let world = World::new("family");
    world.publish("1.0.0", &[]);
    world.start_service();
    let image = world.image("latest");
    let (sidecar, reader) = (world.also_runs("sidecar"), world.also_runs("reader"));
    let network = format!("container:{}", world.name);
    let sleep = ["--entrypoint", "/bin/sleep", "--init", &image, "3600"];
    world.docker(
        &[&["run", "--detach", "--name", &sidecar, "--network", &network][..], &sleep].concat(),
    );
    world.docker(
        &[&["run", "--detach", "--name", &reader, "--volumes-from", &world.name][..], &sleep]
            .concat(),
    );
    world.write_rows(3);
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");

    let health = ["exec", &sidecar, "/bin/wget", "-q", "-O", "-", "http://127.0.0.1:8080/"];
    assert!(world.docker(&health).contains("2.0.0"), "the sidecar reaches the new one");
    assert!(world.docker(&["exec", &reader, "/bin/ls", "/data"]).contains("ledger.db"));
    assert_eq!(world.temporary_containers().len(), 1, "only the predecessor is kept");
}

#[test]
fn a_paused_container_is_paused_again() {
    let world = World::new("paused");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("2.0.0", &[]);
    world.docker(&["pause", &world.name]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    assert_eq!(world.service()["State"]["Paused"], true);
    world.docker(&["unpause", &world.name]);
    assert_eq!(world.serving(), "2.0.0");
}

#[test]
fn a_stopped_container_is_replaced_and_stays_stopped() {
    let world = World::new("stopped");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("2.0.0", &[]);
    world.docker(&["stop", &world.name]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    assert_eq!(world.service()["State"]["Status"], "created", "it was never started");
    world.docker(&["start", &world.name]);
    world.until("the new version serves", || world.serving() == "2.0.0");
}

/// What runs to its end is well when it ended well.
#[test]
fn a_one_shot_that_ended_well_is_replaced_by_one_that_ends_well() {
    let world = World::new("oneshot");
    world.setting("data.policy = \"snapshot\"");
    world.probe(None);
    let ends = ("LEDGER_HEALTH", "exit0");
    world.publish("1.0.0", &[ends]);
    let name = world.name.clone();
    world.made.containers.borrow_mut().push(name.clone());
    world.made.volumes.borrow_mut().push(name.clone());
    let (volume, image) = (format!("{name}:/data"), world.image("latest"));
    world.docker(&["run", "--quiet", "--name", &name, "--volume", &volume, &image]);
    world.publish("2.0.0", &[ends]);
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    assert_eq!(world.service()["State"]["Status"], "exited");
    assert_eq!(world.service()["State"]["ExitCode"], 0);

    world.publish("2.1.0", &[("LEDGER_HEALTH", "crash-after-1s")]);
    world.run_json(&["update", "web", "-y"]).exits(4).has("/outcome", "rolled_back");
    assert_eq!(world.temporary_containers().len(), 1, "the predecessor of what was committed");
}

/// The engine's own words, because newer clients do not speak them to an old engine.
#[test]
fn a_mac_address_that_was_asked_for_stays() {
    let world = World::new("mac");
    world.publish("1.0.0", &[]);
    world.made.containers.borrow_mut().push(world.name.clone());
    world.made.volumes.borrow_mut().push(world.name.clone());
    world.docker(&["pull", "--quiet", &world.image("latest")]);
    let body = json!({
        "Image": world.image("latest"),
        "MacAddress": "02:42:ac:11:65:43",
        "HostConfig": {
            "Binds": [format!("{}:/data", world.name)],
            "PortBindings": { "8080/tcp": [{ "HostIp": world.lab.publish_address(), "HostPort": world.port.to_string() }] },
            "RestartPolicy": { "Name": "unless-stopped" },
        },
    });
    let made = world.engine_post(&format!("/v1.41/containers/create?name={}", world.name), &body);
    assert_eq!(made, 201);
    // It is not started: on some hosts a chosen address is not reachable for seconds.
    let before = world.service();
    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0");
    let after = world.service();
    assert_ne!(before["Id"], after["Id"]);
    let mut found = Vec::new();
    differences("", &specification(&before), &specification(&after), &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
    if world.is_podman() {
        assert!(
            before["Config"]["MacAddress"].is_null(),
            "Podman does not tell what was asked for"
        );
        return;
    }
    assert_eq!(world.service()["Config"]["MacAddress"], "02:42:ac:11:65:43");
}

/// The engine binds a link to the container and not to its name: whoever links to one that is parked
/// neither finds the new one nor can be started again.
#[test]
fn those_who_link_to_it_find_the_new_version_and_the_old_one_again() {
    let world = World::new("linked");
    world.publish("1.0.0", &[]);
    world.start_service();
    let image = world.image("latest");
    let (linked, sidecar) = (world.also_runs("linked"), world.also_runs("beside"));
    let (link, network) = (format!("{}:database", world.name), format!("container:{}", world.name));
    let sleep = ["--entrypoint", "/bin/sleep", "--init", &image, "3600"];
    let run = |name: &str, more: [&str; 2]| {
        world.docker(&[&["run", "--detach", "--name", name][..], &more, &sleep].concat())
    };
    if world.is_podman() {
        let all = [&["run", "--detach", "--name", &linked, "--link", &link][..], &sleep].concat();
        let refused = world.docker_output(&all).expect_err("Podman knows no links");
        assert!(refused.contains("link is not supported"), "{refused}");
        return;
    }
    let _id = run(&linked, ["--link", &link]);
    let _id = run(&sidecar, ["--network", &network]);
    let seen_by = |name: &str, host: &str| {
        let url = format!("http://{host}:8080/");
        world.docker(&["exec", name, "/bin/wget", "-q", "-O", "-", &url])
    };
    assert!(seen_by(&linked, "database").contains("1.0.0"));

    world.publish("2.0.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("2.0.0").says(&linked);
    assert!(seen_by(&linked, "database").contains("2.0.0"));
    world.docker(&["restart", "--time", "0", &linked]);
    assert!(seen_by(&linked, "database").contains("2.0.0"), "it can be started again");
    assert!(seen_by(&sidecar, "127.0.0.1").contains("2.0.0"));

    world.run(&["rollback", "web", "-y"]).exits(0).says("1.0.0");
    assert!(seen_by(&linked, "database").contains("1.0.0"));
    assert!(seen_by(&sidecar, "127.0.0.1").contains("1.0.0"));
    let links = world.inspect(&linked)["HostConfig"]["Links"].clone();
    assert_eq!(links[0], format!("/{}:/{linked}/database", world.name));

    world.publish("1.2.0", &[("LEDGER_HEALTH", "never")]);
    world.run(&["update", "web", "-y"]).exits(4);
    assert!(seen_by(&linked, "database").contains("1.0.0"));
    assert!(seen_by(&sidecar, "127.0.0.1").contains("1.0.0"));
    assert_eq!(world.temporary_containers().len(), 1, "only the predecessor is kept");
}
