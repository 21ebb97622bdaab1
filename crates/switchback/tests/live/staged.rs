//! The engine fails in the stage, after everything was planned: the old version serves throughout,
//! and nothing is left of the new one.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::staging::{costs_nothing_by, serving};
use crate::common::{
    Output, World,
    meddler::{Meddler, Meddling, makes_the_new_one},
};

const UPDATE: [&str; 5] = ["update", "web", "-y", "-o", "json"];

/// A service at 1.0.0 with rows, for which 2.0.0 is there.
fn prepared(name: &str) -> World {
    let world = serving(name);
    world.publish("2.0.0", &[]);
    world
}

fn pulls(line: &str) -> bool {
    line.starts_with("POST ") && line.contains("/images/create?fromImage=")
}

/// An update fails in its stage; no request is lost, and nobody finds anything afterwards.
#[track_caller]
fn fails_in_the_stage(
    world: &World,
    rule: impl Fn(&str) -> Option<Meddling> + Send + Sync + 'static,
    error: &str,
) -> (Output, Vec<String>) {
    let meddler = Meddler::start(world, rule);
    let update = costs_nothing_by(world, || meddler.run(world, &UPDATE), 1, error);
    let update = update.has("/outcome", "failed");
    let is_switch = |it: &&String| it.ends_with("/start") || it.contains("/stop");
    let requests = meddler.requests();
    let id = world.id();
    let touched: Vec<_> = requests.iter().filter(is_switch).filter(|it| it.contains(&id)).collect();
    assert_eq!(touched, Vec::<&String>::new(), "{update}");
    assert_eq!(world.history(), ["update failed 1"]);
    (update, requests)
}

/// Nothing was remembered against the release, and nothing is in its way.
#[track_caller]
fn succeeds_afterwards(world: &World) {
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    assert_eq!((world.serving(), world.rows()), ("2.0.0".to_owned(), 2));
}

#[test]
fn an_engine_that_cannot_pull_is_asked_three_times_and_costs_nothing() {
    let world = prepared("nopull");
    let broken = Meddling::Says("500 Internal Server Error", "the layer store is broken");
    let (update, requests) =
        fails_in_the_stage(&world, move |line| pulls(line).then_some(broken), "pull_failed");
    let update = update.says("the layer store is broken");
    assert_eq!(requests.iter().filter(|it| pulls(it)).count(), 3, "{update}");
    succeeds_afterwards(&world);
}

/// Asking again cannot help.
#[test]
fn an_engine_that_has_no_room_for_a_pull_is_asked_once_and_costs_nothing() {
    let world = prepared("noroom");
    let full = Meddling::Says("500 Internal Server Error", "write /layer: no space left on device");
    let (update, requests) =
        fails_in_the_stage(&world, move |line| pulls(line).then_some(full), "no_space");
    assert_eq!(requests.iter().filter(|it| pulls(it)).count(), 1, "{update}");
    succeeds_afterwards(&world);
}

const BROKEN: Meddling =
    Meddling::Says("500 Internal Server Error", "the storage driver is broken");

#[test]
fn an_engine_that_fails_to_make_the_container_costs_nothing() {
    let world = prepared("nocreate");
    let first = AtomicBool::new(true);
    let is_first = move |line: &str| makes_the_new_one(line) && first.swap(false, Ordering::SeqCst);
    let rule = move |line: &str| is_first(line).then_some(BROKEN);
    let (update, requests) = fails_in_the_stage(&world, rule, "preflight_failed");
    let update = update.says("the storage driver is broken");
    assert!(!update.stderr.contains("left as it is"), "{update}");
    // The second is the barrier's: a name that can be given to another is nobody's.
    let made = requests.iter().filter(|it| makes_the_new_one(it)).count();
    assert_eq!(made, 2, "{requests:#?}\n{update}");
    succeeds_afterwards(&world);
}

/// Then nobody can tell whether the creation is still to come; that is said.
#[test]
fn an_engine_that_makes_no_container_of_that_name_at_all_costs_nothing_and_is_named() {
    let world = prepared("nevercreate");
    let rule = |line: &str| makes_the_new_one(line).then_some(BROKEN);
    let (update, _) = fails_in_the_stage(&world, rule, "preflight_failed");
    let update = update.says("left as it is: cannot wait for container");
    let warnings = update.json()["warnings"].to_string();
    assert!(warnings.contains("left as it is: ") && warnings.contains("gc"), "{update}");
    succeeds_afterwards(&world);
}

/// What was made is not what was asked for.
#[track_caller]
fn a_container_made_with(name: &str, change: fn(&mut Value), field: &str) {
    let world = prepared(name);
    let rule = move |line: &str| makes_the_new_one(line).then_some(Meddling::Changes(change));
    let (update, _) = fails_in_the_stage(&world, rule, "preflight_failed");
    update.says("the new container would differ from the old one").says(field);
    succeeds_afterwards(&world);
}

#[test]
fn a_container_that_got_another_limit_than_was_asked_for_is_never_started() {
    let limit = |body: &mut Value| body["HostConfig"]["Memory"] = json!(64 << 20);
    a_container_made_with("otherlimit", limit, "HostConfig.Memory is 67108864 and was 0");
}

#[test]
fn a_container_that_got_another_volume_than_was_asked_for_is_never_started() {
    fn elsewhere(body: &mut Value) {
        let binds = body["HostConfig"]["Binds"].as_array_mut().expect("binds");
        for bind in binds {
            let text = bind.as_str().expect("a bind").replace(":/data", ":/elsewhere");
            *bind = json!(text);
        }
    }
    a_container_made_with("othervolume", elsewhere, "Mounts /data");
}
