//! The part of a container's `Config` that a person asked for: the inverse of the engine's merge.

use serde_json::{Map, Value, json};

use super::is_empty;

/// Fields that the engine takes from the image where the request leaves them empty.
const INHERITED: [&str; 4] = ["User", "WorkingDir", "StopSignal", "Shell"];

/// Fields of the inspect that no request has.
const REPORTED: [&str; 3] = ["Image", "OnBuild", "ArgsEscaped"];

/// The `Config` of a request that makes the container again.
pub(super) fn user_config(
    old: &Value,
    image: &Value,
    ambiguous: &mut Vec<String>,
) -> Map<String, Value> {
    let mut config = old["Config"].as_object().cloned().unwrap_or_default();
    for field in REPORTED {
        config.remove(field);
    }
    for field in INHERITED {
        if config.get(field).is_some_and(|it| *it == image[field]) {
            if !is_empty(&image[field]) {
                ambiguous.push(field.to_owned());
            }
            config.remove(field);
        }
    }
    subtract_environment(&mut config, image, ambiguous);
    subtract_keys(&mut config, image, "Labels");
    subtract_keys(&mut config, image, "ExposedPorts");
    subtract_keys(&mut config, image, "Volumes");
    subtract_command(&mut config, image);
    subtract_health_check(&mut config, image);
    if is_generated_hostname(old) {
        config.remove("Hostname");
    }
    config
}

/// The engine names a container by the first twelve characters of its id where nobody else does.
fn is_generated_hostname(old: &Value) -> bool {
    let id = old["Id"].as_str().unwrap_or_default();
    old["Config"]["Hostname"].as_str().is_some_and(|it| !it.is_empty() && id.get(..12) == Some(it))
}

/// A variable is the person's where name or value differ from the image's.
fn subtract_environment(
    config: &mut Map<String, Value>,
    image: &Value,
    ambiguous: &mut Vec<String>,
) {
    let brought = image["Env"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(Value::Array(all)) = config.get_mut("Env") else { return };
    all.retain(|it| {
        let is_brought = brought.contains(it);
        if is_brought && let Some((name, _)) = it.as_str().and_then(|it| it.split_once('=')) {
            ambiguous.push(format!("Env {name}"));
        }
        !is_brought
    });
}

fn subtract_keys(config: &mut Map<String, Value>, image: &Value, field: &str) {
    let Some(Value::Object(all)) = config.get_mut(field) else { return };
    all.retain(|key, value| image[field].get(key) != Some(value));
    if all.is_empty() {
        config.remove(field);
    }
}

/// The image's command is inherited only together with its entry point; an entry point that a
/// person emptied is asked for with one empty word.
fn subtract_command(config: &mut Map<String, Value>, image: &Value) {
    let of = |config: &Map<String, Value>, field: &str| {
        config.get(field).cloned().unwrap_or(Value::Null)
    };
    let (entry, command) = (of(config, "Entrypoint"), of(config, "Cmd"));
    let is_same_entry =
        entry == image["Entrypoint"] || (is_empty(&entry) && is_empty(&image["Entrypoint"]));
    if !is_same_entry {
        if is_empty(&entry) {
            config.insert("Entrypoint".to_owned(), json!([""]));
        }
        return;
    }
    config.remove("Entrypoint");
    if command == image["Cmd"] || (is_empty(&command) && is_empty(&image["Cmd"])) {
        config.remove("Cmd");
    } else if is_empty(&command) {
        // Asked for without a command: only an entry point of its own keeps the image's away.
        let entry = if is_empty(&entry) { json!([""]) } else { entry };
        config.insert("Entrypoint".to_owned(), entry);
    }
}

/// A health check is merged field by field.
fn subtract_health_check(config: &mut Map<String, Value>, image: &Value) {
    let Some(Value::Object(check)) = config.get_mut("Healthcheck") else { return };
    if check.get("Test").and_then(|it| it[0].as_str()) == Some("NONE") {
        return;
    }
    let brought = &image["Healthcheck"];
    check.retain(|field, value| brought.get(field) != Some(value) && !is_empty(value));
    if check.is_empty() {
        config.remove("Healthcheck");
    }
}

/// What the engine makes of a person's `Config` and an image's: the merge itself, written a second
/// time and the other way round, so that a created container can be held to it.
pub(crate) fn merged(user: &Value, image: &Value) -> Value {
    let mut all = user.clone();
    for field in INHERITED {
        if is_empty(&all[field]) && !is_empty(&image[field]) {
            all[field] = image[field].clone();
        }
    }
    if is_empty(&all["Entrypoint"]) {
        if is_empty(&all["Cmd"]) {
            all["Cmd"] = image["Cmd"].clone();
        }
        all["Entrypoint"] = image["Entrypoint"].clone();
    } else if all["Entrypoint"] == json!([""]) {
        all["Entrypoint"] = Value::Null;
    }
    let name = |it: &Value| it.as_str().map(|it| it.split('=').next().unwrap_or(it).to_owned());
    let mut environment = all["Env"].as_array().cloned().unwrap_or_default();
    for variable in image["Env"].as_array().into_iter().flatten() {
        if !environment.iter().any(|it| name(it) == name(variable)) {
            environment.push(variable.clone());
        }
    }
    all["Env"] = Value::Array(environment);
    for field in ["Labels", "ExposedPorts", "Volumes"] {
        let mut keys = image[field].as_object().cloned().unwrap_or_default();
        keys.extend(user[field].as_object().cloned().unwrap_or_default());
        all[field] = Value::Object(keys);
    }
    all["Healthcheck"] = merged_health_check(&user["Healthcheck"], &image["Healthcheck"]);
    all
}

fn merged_health_check(user: &Value, image: &Value) -> Value {
    let (Some(user), Some(image)) = (user.as_object(), image.as_object()) else {
        return if user.is_object() { user.clone() } else { image.clone() };
    };
    let mut all = image.clone();
    all.extend(user.iter().filter(|(_, it)| !is_empty(it)).map(|(k, v)| (k.clone(), v.clone())));
    Value::Object(all)
}
