//! The containers of an engine, as `init` and `adopt` write them down.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use switchback_targets::{
    container::preflight::owner_of,
    engine_api::{EngineClient, EngineError},
    keeper::ROLE_LABEL,
};

use crate::{config::FoundContainer, operate::service_url::engine_host};

/// Inspects at a time: an engine answers each in a millisecond.
const AT_A_TIME: usize = 8;

/// All containers in the order of their names, less our own and what was parked by us.
pub(super) async fn all(engine: &EngineClient) -> Result<Vec<FoundContainer>, EngineError> {
    let listed = engine.containers().await?;
    let ids: Vec<String> = listed
        .iter()
        .filter(|it| !is_ours(it))
        .filter_map(|it| it["Id"].as_str().map(str::to_owned))
        .collect();
    let inspect = async |id: String| engine.container(&id).await;
    let inspects = stream::iter(ids).map(inspect).buffer_unordered(AT_A_TIME);
    // One that has gone in between is none.
    let found: Vec<Option<Value>> = inspects.try_collect().await?;
    let host = engine_host(&engine.location().url);
    let described = |it| described(it, &host);
    let mut found: Vec<FoundContainer> = found.iter().flatten().map(described).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// One container by its name.
pub(super) async fn named(
    engine: &EngineClient,
    name: &str,
) -> Result<Option<FoundContainer>, EngineError> {
    let host = engine_host(&engine.location().url);
    Ok(engine.container(name).await?.map(|it| described(&it, &host)))
}

/// What we made: the keepers by their label, parked and staged containers by the name that only we
/// give. Nothing is done to them here; they are only not offered.
fn is_ours(listed: &Value) -> bool {
    let names = || listed["Names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    listed["Labels"].get(ROLE_LABEL).is_some()
        || names()
            .any(|it| it.contains(".switchback-") && (it.ends_with("-old") || it.ends_with("-new")))
}

fn described(inspect: &Value, engine_host: &str) -> FoundContainer {
    let labels: BTreeMap<String, String> = inspect["Config"]["Labels"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let image = inspect["Config"]["Image"].as_str().unwrap_or_default();
    let image = image.split('@').next().unwrap_or_default().to_owned();
    let check = &inspect["Config"]["Healthcheck"]["Test"];
    let left_out = match owner_of(inspect) {
        Some(owner) => Some(owner),
        None if inspect["HostConfig"]["AutoRemove"] == true => Some(
            "it was started with --rm, and is gone once it stops: declare `run` to keep it"
                .to_owned(),
        ),
        None if image.is_empty() || image.starts_with("sha256:") => Some(
            "it was made from an image without a name, so nothing newer can be found".to_owned(),
        ),
        None => None,
    };
    FoundContainer {
        name: inspect["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned(),
        image,
        labels,
        ports: ports(inspect),
        engine_host: engine_host.to_owned(),
        has_health_check: check.as_array().is_some_and(|it| !it.is_empty() && it[0] != "NONE"),
        left_out,
    }
}

/// Published ports in the short syntax, `127.0.0.1:8080:80`; of a stopped container as it asks for
/// them.
fn ports(inspect: &Value) -> Vec<String> {
    let bindings = inspect["HostConfig"]["PortBindings"].as_object().into_iter().flatten();
    let mut ports = Vec::new();
    for (inside, outside) in bindings {
        let inside = inside.strip_suffix("/tcp").unwrap_or(inside);
        for binding in outside.as_array().into_iter().flatten() {
            let word = |key: &str| binding[key].as_str().filter(|it| !it.is_empty());
            let Some(port) = word("HostPort") else { continue };
            let address = word("HostIp").map_or_else(String::new, |it| format!("{it}:"));
            ports.push(format!("{address}{port}:{inside}"));
        }
    }
    ports.sort();
    ports.dedup();
    ports
}
