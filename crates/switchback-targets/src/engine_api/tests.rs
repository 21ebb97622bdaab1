//! What an engine is and speaks, and how it is asked.

use serde_json::json;

use super::*;

#[test]
fn the_newest_api_that_both_speak_is_used() {
    let docker = |api: &str| json!({"Version": "28.5.0", "ApiVersion": api});
    assert_eq!(settle(&docker("1.41")).unwrap(), (1, 41));
    assert_eq!(settle(&docker("1.52")).unwrap(), (1, 51));
}

#[test]
fn an_engine_that_is_too_old_is_named() {
    let old = settle(&json!({"Version": "19.03.1", "ApiVersion": "1.40"})).unwrap_err();
    assert_eq!(old.code(), "preflight_failed");
    assert!(old.to_string().contains("Docker 19.03.1 (API 1.40)"), "{old}");
    let podman = json!({"Version": "4.9.3", "ApiVersion": "1.41",
        "Components": [{"Name": "Podman Engine"}]});
    assert!(settle(&podman).unwrap_err().to_string().contains("Podman 4.9.3"));
}

#[test]
fn podman_is_the_same_engine_each_time_it_is_asked() {
    let podman = json!({"Version": "5.4.2", "Components": [{"Name": "Podman Engine"}]});
    let asked = |id: &str| {
        let info =
            json!({"ID": id, "Name": "web1", "DockerRootDir": "/var/lib/containers/storage"});
        facts(&podman, &info, (1, 41)).id
    };
    assert_eq!(asked("1"), asked("2"));
    let docker = json!({"Version": "28.5.2"});
    let info = |id: &str| json!({"ID": id, "Name": "web1"});
    assert_ne!(facts(&docker, &info("1"), (1, 41)).id, facts(&docker, &info("2"), (1, 41)).id);
}

#[test]
fn a_container_is_never_found_by_the_beginning_of_its_id() {
    let found = || json!({"Id": "db12f0", "Name": "/somebodys"});
    assert_eq!(is_meant(found(), "db").unwrap(), None);
    assert!(is_meant(found(), "db12f0").unwrap().is_some());
    assert!(is_meant(found(), "somebodys").unwrap().is_some());
    assert!(is_meant(Value::Null, "web").is_err());
}

#[test]
fn the_order_in_which_the_engine_lists_mounts_is_not_seen() {
    let mounts = |order: [&str; 3]| {
        let list: Vec<Value> = order.iter().map(|it| json!({"Destination": it})).collect();
        with_sorted_mounts(json!({"Id": "1", "Mounts": list}))
    };
    assert_eq!(mounts(["/b", "/a", "/c"]), mounts(["/c", "/b", "/a"]));
}

#[test]
fn names_are_escaped_for_paths_and_references_stay_readable() {
    assert_eq!(encode("a/b:c@sha256:d"), "a/b:c@sha256:d");
    assert_eq!(encode("a b?c"), "a%20b%3Fc");
}
