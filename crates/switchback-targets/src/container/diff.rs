//! Two containers compared by what the engine reports of them.
//!
//! This reads inspects, while [`super::specification`] writes requests: neither can hide the
//! other's mistakes.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::specification::{is_empty, merged, user_endpoint};

/// One difference. Values of environments are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where.
    pub path: String,
    /// What was.
    pub old: String,
    /// What is.
    pub new: String,
}

/// Fields of the host configuration that the engine fills in by itself.
const FILLED_IN: [&str; 3] = ["ContainerIDFile", "LogConfig", "ConsoleSize"];

/// How the container that was made differs from the old one, but for what its image brings.
/// Empty means that nothing of the configuration is lost.
pub fn unplanned(
    old: &Value,
    old_image: &Value,
    new: &Value,
    new_image: &Value,
    api: (u64, u64),
) -> Vec<Difference> {
    let mut found = Vec::new();
    host(&old["HostConfig"], &new["HostConfig"], old, &mut found);
    config(old, old_image, new, new_image, &mut found);
    mounts(old, new, &mut found);
    networks(old, new, api, &mut found);
    found
}

fn note(found: &mut Vec<Difference>, path: impl Into<String>, old: &Value, new: &Value) {
    let path = path.into();
    // Commands, labels, health checks and options of drivers hold passwords as environments do:
    // only where a thing is mounted or joined, and plain switches and numbers, are shown.
    let is_place = path.starts_with("Mounts ") || path.starts_with("Networks ");
    let show = |it: &Value| match it {
        Value::Null | Value::Bool(_) | Value::Number(_) => it.to_string(),
        _ if is_place || path == "HostConfig.Links" => it.to_string(),
        _ => "***".to_owned(),
    };
    found.push(Difference { old: show(old), new: show(new), path });
}

fn host(old: &Value, new: &Value, inspect: &Value, found: &mut Vec<Difference>) {
    let keys: BTreeSet<&String> =
        [old, new].into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    for key in keys {
        let (one, other) = (&old[key.as_str()], &new[key.as_str()]);
        let is_same = match key.as_str() {
            it if FILLED_IN.contains(&it) => true,
            "Binds" => binds(old, inspect) == binds(new, &Value::Null),
            "Links" => is_linked_as(&links(one), &links(other)),
            "Mounts" => sources_aside(one) == sources_aside(other),
            "NetworkMode" | "PidMode" | "IpcMode" | "VolumesFrom" => {
                follows_a_container(one) == follows_a_container(other)
                    && (follows_a_container(one) || one == other)
            }
            _ => one == other || (is_empty(one) && is_empty(other)),
        };
        if !is_same {
            note(found, format!("HostConfig.{key}"), one, other);
        }
    }
}

/// Links are reported as `/child:/parent/alias`, and the parent has its temporary name.
fn links(all: &Value) -> BTreeSet<(&str, &str)> {
    let all = all.as_array().into_iter().flatten().filter_map(Value::as_str);
    all.filter_map(|it| it.split_once(':'))
        .map(|(child, alias)| (child, alias.rsplit('/').next().unwrap_or(alias)))
        .collect()
}

/// Whether the same links are there, to the same containers or to their successors, which have their
/// temporary names still.
fn is_linked_as(old: &BTreeSet<(&str, &str)>, new: &BTreeSet<(&str, &str)>) -> bool {
    let is_successor = |old: &str, new: &str| {
        new == old || new.strip_prefix(old).is_some_and(|it| it.starts_with(".switchback-"))
    };
    let is_there = |(child, alias): &(&str, &str)| {
        new.iter().any(|(other, name)| name == alias && is_successor(child, other))
    };
    old.len() == new.len() && old.iter().all(is_there)
}

/// A reference to another container's namespace names that container's successor afterwards.
fn follows_a_container(value: &Value) -> bool {
    value.as_str().is_some_and(|it| it.starts_with("container:"))
        || value.as_array().is_some_and(|it| !it.is_empty())
}

