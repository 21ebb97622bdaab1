//! The part of a container's `HostConfig` that makes it again: nearly all of it, and its volumes by
//! name.

use serde_json::{Map, Value, json};

use super::is_empty;

/// The `HostConfig` of a request that makes the container again.
pub(super) fn user_host_config(old: &Value, log_driver: &str) -> Map<String, Value> {
    let mut host = old["HostConfig"].as_object().cloned().unwrap_or_default();
    host.remove("ContainerIDFile");
    // Reported as the driver that was chosen at creation, which is no wish of anybody's.
    let log = &old["HostConfig"]["LogConfig"];
    if log["Type"] == json!(log_driver) && is_empty(&log["Config"]) {
        host.remove("LogConfig");
    }
    if let Some(Value::Array(links)) = host.get_mut("Links") {
        for link in links {
            if let Some(text) = link.as_str().and_then(as_requested_link) {
                *link = json!(text);
            }
        }
    }
    let volumes = old["Config"]["Volumes"].clone();
    bind_anonymous_volumes(&mut host, old, &volumes);
    host
}

/// Links are reported as `/child:/parent/alias` and asked for as `child:alias`.
fn as_requested_link(reported: &str) -> Option<String> {
    let (child, alias) = reported.split_once(':')?;
    let alias = alias.rsplit('/').next()?;
    Some(format!("{}:{alias}", child.trim_start_matches('/')))
}

/// An anonymous volume has no name in any request; made again from the request alone, the
/// container would get a new, empty one. So each is bound by the name the engine gave it.
/// `declared` are the volumes of `Config.Volumes`.
pub(super) fn bind_anonymous_volumes(host: &mut Map<String, Value>, old: &Value, declared: &Value) {
    let takes_from_others =
        old["HostConfig"]["VolumesFrom"].as_array().is_some_and(|it| !it.is_empty());
    for mount in old["Mounts"].as_array().into_iter().flatten() {
        let (Some("volume"), Some(name), Some(target)) =
            (mount["Type"].as_str(), mount["Name"].as_str(), mount["Destination"].as_str())
        else {
            continue;
        };
        if has_bind(host, target) || has_tmpfs(host, target) {
            continue;
        }
        if let Some(asked) = mount_of(host, target) {
            if is_empty(&asked["Source"]) && asked["Type"] == json!("volume") {
                asked["Source"] = json!(name);
            }
            continue;
        }
        // What comes from another container comes from it again.
        if takes_from_others && declared.get(target).is_none() {
            continue;
        }
        let mode = if mount["RW"] == json!(false) { ":ro" } else { "" };
        let binds = host.entry("Binds").or_insert(Value::Null);
        if !binds.is_array() {
            *binds = json!([]);
        }
        if let Value::Array(binds) = binds {
            binds.push(json!(format!("{name}:{target}{mode}")));
        }
    }
}

fn has_bind(host: &Map<String, Value>, target: &str) -> bool {
    let binds = host.get("Binds").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    binds.iter().filter_map(Value::as_str).any(|it| bind_target(it) == Some(target))
}

/// `source:target[:mode]`.
pub(crate) fn bind_target(bind: &str) -> Option<&str> {
    bind.split(':').nth(1).map(|it| if it.len() > 1 { it.trim_end_matches('/') } else { it })
}

fn has_tmpfs(host: &Map<String, Value>, target: &str) -> bool {
    host.get("Tmpfs").is_some_and(|it| it.get(target).is_some())
}

fn mount_of<'a>(host: &'a mut Map<String, Value>, target: &str) -> Option<&'a mut Value> {
    let mounts = host.get_mut("Mounts").and_then(Value::as_array_mut)?;
    mounts.iter_mut().find(|it| it["Target"] == json!(target))
}

/// Some modes exclude other fields; the engine reports them all the same, and refuses them in a
/// request.
pub(super) fn drop_what_modes_exclude(config: &mut Map<String, Value>, host: &Map<String, Value>) {
    let mode = |field: &str| host.get(field).and_then(Value::as_str).unwrap_or_default();
    if mode("NetworkMode").starts_with("container:") {
        for field in ["Hostname", "ExposedPorts", "MacAddress"] {
            config.remove(field);
        }
    }
    if mode("UTSMode") == "host" {
        config.remove("Hostname");
    }
}
