//! What is carried over, field by field.

use serde_json::{Value, json};

use super::*;

fn around(image: &Value) -> Surroundings<'_> {
    Surroundings { old_image: image, api: (1, 41), log_driver: "json-file" }
}

fn container(config: &Value, host: &Value) -> Value {
    json!({
        "Id": "0123456789abcdef0123", "Config": config, "HostConfig": host, "Mounts": [],
        "NetworkSettings": {"Networks": {"bridge": {"Aliases": null, "IPAMConfig": null}}},
    })
}

#[test]
fn only_what_differs_from_the_old_image_is_the_persons() {
    let image = json!({"Config": {"Env": ["PATH=/bin", "MODE=plain"], "Cmd": ["serve"],
        "Labels": {"version": "1"}, "User": "app", "ExposedPorts": {"80/tcp": {}}}});
    let old = container(
        &json!({"Env": ["MODE=fancy", "PATH=/bin"], "Cmd": ["serve"], "User": "app",
            "Labels": {"version": "1", "team": "web"}, "Hostname": "0123456789ab",
            "ExposedPorts": {"80/tcp": {}, "81/tcp": {}}}),
        &json!({"NetworkMode": "default"}),
    );
    let made = Specification::of_running(&old, around(&image));
    assert_eq!(
        made.create_body("web:2"),
        json!({"Env": ["MODE=fancy"], "Labels": {"team": "web"}, "ExposedPorts": {"81/tcp": {}},
            "HostConfig": {"NetworkMode": "default"}, "Image": "web:2"})
    );
    assert_eq!(made.ambiguous, ["User", "Env PATH"]);
}

#[test]
fn an_entry_point_that_was_emptied_stays_so() {
    let image = json!({"Config": {"Entrypoint": ["/entry"], "Cmd": ["serve"]}});
    let old = container(&json!({"Entrypoint": null, "Cmd": ["sh"]}), &json!({}));
    let made = Specification::of_running(&old, around(&image)).body;
    assert_eq!((&made["Entrypoint"], &made["Cmd"]), (&json!([""]), &json!(["sh"])));
}

#[test]
fn a_command_of_ones_own_keeps_the_images_entry_point() {
    let image = json!({"Config": {"Entrypoint": ["/entry"], "Cmd": ["serve"]}});
    let old = container(&json!({"Entrypoint": ["/entry"], "Cmd": ["debug"]}), &json!({}));
    let made = Specification::of_running(&old, around(&image)).body;
    assert_eq!((made.get("Entrypoint"), &made["Cmd"]), (None, &json!(["debug"])));
}

#[test]
fn a_health_check_is_taken_field_by_field() {
    let check = |interval: u64| json!({"Test": ["CMD", "x"], "Interval": interval, "Retries": 3});
    let image = json!({"Config": {"Healthcheck": check(30)}});
    let old = container(&json!({"Healthcheck": check(5)}), &json!({}));
    let made = Specification::of_running(&old, around(&image)).body;
    assert_eq!(made["Healthcheck"], json!({"Interval": 5}));
}

#[test]
fn anonymous_volumes_are_bound_by_name_and_named_ones_left_alone() {
    let mut old = container(
        &json!({"Volumes": {"/data": {}}}),
        &json!({"Binds": ["named:/named"], "Mounts": [{"Type": "volume", "Target": "/m"}]}),
    );
    old["Mounts"] = json!([
        {"Type": "volume", "Name": "abc", "Destination": "/data", "RW": true},
        {"Type": "volume", "Name": "named", "Destination": "/named", "RW": true},
        {"Type": "volume", "Name": "def", "Destination": "/m", "RW": true},
    ]);
    let made = Specification::of_running(&old, around(&json!({"Config": {}}))).body;
    assert_eq!(made["HostConfig"]["Binds"], json!(["named:/named", "abc:/data"]));
    assert_eq!(made["HostConfig"]["Mounts"][0]["Source"], "def");
}

#[test]
fn an_alias_of_twelve_characters_is_kept_and_the_short_id_is_not() {
    let mut old = container(&json!({}), &json!({"NetworkMode": "front"}));
    old["NetworkSettings"]["Networks"] = json!({
        "front": {"Aliases": ["redis-master", "0123456789ab"], "IPAMConfig": {"IPv4Address": "10.9.0.4"}},
        "back": {"Aliases": ["0123456789ab"], "IPAMConfig": null},
    });
    let made = Specification::of_running(&old, around(&json!({"Config": {}})));
    assert_eq!(
        made.body["NetworkingConfig"]["EndpointsConfig"],
        json!({"front": {"Aliases": ["redis-master"], "IPAMConfig": {"IPv4Address": "10.9.0.4"}}})
    );
    assert_eq!(made.joins, [("back".to_owned(), json!({}))]);
}

#[test]
fn the_default_bridge_gets_no_aliases() {
    let mut old = container(&json!({}), &json!({"NetworkMode": "bridge"}));
    old["NetworkSettings"]["Networks"] = json!({"bridge": {"Aliases": ["0123456789ab", "web"]}});
    let made = Specification::of_running(&old, around(&json!({"Config": {}})));
    assert_eq!(made.body.get("NetworkingConfig"), None);
    assert!(made.joins.is_empty());
}

#[test]
fn a_shared_network_namespace_excludes_a_hostname() {
    let old = container(
        &json!({"Hostname": "peer", "ExposedPorts": {"80/tcp": {}}}),
        &json!({"NetworkMode": "container:ffff"}),
    );
    let mut made = Specification::of_running(&old, around(&json!({"Config": {}})));
    assert_eq!(made.body.get("Hostname"), None);
    made.follow("ffff", "peer", "eeee");
    assert_eq!(made.body["HostConfig"]["NetworkMode"], "container:eeee");
}

#[test]
fn links_are_asked_for_as_a_person_would() {
    let old = container(&json!({}), &json!({"Links": ["/db:/web/database"]}));
    let made = Specification::of_running(&old, around(&json!({"Config": {}})));
    assert_eq!(made.body["HostConfig"]["Links"], json!(["db:database"]));
}

#[test]
fn what_a_person_asked_for_and_the_image_merge_to_what_ran() {
    let image = json!({"Env": ["A=1", "B=2"], "Cmd": ["serve"], "Entrypoint": ["/e"],
        "Labels": {"v": "1"}, "Healthcheck": {"Test": ["CMD", "x"], "Interval": 30}});
    let ran = json!({"Env": ["B=3", "A=1"], "Cmd": ["debug"], "Entrypoint": ["/e"],
        "Labels": {"v": "1", "t": "2"}, "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}});
    let old = container(&ran, &json!({}));
    let body = Specification::of_running(&old, around(&json!({"Config": image}))).body;
    let merged = config::merged(&body, &image);
    for field in ["Env", "Cmd", "Entrypoint", "Labels", "Healthcheck"] {
        assert_eq!(merged[field], ran[field], "{field}");
    }
}

#[test]
fn a_specification_shows_nothing_of_itself() {
    let old = container(&json!({"Env": ["TOKEN=secret"]}), &json!({}));
    let made = Specification::of_running(&old, around(&json!({"Config": {}})));
    assert!(!format!("{made:?}").contains("secret"));
}
