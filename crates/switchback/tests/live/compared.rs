//! Two containers compared by all that somebody can have asked for.

use serde_json::{Value, json};

/// What differs between any two containers of one specification, each with its reason.
const NOT_COMPARED: [(&str, &str); 11] = [
    ("Id", "each has its own"),
    ("Created", "a time"),
    ("State", "what it does, and not what it is"),
    ("Image", "it is what an update changes"),
    ("ResolvConfPath", "a path with the id"),
    ("HostnamePath", "a path with the id"),
    ("HostsPath", "a path with the id"),
    ("LogPath", "a path with the id"),
    ("GraphDriver", "layers of its own"),
    ("RestartCount", "what has happened to it"),
    ("ExecIDs", "what is asked of it at the moment"),
];

/// What the engine makes up for an endpoint, each with its reason.
pub(super) const NOT_ASKED_FOR: [(&str, &str); 9] = [
    ("NetworkID", "the network is compared by its name"),
    ("EndpointID", "each has its own"),
    ("Gateway", "of the network, while it runs"),
    ("IPAddress", "given at the start, as IPAMConfig asks"),
    ("IPPrefixLen", "of the network, while it runs"),
    ("IPv6Gateway", "of the network, while it runs"),
    ("GlobalIPv6Address", "given at the start, as IPAMConfig asks"),
    ("GlobalIPv6PrefixLen", "of the network, while it runs"),
    ("DNSNames", "made from name, aliases and id"),
];

/// Variables in which the versions of the ledger differ: they follow the image.
const OF_THE_VERSION: [&str; 2] = ["LEDGER_VERSION=", "LEDGER_MIGRATE="];

/// An inspect without what differs between any two containers of one specification, and without
/// what comes from the image.
pub(super) fn specification(inspect: &Value) -> Value {
    let mut it = inspect.clone();
    let id = it["Id"].as_str().unwrap_or_default().to_owned();
    let settings = it["NetworkSettings"].take();
    it["Ports"] = settings["Ports"].clone();
    it["Networks"] = json!({});
    for (name, endpoint) in settings["Networks"].as_object().into_iter().flatten() {
        it["Networks"][name] = asked_at(endpoint, inspect);
    }
    for (key, _) in NOT_COMPARED {
        it.as_object_mut().expect("an object").remove(key);
    }
    it["Config"]["Image"] = named(&it["Config"]["Image"]);
    // Without a name of its own a container is called by its id.
    if it["Config"]["Hostname"].as_str() == Some(&id[..12]) {
        it["Config"]["Hostname"] = Value::Null;
    }
    let labels = it["Config"]["Labels"].as_object_mut();
    labels.map(|it| it.remove("org.opencontainers.image.version"));
    if let Some(environment) = it["Config"]["Env"].as_array_mut() {
        let of_the_version = |it: &str| OF_THE_VERSION.iter().any(|of| it.starts_with(of));
        environment.retain(|it| !of_the_version(it.as_str().unwrap_or_default()));
        // Podman tells a container its own id.
        environment.retain(|it| *it != format!("HOSTNAME={}", &id[..12]));
        environment.sort_by_key(ToString::to_string);
    }
    if let Some(mounts) = it["Mounts"].as_array_mut() {
        // How it was asked for: an anonymous volume is now asked for by its name.
        for volume in mounts.iter_mut().filter(|it| is_anonymous(&it["Name"])) {
            volume["Mode"] = Value::Null;
        }
        mounts.sort_by_key(|it| it["Destination"].to_string());
    }
    it["HostConfig"]["Binds"] = asked_binds(&it["HostConfig"]["Binds"]);
    for mount in it["HostConfig"]["Mounts"].as_array_mut().into_iter().flatten() {
        // Which volume it is stands among the mounts of the whole.
        if is_anonymous(&mount["Source"]) {
            mount["Source"] = Value::Null;
        }
    }
    it
}

/// `REPOSITORY:TAG`, whatever digest it was pinned to. Podman leaves the tag out where there is a
/// digest, and there is only one in these tests.
fn named(image: &Value) -> Value {
    let name = image.as_str().unwrap_or_default();
    let name = name.split('@').next().unwrap_or_default();
    let has_tag = name.rsplit('/').next().is_some_and(|it| it.contains(':'));
    json!(if has_tag { name.to_owned() } else { format!("{name}:latest") })
}

/// The name that an engine gives to a volume that nobody has named.
fn is_anonymous(volume: &Value) -> bool {
    volume.as_str().is_some_and(|it| it.len() == 64 && it.chars().all(|it| it.is_ascii_hexdigit()))
}

/// Binds in one order, each with its options in one order. Those of anonymous volumes were added by
/// the update, and are compared among the mounts of the whole.
fn asked_binds(binds: &Value) -> Value {
    let mut all = Vec::new();
    for bind in binds.as_array().into_iter().flatten() {
        let mut parts = bind.as_str().unwrap_or_default().split(':');
        let source = parts.next().unwrap_or_default();
        let target = parts.next().unwrap_or_default();
        let mut options: Vec<_> = parts.next().unwrap_or("rw").split(',').collect();
        options.sort_unstable();
        if !is_anonymous(&json!(source)) {
            all.push(json!([source, target, options]));
        }
    }
    all.sort_by_key(ToString::to_string);
    Value::Array(all)
}

/// What somebody has asked for at an endpoint: whatever the engine has not made up.
fn asked_at(endpoint: &Value, inspect: &Value) -> Value {
    let mut asked = endpoint.clone();
    for (key, _) in NOT_ASKED_FOR {
        asked.as_object_mut().expect("an endpoint").remove(key);
    }
    let id = inspect["Id"].as_str().unwrap_or_default();
    for list in ["Aliases", "Links"] {
        let Some(all) = asked[list].as_array_mut() else { continue };
        // The engine adds the short id to the aliases.
        all.retain(|it| it.as_str() != Some(&id[..12]));
        all.sort_by_key(ToString::to_string);
    }
    // Made up at the start.
    let is_created = inspect["State"]["Status"] == "created";
    if !is_created || asked["MacAddress"] == "" {
        asked["MacAddress"] = Value::Null;
    }
    asked
}

/// Every path at which two documents differ.
pub(super) fn differences(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = format!("{path}/{key}");
                if is_in_a_set(&path) && a.contains_key(key) != b.contains_key(key) {
                    found.push(format!("{path}: only in one of them"));
                }
                differences(&path, &one[key], &other[key], found);
            }
        }
        _ if is_empty(one) && is_empty(other) => {}
        _ if one == other => {}
        _ => found.push(format!("{path}: {one} -> {other}")),
    }
}

/// Sets of ports and of paths are written as objects whose values say nothing.
fn is_in_a_set(path: &str) -> bool {
    path.starts_with("/Config/ExposedPorts/") || path.starts_with("/Config/Volumes/")
}

/// The engine writes what is not there in three ways.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(it) => it.is_empty(),
        Value::Object(it) => it.is_empty(),
        _ => false,
    }
}
