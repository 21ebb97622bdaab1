//! The part of a container's endpoints that a person asked for.

use serde_json::{Map, Value, json};

use super::is_empty;

/// Modes that take no endpoint of their own.
const SPECIAL: [&str; 4] = ["default", "bridge", "host", "none"];

/// Aliases and fixed addresses exist only on networks that a person made.
pub(super) fn is_user_defined(name: &str) -> bool {
    !SPECIAL.contains(&name) && !name.starts_with("container:") && !name.is_empty()
}

/// Every network of a container with what was asked for there.
pub(super) fn user_endpoints(old: &Value, api: (u64, u64)) -> Vec<(String, Value)> {
    let mode = old["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
    if mode == "host" || mode == "none" || mode.starts_with("container:") {
        return Vec::new();
    }
    let Some(networks) = old["NetworkSettings"]["Networks"].as_object() else { return Vec::new() };
    let endpoints =
        networks.iter().map(|(name, it)| (name.clone(), user_endpoint(old, name, it, api)));
    // The default bridge is joined by itself where it is the network mode.
    endpoints.filter(|(name, it)| !(name == "bridge" && is_empty(it) && is_default(mode))).collect()
}

fn is_default(mode: &str) -> bool {
    matches!(mode, "" | "default" | "bridge")
}

/// What was asked for at one endpoint. What the engine made up (addresses, ids, the short id among
/// the aliases) is left out.
pub fn user_endpoint(old: &Value, network: &str, endpoint: &Value, api: (u64, u64)) -> Value {
    let mut asked = Map::new();
    for field in ["IPAMConfig", "DriverOpts", "GwPriority"] {
        if !is_empty(&endpoint[field]) {
            asked.insert(field.to_owned(), endpoint[field].clone());
        }
    }
    if let Some(links) = endpoint["Links"].as_array().filter(|it| !it.is_empty()) {
        asked.insert("Links".to_owned(), json!(links));
    }
    let short_id = old["Id"].as_str().and_then(|it| it.get(..12)).unwrap_or_default();
    let all = endpoint["Aliases"].as_array().map_or(&[][..], Vec::as_slice);
    // By value, never by length: a person's alias may have twelve characters too.
    let aliases: Vec<_> = all.iter().filter(|it| it.as_str() != Some(short_id)).collect();
    if is_user_defined(network) && !aliases.is_empty() {
        asked.insert("Aliases".to_owned(), json!(aliases));
    }
    // Up to API 1.51 the inspect tells an address that was asked for from one that was made up by
    // `Config.MacAddress`; from 1.44 on it is asked for at the endpoint.
    let mac = &old["Config"]["MacAddress"];
    if api >= (1, 44) && !is_empty(mac) && endpoint["MacAddress"] == *mac {
        asked.insert("MacAddress".to_owned(), mac.clone());
    }
    Value::Object(asked)
}
