//! What the registry and the engine are asked for, counted.

use crate::common::{World, meddler::Meddler, request::is_a_look};

fn changes(requests: &[String]) -> Vec<&String> {
    requests.iter().filter(|it| !is_a_look(it)).collect()
}

#[test]
fn where_nothing_is_newer_the_registry_is_asked_once_and_the_engine_changes_nothing() {
    let world = World::new("countnone");
    world.publish("1.0.0", &[]);
    world.start_service();
    let asked = world.follows_counted();
    world.publish("2.0.0", &[]);
    world.run_json(&["update", "web", "-y"]).exits(0).has("/outcome", "committed");
    drop(asked.since());

    let engine = Meddler::start(&world, |_| None);
    let again = engine.run(&world, &["update", "web", "-y", "-o", "json"]).exits(0);
    let again = again.has("/outcome", "up_to_date");
    let path = format!("HEAD /v2/{}/manifests/latest HTTP/1.1", world.name);
    assert_eq!(asked.since(), [path], "{again}");
    let requests = engine.requests();
    assert!(!requests.is_empty(), "the engine was looked at through the proxy");
    assert_eq!(changes(&requests), Vec::<&String>::new(), "{again}");
}

/// A request line without what differs from one run to the next.
fn told(line: &str, names: &[(String, &str)]) -> String {
    let line = names.iter().fold(line.to_owned(), |line, (it, name)| line.replace(it, name));
    // `POST /v1.41/containers/…`
    match line.split_once(" /v1.") {
        Some((verb, rest)) => format!("{verb} {}", rest.split_once('/').map_or("", |it| it.1)),
        None => line,
    }
}

/// Every request between the old one's stop and the new one's start is downtime.
#[test]
fn between_stop_and_start_only_what_was_planned_is_asked_for() {
    let world = World::new("countswitch");
    world.publish("1.0.0", &[]);
    world.start_service();
    world.write_rows(2);
    let old = world.id();
    world.publish("2.0.0", &[]);
    let engine = Meddler::start(&world, |_| None);
    let update = engine.run(&world, &["update", "web", "-y", "-o", "json"]).exits(0);
    let operation = update.json()["operation"].as_str().expect("an operation").to_owned();
    let names = [(old.clone(), "OLD"), (world.id(), "NEW"), (world.name.clone(), "web")];
    let names = [&names[..], &[(operation, "OP")]].concat();
    let requests: Vec<String> = engine.requests().iter().map(|it| told(it, &names)).collect();
    let is = |line: &str| requests.iter().position(|it| it.starts_with(line));
    let (stop, start) = (is("POST containers/OLD/stop"), is("POST containers/NEW/start"));
    let (Some(stop), Some(start)) = (stop, start) else { panic!("{requests:#?}\n{update}") };
    let mut between = requests[stop..=start].to_vec();
    // The lease is renewed every ten seconds, whatever else goes on.
    between.retain(|it| !it.starts_with("PUT ") || !it.contains("/archive"));
    assert_eq!(between, BETWEEN, "{update}");
}

/// The stop first, and the start last. Each step looks before it acts, and acts once; that a look at
/// the stopped one is there twice is the price of setting its policy only where it still is.
const BETWEEN: [&str; 10] = [
    "POST containers/OLD/stop?t=10",
    "GET containers/OLD/json",
    "GET containers/OLD/json",
    "POST containers/OLD/update",
    "GET containers/OLD/json",
    "POST containers/OLD/rename?name=web.switchback-OP-old",
    "GET containers/NEW/json",
    "POST containers/NEW/rename?name=web",
    "GET containers/NEW/json",
    "POST containers/NEW/start",
];
