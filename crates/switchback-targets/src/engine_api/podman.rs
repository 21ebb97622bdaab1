//! Podman's answers in Docker's words, so that nobody else has to know where they differ.

use serde_json::{Map, Value, json};

use super::{EngineError, own::Own, untold};

/// Podman's name of the network that Docker calls `bridge`.
const DEFAULT_NETWORK: &str = "podman";

/// What Podman's `Devices` lack, and what it refuses to be told without: all that can be done to one.
/// It may be more than somebody asked for, which is said before an update.
pub(crate) const ALL_OF_A_DEVICE: &str = "rwm";

/// The annotation that has the user namespace as it was asked for.
const USER_NAMESPACE: &str = "io.podman.annotations.userns";

/// How the names of annotations begin that are Podman's own.
const NOTES: [&str; 4] = [
    "io.container.manager",
    "io.podman.annotations.",
    "org.opencontainers.image.stopSignal",
    "org.systemd.property.",
];

/// The inspect of a container, with what only Podman's own interface tells.
pub(super) fn container(mut inspect: Value, own: &Own) -> Value {
    for device in inspect["HostConfig"]["Devices"].as_array_mut().into_iter().flatten() {
        if device["CgroupPermissions"] == json!("") {
            device["CgroupPermissions"] = json!(ALL_OF_A_DEVICE);
        }
    }
    say_once_how_much_processor(&mut inspect);
    name_user_namespace(&mut inspect);
    drop_what_it_added(&mut inspect);
    drop_what_it_noted(&mut inspect);
    name_networks(&mut inspect);
    drop_the_name_of_its_host(&mut inspect);
    tell_log(&mut inspect, &own.log);
    untold::note(&mut inspect, &own.untold);
    inspect
}

/// What a log was asked for: its driver, which Docker's interface calls `json-file` where it is
/// `k8s-file`, and the options under the names by which they were asked for. Without one, the log lies in
/// a folder that has the container's id in its name, and its limit is `0B`.
fn tell_log(inspect: &mut Value, own: &Value) {
    let said = |field: &str| own[field].as_str().filter(|it| !it.is_empty());
    let Some(driver) = said("Type") else { return };
    let id = inspect["Id"].as_str().unwrap_or_default();
    let path = said("Path").filter(|it| !it.contains(id));
    let size = said("Size").filter(|it| *it != "0B");
    let all = [("tag", said("Tag")), ("path", path), ("max-size", size)];
    let options: Map<String, Value> =
        all.into_iter().filter_map(|(name, it)| Some((name.to_owned(), json!(it?)))).collect();
    inspect["HostConfig"]["LogConfig"] = json!({ "Type": driver, "Config": options });
}

/// A limit that was asked for in processors is shown as a share of time as well; Podman refuses to be
/// asked for both.
fn say_once_how_much_processor(inspect: &mut Value) {
    if inspect["HostConfig"]["NanoCpus"].as_i64().is_some_and(|it| it != 0) {
        inspect["HostConfig"]["CpuPeriod"] = json!(0);
        inspect["HostConfig"]["CpuQuota"] = json!(0);
    }
}

/// Which user namespace was asked for is noted among the annotations. The field itself is empty for that
/// of the host, and `private` for every other one, which Podman refuses to be asked for.
fn name_user_namespace(inspect: &mut Value) {
    let all = inspect.pointer("/HostConfig/Annotations");
    if let Some(noted) = all.and_then(|it| it.get(USER_NAMESPACE)).cloned() {
        inspect["HostConfig"]["UsernsMode"] = noted;
    }
}

/// The name of a container's host is among its aliases on each network, and gets there again.
fn drop_the_name_of_its_host(inspect: &mut Value) {
    let name = inspect["Config"]["Hostname"].clone();
    let networks = inspect.pointer_mut("/NetworkSettings/Networks").and_then(Value::as_object_mut);
    for endpoint in networks.into_iter().flat_map(|it| it.values_mut()) {
        if let Some(Value::Array(all)) = endpoint.get_mut("Aliases") {
            all.retain(|it| *it != name);
        }
    }
}

/// Two variables of its own are among those of the container; one of them has the container's id.
fn drop_what_it_added(inspect: &mut Value) {
    let id = inspect["Id"].as_str().unwrap_or_default();
    let hostname = id.get(..12).map(|it| format!("HOSTNAME={it}"));
    if let Some(Value::Array(all)) = inspect.get_mut("Config").and_then(|it| it.get_mut("Env")) {
        all.retain(|it| *it != json!("container=podman") && it.as_str() != hostname.as_deref());
    }
}

