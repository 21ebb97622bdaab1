//! `status` and `health` on a real engine: as last seen, and looked at.

mod queries_common;

use queries_common::Place;
use serde_json::{Value, json};

#[tokio::test]
async fn status_tells_what_was_last_seen_and_looks_when_it_is_asked_to() {
    let place = Place::new("status").await;
    let name = place.name.as_str();
    place.switchback(&["status"]).exits(0).says("never seen");

    let looked = place.json(&["status", name], 0)["deployments"][0].clone();
    assert_eq!(looked["container_state"], "running", "{looked:#}");
    assert_eq!(looked["healthy"], true, "{looked:#}");
    assert_eq!(looked["current_label"], "1.0.0", "{looked:#}");
    assert_eq!((&looked["phase"], &looked["update_status"]), (&json!("idle"), &json!("idle")));
    assert!(looked["memory_usage_mb"].as_f64().is_some_and(|it| it > 0.0), "{looked:#}");
    let seen = place.json(&["status"], 0)["deployments"][0].clone();
    assert_eq!(seen["observed_at"], looked["observed_at"], "nothing was looked at again");

    let before = looked["current_version"].as_str().expect("a digest").to_owned();
    let digest = place.publish("2.0.0", &[]).await;
    let url = format!("http://127.0.0.1:{}", place.port);
    place.switchback(&["update", name, "-y"]).exits(0).says(&url);
    let seen = place.json(&["status"], 0)["deployments"][0].clone();
    for (key, value) in [
        ("current_version", digest.as_str()),
        ("previous_version", &before),
        ("release", "r2"),
        ("previous_release", "r1"),
        ("way_back", "kept"),
        ("last_outcome", "committed"),
        ("update_status", "success"),
    ] {
        assert_eq!(seen[key], value, "{key} after an update: {seen:#}");
    }
    assert_eq!(seen["drift"], false, "{seen:#}");
}

#[tokio::test]
async fn a_pruned_way_back_and_a_container_made_by_hand_are_seen() {
    let place = Place::new("drift").await;
    let name = place.name.as_str();
    place.publish("2.0.0", &[]).await;
    place.switchback(&["update", name, "-y"]).exits(0);

    let parked = place.parked();
    assert_eq!(parked.len(), 1, "the old version is parked");
    place.lab.docker(&["rm", &parked[0]]).await.expect("removed");
    let row = |document: Value| document["deployments"][0].clone();
    assert_eq!(row(place.json(&["status", name], 0))["way_back"], "image");
    let releases = place.json(&["show", name], 0)["releases"].clone();
    assert_eq!((&releases[0]["rung"], &releases[1]["rung"]), (&json!("image"), &json!("running")));

    place.lab.docker(&["rm", "--force", name]).await.expect("removed");
    let gone = row(place.json(&["status", "--refresh"], 0));
    assert_eq!((&gone["container_state"], &gone["healthy"]), (&json!("missing"), &json!(false)));
    place.run().await;
    assert_eq!(row(place.json(&["status", name], 0))["drift"], true);
    place.switchback(&["status"]).exits(0).says("drifted");
}

#[tokio::test]
async fn health_is_one_round_of_probes_or_the_whole_gate() {
    let place = Place::new("health").await;
    let name = place.name.as_str();
    let well = place.json(&["health"], 0);
    assert_eq!((&well["healthy"], &well["version"]), (&json!(true), &json!("1.0.0")), "{well:#}");
    assert_eq!(well["container_state"], "running");
    assert!(well["uptime_seconds"].as_f64().is_some());
    place.switchback(&["health", name, "--gate"]).exits(0).says("proves itself").says("healthy");

    place.lab.docker(&["pause", name]).await.expect("paused");
    let ill = place.json(&["health", name], 1);
    assert_eq!((&ill["healthy"], &ill["container_state"]), (&json!(false), &json!("paused")));
    place.lab.docker(&["unpause", name]).await.expect("unpaused");
    place.lab.docker(&["stop", name]).await.expect("stopped");
    place.switchback(&["health", name, "--gate"]).exits(1).says("unhealthy");
}

#[tokio::test]
async fn an_engine_that_is_away_leaves_what_was_last_seen() {
    let place = Place::new("away").await;
    place.json(&["status", &place.name], 0);
    let mut command = place.command();
    command.args(["status", &place.name, "-o", "json"]);
    let output =
        command.env("DOCKER_HOST", "unix:///nowhere/engine.sock").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let row = &document["deployments"][0];
    assert_eq!(row["current_label"], "1.0.0", "{row:#}");
    assert_eq!(row["error"]["code"], "engine_unreachable", "{row:#}");
    let mut health = place.command();
    let health = health.arg("health").env("DOCKER_HOST", "unix:///nowhere/engine.sock").output();
    assert_eq!(health.expect("it runs").status.code(), Some(11), "nobody knows");
}