/// Binds, with the anonymous volumes of the old one, which are bound by name in the new one.
fn binds(host: &Value, inspect: &Value) -> BTreeSet<String> {
    let plain = |it: &str| it.trim_end_matches(":rw").to_owned();
    let mut all: BTreeSet<String> = host["Binds"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(plain)
        .collect();
    let targets: BTreeSet<String> =
        all.iter().filter_map(|it| it.split(':').nth(1).map(str::to_owned)).collect();
    let from_others = host["VolumesFrom"].as_array().is_some_and(|it| !it.is_empty());
    for mount in inspect["Mounts"].as_array().into_iter().flatten() {
        let word = |key: &str| mount[key].as_str().unwrap_or_default();
        let asked = host["Mounts"].as_array().into_iter().flatten();
        let is_asked = asked.into_iter().any(|it| it["Target"] == mount["Destination"]);
        let is_own = inspect["Config"]["Volumes"].get(word("Destination")).is_some();
        if word("Type") == "volume"
            && !targets.contains(word("Destination"))
            && !is_asked
            && (is_own || !from_others)
        {
            let mode = if mount["RW"] == json!(false) { ":ro" } else { "" };
            all.insert(format!("{}:{}{mode}", word("Name"), word("Destination")));
        }
    }
    all
}

fn sources_aside(mounts: &Value) -> Value {
    let mut mounts = mounts.clone();
    for mount in mounts.as_array_mut().into_iter().flatten() {
        if mount["Type"] == json!("volume") {
            mount["Source"] = Value::Null;
        }
    }
    if is_empty(&mounts) { Value::Null } else { mounts }
}

/// The new `Config` has to be what the engine makes of the person's wishes and the new image.
fn config(
    old: &Value,
    old_image: &Value,
    new: &Value,
    new_image: &Value,
    found: &mut Vec<Difference>,
) {
    let around = super::specification::Surroundings { old_image, api: (1, 44), log_driver: "" };
    let wishes = super::specification::Specification::of_running(old, around).body;
    let expected = merged(&wishes, &new_image["Config"]);
    // A person's wishes on the old image have to give the old container again: else they were
    // misread, and the comparison below would prove nothing.
    let again = merged(&wishes, &old_image["Config"]);
    for field in [
        "User",
        "Env",
        "Cmd",
        "Entrypoint",
        "Labels",
        "WorkingDir",
        "Healthcheck",
        "StopSignal",
        "ExposedPorts",
        "Volumes",
        "Tty",
        "OpenStdin",
        "StdinOnce",
        "StopTimeout",
        "Domainname",
        "MacAddress",
        "NetworkDisabled",
    ] {
        if !is_same_config(field, &again[field], &old["Config"][field]) {
            note(
                found,
                format!("Config.{field} (not understood)"),
                &old["Config"][field],
                &again[field],
            );
        } else if !is_same_config(field, &expected[field], &new["Config"][field]) {
            note(found, format!("Config.{field}"), &expected[field], &new["Config"][field]);
        }
    }
    let asked = &wishes["Hostname"];
    if !is_empty(asked) && *asked != new["Config"]["Hostname"] {
        note(found, "Config.Hostname", asked, &new["Config"]["Hostname"]);
    }
}

fn is_same_config(field: &str, one: &Value, other: &Value) -> bool {
    match field {
        "Env" => words(one) == words(other),
        // Published ports are exposed by themselves, and shared namespaces expose none.
        "ExposedPorts" => true,
        "Healthcheck" => without_empty(one) == without_empty(other),
        "WorkingDir" => {
            let plain =
                |it: &Value| it.as_str().unwrap_or_default().trim_end_matches('/').to_owned();
            plain(one) == plain(other)
        }
        _ => one == other || (is_empty(one) && is_empty(other)),
    }
}

fn words(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn without_empty(value: &Value) -> Value {
    let Value::Object(map) = value else { return Value::Null };
    let kept: Map<String, Value> =
        map.iter().filter(|(_, it)| !is_empty(it)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if kept.is_empty() { Value::Null } else { Value::Object(kept) }
}

/// Every volume and folder of the old one has to be at its place in the new one.
fn mounts(old: &Value, new: &Value, found: &mut Vec<Difference>) {
    let key = |it: &Value| {
        let name = if is_empty(&it["Name"]) { &it["Source"] } else { &it["Name"] };
        json!([it["Type"], name, it["Destination"], it["RW"], it["Propagation"]])
    };
    let all = |it: &Value| -> Vec<Value> {
        it["Mounts"].as_array().into_iter().flatten().map(key).collect()
    };
    let made = all(new);
    for mount in all(old) {
        if !made.contains(&mount) {
            note(
                found,
                format!("Mounts {}", mount[2].as_str().unwrap_or_default()),
                &mount,
                &Value::Null,
            );
        }
    }
}

fn networks(old: &Value, new: &Value, api: (u64, u64), found: &mut Vec<Difference>) {
    let all =
        |it: &Value| it["NetworkSettings"]["Networks"].as_object().cloned().unwrap_or_default();
    let made = all(new);
    for (name, endpoint) in all(old) {
        let asked = user_endpoint(old, &name, &endpoint, api);
        let got = made.get(&name).map(|it| user_endpoint(new, &name, it, api));
        let is_kept = got.as_ref().is_some_and(|got| {
            let asked = asked.as_object().into_iter().flatten();
            asked.into_iter().all(|(field, value)| is_kept_at(field, value, &got[field.as_str()]))
        });
        if !is_kept {
            note(found, format!("Networks {name}"), &asked, &got.unwrap_or(Value::Null));
        }
    }
}

fn is_kept_at(field: &str, asked: &Value, got: &Value) -> bool {
    if field == "Aliases" || field == "Links" {
        return words(asked).is_subset(&words(got));
    }
    asked == got
}

/// How a container that runs differs from what is declared: everything declared has to be there.
pub fn declared(body: &Value, inspect: &Value, image: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    let host = body["HostConfig"].as_object().into_iter().flatten();
    for (key, wanted) in host {
        let has = &inspect["HostConfig"][key.as_str()];
        let is_same = match key.as_str() {
            it if FILLED_IN.contains(&it) => true,
            "NetworkMode" => {
                is_default_network(wanted) == is_default_network(has)
                    && (is_default_network(wanted) || wanted == has)
            }
            "Binds" => {
                binds(&json!({"Binds": wanted}), &Value::Null)
                    == binds(&json!({"Binds": has}), &Value::Null)
            }
            "RestartPolicy" => wanted["Name"] == has["Name"],
            _ => contains(has, wanted),
        };
        if !is_same {
            note(&mut found, format!("HostConfig.{key}"), wanted, has);
        }
    }
    let expected = merged(body, &image["Config"]);
    for field in [
        "User",
        "Env",
        "Cmd",
        "Entrypoint",
        "Labels",
        "WorkingDir",
        "Healthcheck",
        "StopSignal",
        "Domainname",
    ] {
        if !is_same_config(field, &expected[field], &inspect["Config"][field]) {
            note(
                &mut found,
                format!("Config.{field}"),
                &expected[field],
                &inspect["Config"][field],
            );
        }
    }
    found
}

fn is_default_network(mode: &Value) -> bool {
    matches!(mode.as_str(), None | Some("" | "default" | "bridge"))
}

/// Whether everything that `wanted` says is in `has`.
fn contains(has: &Value, wanted: &Value) -> bool {
    match (has, wanted) {
        (_, wanted) if is_empty(wanted) => true,
        (Value::Object(has), Value::Object(wanted)) => {
            wanted.iter().all(|(key, it)| has.get(key).is_some_and(|has| contains(has, it)))
        }
        (has, wanted) => has == wanted,
    }
}