/// Podman notes its own settings among the annotations, such as the id of the container whose volumes
/// are mounted; it notes them again for the next one.
fn drop_what_it_noted(inspect: &mut Value) {
    let all = inspect.pointer_mut("/HostConfig/Annotations").and_then(Value::as_object_mut);
    if let Some(all) = all {
        all.retain(|name, _| !NOTES.iter().any(|it| name.starts_with(it)));
    }
}

/// Whoever has networks has the mode `bridge`, whichever networks these are; and whoever has those of
/// another container shows that one's as its own.
fn name_networks(inspect: &mut Value) {
    let mode = inspect["HostConfig"]["NetworkMode"].as_str().unwrap_or_default().to_owned();
    let Some(networks) = inspect.pointer_mut("/NetworkSettings/Networks") else { return };
    let Some(all) = networks.as_object_mut() else { return };
    if mode.starts_with("container:") {
        all.clear();
        return;
    }
    if mode != "bridge" {
        return;
    }
    if let Some(endpoint) = all.remove(DEFAULT_NETWORK) {
        all.insert(mode, endpoint);
    } else if let Some(first) = all.keys().min().cloned() {
        inspect["HostConfig"]["NetworkMode"] = json!(first);
    }
}

/// The inspect of an image, or an entry of their list: its names are as people write them.
pub(super) fn image(mut image: Value) -> Value {
    for list in ["RepoTags", "RepoDigests"] {
        for name in image[list].as_array_mut().into_iter().flatten() {
            if let Some(plain) = name.as_str().map(familiar) {
                *name = json!(plain);
            }
        }
    }
    // Indexing has made keys where there were none.
    if let Some(fields) = image.as_object_mut() {
        let is_said = |_: &String, it: &mut Value| !it.is_null();
        Map::retain(fields, is_said);
    }
    image
}

/// `docker.io/library/web:1` is written `web:1`.
fn familiar(name: &str) -> String {
    let plain = name.strip_prefix("docker.io/").unwrap_or(name);
    plain.strip_prefix("library/").unwrap_or(plain).to_owned()
}

/// The status that Docker has for a refusal.
pub(super) fn status(status: u16, message: &str) -> u16 {
    if status == 500 && message.ends_with("that name is already in use") { 409 } else { status }
}

