//! A step takes longer than its limit on a real engine, which goes on with it.

use crate::common::{
    World,
    meddler::{Meddler, Meddling},
};

/// The engine gives the process 45 s to end, of which the program knows nothing: it counts on one, and
/// so on sixteen for the step. The way back waits for what is pending, ends it, and only then starts
/// the old one again.
#[test]
fn a_stop_that_outlasts_its_limit_is_over_before_the_old_version_is_started_again() {
    let world = World::new("outlasts");
    world.publish("1.0.0", &[("LEDGER_STOP", "ignore-sigterm")]);
    world.start_service_with(&["--stop-timeout", "1"]);
    world.write_rows(2);
    let before = world.service();
    world.publish("2.0.0", &[]);
    let slow = |line: &str| line.replace("/stop?t=1", "/stop?t=45");
    let meddler = Meddler::start(&world, move |line| {
        line.ends_with("/stop?t=1").then_some(Meddling::Asks(slow))
    });

    let update = meddler.run(&world, &["update", "web", "-y", "-o", "json"]);
    let update = update.exits(4).has("/outcome", "rolled_back").has("/error/code", "timeout");
    let update = update.says("16 s");
    let after = world.service();
    assert_eq!(after["Id"], before["Id"], "{update}");
    assert_eq!(after["RestartCount"], 0, "{update}");
    assert_eq!((world.serving(), world.rows()), ("1.0.0".to_owned(), 2), "{update}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{update}");
    assert_eq!(world.history(), ["update rolled_back 4"]);

    // It was stopped by its own process's end, and then started once.
    let id = before["Id"].as_str().unwrap();
    let requests = meddler.requests();
    let is_of = |it: &&String| it.contains(id) && (it.ends_with("/start") || it.contains("/stop?"));
    let of: Vec<_> = requests.iter().filter(is_of).collect();
    let ends: Vec<&str> = of.iter().filter_map(|it| it.rsplit('/').next()).collect();
    assert_eq!(ends, ["stop?t=1", "stop?t=0", "start"], "{update}");
}
