//! Releases that do not prove themselves, and what is remembered of them.

use crate::common::World;

/// What a release that drops a column leaves is readable only with the data that was there before.
#[test]
fn a_release_that_spoils_the_data_goes_back_with_the_data_and_is_remembered() {
    let world = World::new("spoils");
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(7);
    let old = world.id();
    world.publish("3.0.0", &[]);

    let update = world.run_json(&["update", "web", "-y"]).exits(4).has("/outcome", "rolled_back");
    assert_eq!(world.id(), old, "the old container itself serves again");
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.status("/health"), 200, "the dropped column is back");
    assert_eq!(world.rows(), 7);
    let update = update.has("/error/code", "gate_failed");
    let tail = update.json()["error"]["log_tail"].to_string();
    assert!(tail.contains("ledger 3.0.0 listens"), "the failed version's last words: {tail}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
    assert_eq!(world.history(), ["update rolled_back 4"]);

    let started = world.service()["State"]["StartedAt"].clone();
    let refused = world.run_json(&["update", "web", "-y"]).exits(3).has("/outcome", "refused");
    refused.has("/error/code", "quarantined").says("web");
    assert_eq!(world.service()["State"]["StartedAt"], started, "nothing was touched");
    assert_eq!(world.history(), ["update rolled_back 4"]);

    // A person who names it gets it, and it fails as before.
    world.run(&["update", "web", "--to", "latest", "--force"]).exits(4).says("3.0.0");
    assert_eq!(world.rows(), 7);
    assert_eq!(world.id(), old);
}

/// Without a snapshot nobody can give the old version its column back: that is said, not hidden.
#[test]
fn a_way_back_that_ends_on_spoilt_data_is_stuck_and_says_why() {
    let world = World::new("keepsdata");
    world.gate("interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"1s\"\nhealthy_deadline = \"6s\"");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(7);
    let old = world.id();
    world.publish("3.0.0", &[]);

    let stuck = world.run_json(&["update", "web", "-y"]).exits(5).has("/outcome", "stuck");
    let stuck = stuck.has("/error/code", "undo_failed");
    let said = stuck.json()["warnings"].to_string();
    assert!(said.contains("data.policy") && said.contains("your own backup"), "{said}");
    assert_eq!(world.id(), old, "the old container itself is in place");
    world.run(&["update", "web", "-y"]).exits(5).says("recover web");

    world.run(&["recover", "web", "--accept-current", "-y"]).exits(0);
    world.run(&["status", "web"]).exits(0).says("1.0.0");
}

#[test]
fn a_newer_release_than_the_rejected_one_is_taken() {
    let world = World::new("newer");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("1.1.0", &[("LEDGER_HEALTH", "never")]);
    world.run(&["update", "web", "-y"]).exits(4).says("1.1.0");
    world.publish("1.2.0", &[]);
    world.run_json(&["update", "web", "-y"]).exits(0).has("/release", "r2").says("1.2.0");
    assert_eq!(world.serving(), "1.2.0");
}

/// Every way in which a release can fail its gate ends with the old one serving.
#[track_caller]
fn goes_back_from(name: &str, environment: &[(&str, &str)], code: &str) {
    goes_back_within(("6s", "8s"), name, environment, code);
}

#[track_caller]
fn goes_back_within(
    (window, deadline): (&str, &str),
    name: &str,
    environment: &[(&str, &str)],
    code: &str,
) {
    let world = World::new(name);
    world.gate(&format!(
        "interval = \"100ms\"\nhealthy_streak = 2\nmin_healthy_time = \"{window}\"\nhealthy_deadline = \"{deadline}\""
    ));
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(3);
    let old = world.id();
    world.publish("1.1.0", environment);

    let update = world.run_json(&["update", "web", "-y"]).exits(4).has("/outcome", "rolled_back");
    update.has("/error/code", code).says("changes_reverted");
    assert_eq!(world.id(), old);
    assert_eq!(world.serving(), "1.0.0");
    assert_eq!(world.rows(), 3);
    assert_eq!(world.temporary_containers(), Vec::<String>::new());
}

#[test]
fn a_release_that_never_listens_goes_back() {
    goes_back_from("deaf", &[("LEDGER_START_DELAY_MS", "600000")], "gate_failed");
}

#[test]
fn a_release_that_answers_500_goes_back() {
    goes_back_from("ill", &[("LEDGER_HEALTH", "500")], "gate_failed");
}

#[test]
fn a_release_that_says_another_version_goes_back() {
    goes_back_from("liar", &[("LEDGER_HEALTH", "wrong-version")], "version_mismatch");
}

#[test]
fn a_release_that_crashes_after_eight_seconds_goes_back() {
    // The window has to be longer than that.
    let crash = [("LEDGER_HEALTH", "crash-after-8s")];
    goes_back_within(("12s", "16s"), "crash", &crash, "gate_failed");
}

/// An old version that was ill before is held to no more than it did: going back to it is no failure.
#[test]
fn an_old_version_that_was_ill_before_is_what_a_failing_release_goes_back_to() {
    let world = World::new("wasill");
    world.publish("1.0.0", &[("LEDGER_HEALTH", "500")]);
    world.start_service();
    world.write_rows(3);
    let old = world.id();
    world.publish("1.1.0", &[("LEDGER_HEALTH", "never")]);
    let back = world.run_json(&["update", "web", "-y"]).exits(4).has("/outcome", "rolled_back");
    let back = back.has("/error/code", "gate_failed");
    assert_eq!(world.id(), old, "{back}");
    assert_eq!((world.serving(), world.rows()), ("1.0.0".to_owned(), 3), "{back}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{back}");

    // An update is how one that is ill gets well.
    world.publish("1.2.0", &[]);
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    assert_eq!((world.status("/health"), world.rows()), (200, 3));
}

#[test]
fn a_release_that_flaps_goes_back() {
    goes_back_from("flap", &[("LEDGER_HEALTH", "flap")], "gate_failed");
}

#[test]
fn a_release_that_ends_with_code_0_goes_back() {
    goes_back_from("ends", &[("LEDGER_HEALTH", "exit0")], "gate_failed");
}

#[test]
fn a_release_that_hangs_goes_back() {
    goes_back_from("hangs", &[("LEDGER_HEALTH", "hang")], "gate_failed");
}

#[test]
fn a_folder_that_another_container_writes_below_is_no_data_for_a_snapshot() {
    let world = World::new("nested");
    world.setting("data.policy = \"snapshot\"");
    world.publish("1.0.0", &[]);
    let folder = world.folder.path().join("srv");
    fs_err::create_dir_all(folder.join("below")).unwrap();
    let folder = folder.display();
    world.start_service_with(&["--volume", &format!("{folder}:/srv")]);
    let (other, image) = (world.also_runs("below"), world.image("latest"));
    let below = format!("{folder}/below:/mine");
    let sleep = ["--entrypoint", "/bin/sleep", &image, "3600"];
    world
        .docker(&[&["run", "--detach", "--name", &other, "--volume", &below][..], &sleep].concat());
    world.publish("1.1.0", &[]);
    let started = world.service()["State"]["StartedAt"].clone();

    let refused = world.run_json(&["update", "web", "-y"]).exits(3);
    refused.has("/error/code", "data_at_risk").says(&format!("{folder}/below")).says(&other);
    assert_eq!(world.service()["State"]["StartedAt"], started);

    world.docker(&["stop", "--time", "0", &other]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
}