/// Whether a container went away in the middle of a look, at which Podman gives up the whole answer,
/// whichever container was asked for.
pub(super) fn has_stumbled(error: &EngineError) -> bool {
    matches!(error, EngineError::Refused { status: 500, message } if message.ends_with("no such container"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_docker(inspect: Value) -> Value {
        container(inspect, &Own::default())
    }

    const ID: &str = "4f4dd48b82762c63b1479e95f1055a91f057922ecc6658a2a9efa68b124e5817";

    #[test]
    fn the_default_network_is_called_bridge_and_another_is_the_mode() {
        let with = |mode: &str, networks: Value| {
            let it = as_docker(json!({ "Id": ID, "HostConfig": { "NetworkMode": mode },
                "NetworkSettings": { "Networks": networks } }));
            (it["HostConfig"]["NetworkMode"].clone(), it["NetworkSettings"]["Networks"].clone())
        };
        assert_eq!(with("bridge", json!({"podman": {}})), (json!("bridge"), json!({"bridge": {}})));
        assert_eq!(
            with("bridge", json!({"b": {}, "a": {}})),
            (json!("a"), json!({"a": {}, "b": {}}))
        );
        let shared = format!("container:{ID}");
        assert_eq!(with(&shared, json!({"podman": {}})), (json!(shared), json!({})));
        assert_eq!(with("none", json!({"none": {}})), (json!("none"), json!({"none": {}})));
    }

    #[test]
    fn its_own_variables_are_nobodys_wish() {
        let all =
            ["container=podman", "HOSTNAME=4f4dd48b8276", "HOSTNAME=mine", "A=1", "HOME=/root"];
        let it = as_docker(json!({ "Id": ID, "Config": { "Env": all } }));
        assert_eq!(it["Config"]["Env"], json!(["HOSTNAME=mine", "A=1", "HOME=/root"]));
    }

    #[test]
    fn what_it_notes_among_the_annotations_is_nobodys_wish() {
        let all = json!({"io.podman.annotations.volumes-from": ID, "io.container.manager": "libpod",
            "org.systemd.property.KillSignal": "15", "mine": "1"});
        let it = as_docker(json!({ "Id": ID, "HostConfig": { "Annotations": all } }));
        assert_eq!(it["HostConfig"]["Annotations"], json!({"mine": "1"}));
    }

    #[test]
    fn a_limit_in_processors_is_said_once() {
        let host = json!({ "NanoCpus": 1_500_000_000, "CpuPeriod": 100_000, "CpuQuota": 150_000 });
        let it = as_docker(json!({ "Id": ID, "HostConfig": host }));
        assert_eq!(it["HostConfig"]["NanoCpus"], 1_500_000_000);
        assert_eq!(it["HostConfig"]["CpuPeriod"], 0);
        assert_eq!(it["HostConfig"]["CpuQuota"], 0);
        let host = json!({ "NanoCpus": 0, "CpuPeriod": 50_000, "CpuQuota": 25_000 });
        let it = as_docker(json!({ "Id": ID, "HostConfig": host }));
        assert_eq!(it["HostConfig"]["CpuQuota"], 25_000);
    }

    #[test]
    fn a_user_namespace_is_the_one_that_was_asked_for() {
        let of = |host: Value| {
            as_docker(json!({ "Id": ID, "HostConfig": host }))["HostConfig"]["UsernsMode"].clone()
        };
        let noted = |mode: &str| json!({ "io.podman.annotations.userns": mode });
        let kept = json!({ "UsernsMode": "private", "Annotations": noted("keep-id:uid=7") });
        assert_eq!(of(kept), "keep-id:uid=7");
        assert_eq!(of(json!({ "UsernsMode": "", "Annotations": noted("host") })), "host");
        assert_eq!(of(json!({ "UsernsMode": "", "Annotations": null })), "");
    }

    #[test]
    fn the_name_of_its_host_is_no_alias_that_somebody_chose() {
        let networks =
            json!({ "front": { "Aliases": ["db", "web", "web"] }, "back": { "Aliases": null } });
        let it = as_docker(json!({ "Id": ID, "Config": { "Hostname": "web" }, "HostConfig": {},
            "NetworkSettings": { "Networks": networks } }));
        assert_eq!(it["NetworkSettings"]["Networks"]["front"]["Aliases"], json!(["db"]));
    }

    #[test]
    fn what_a_log_was_asked_for_is_told_by_its_own_interface() {
        let default = format!("/containers/storage/overlay-containers/{ID}/userdata/ctr.log");
        let with = |path: &str, tag: &str, size: &str| {
            let own = json!({ "Type": "k8s-file", "Path": path, "Tag": tag, "Size": size });
            let log = json!({ "Type": "json-file", "Config": null });
            let of = json!({ "Id": ID, "HostConfig": { "LogConfig": log } });
            let it = container(of, &Own { log: own, ..Own::default() });
            assert_eq!(it["HostConfig"]["LogConfig"]["Type"], "k8s-file");
            it["HostConfig"]["LogConfig"]["Config"].clone()
        };
        assert_eq!(with(&default, "", "0B"), json!({}));
        assert_eq!(with("", "web", "0B"), json!({"tag": "web"}));
        let all = json!({"path": "/srv/web.log", "max-size": "3MB"});
        assert_eq!(with("/srv/web.log", "", "3MB"), all);
    }

    #[test]
    fn a_device_can_be_asked_for_again() {
        let it = as_docker(json!({ "Id": ID,
            "HostConfig": { "Devices": [{ "PathOnHost": "/dev/null", "CgroupPermissions": "" }] } }));
        assert_eq!(it["HostConfig"]["Devices"][0]["CgroupPermissions"], "rwm");
    }

    #[test]
    fn names_of_images_are_as_people_write_them() {
        let it = image(json!({ "Id": "1", "RepoTags": ["docker.io/library/a:1", "docker.io/b/c:2",
            "registry.example/library/d:3"] }));
        assert_eq!(it["RepoTags"], json!(["a:1", "b/c:2", "registry.example/library/d:3"]));
        assert!(it.get("RepoDigests").is_none());
    }

    #[test]
    fn a_name_that_is_taken_and_a_container_that_went_away_are_known_by_their_words() {
        assert_eq!(status(500, "the container name is in use: that name is already in use"), 409);
        assert_eq!(status(500, "no space left on device"), 500);
        let gone = |status| EngineError::Refused {
            status,
            message: "no container with ID 1 found in database: no such container".to_owned(),
        };
        assert!(has_stumbled(&gone(500)));
        assert!(!has_stumbled(&gone(404)));
    }
}
