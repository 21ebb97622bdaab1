//! From a container as it runs to the request that makes it again.
//!
//! What the engine reports is a mixture: what a person asked for, what the image brought, and what
//! the engine filled in. Made again from all of it, a container would keep the old image's
//! environment and command for ever. So everything is taken three ways: what differs from the *old
//! image, by id* is the person's, and only that goes into the new request.

mod config;
mod host;
mod network;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::members::means;

pub(crate) use self::config::merged;
pub use self::network::user_endpoint;

/// A request that makes a container.
///
/// It holds the values of environments, which are secret: it is kept with the target and goes
/// nowhere else. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Specification {
    /// The body of the create request, without `Image`: an object.
    #[serde(deserialize_with = "object")]
    pub body: Value,
    /// Networks that are joined after the creation, for engines that take only one in the request:
    /// name and endpoint.
    pub joins: Vec<(String, Value)>,
    /// Values that equal the old image's, so that nobody can tell whether they were asked for. They
    /// are taken as the image's.
    #[serde(default)]
    pub ambiguous: Vec<String>,
}

/// Whoever reads a damaged record learns that there, and not where a container is to be made from it.
fn object<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    Map::deserialize(from).map(Value::Object)
}

impl std::fmt::Debug for Specification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Specification").finish_non_exhaustive()
    }
}

/// What a container is made again with, besides its own inspect.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The inspect of the image that the container was made from, by its id.
    pub old_image: &'a Value,
    /// The API that the engine is asked in.
    pub api: (u64, u64),
    /// The log driver of containers that ask for none.
    pub log_driver: &'a str,
}

impl Specification {
    /// The request that makes a container like `old` again.
    pub fn of_running(old: &Value, around: Surroundings<'_>) -> Self {
        let mut ambiguous = Vec::new();
        let image = &around.old_image["Config"];
        let mut body = config::user_config(old, image, &mut ambiguous);
        let host = host::user_host_config(old, around.log_driver);
        let endpoints = network::user_endpoints(old, around.api);
        host::drop_what_modes_exclude(&mut body, &host);
        body.insert("HostConfig".to_owned(), Value::Object(host));
        Self::with_endpoints(body, endpoints, around.api, ambiguous)
    }

    /// A request that somebody else has built, such as from a configuration. `old` is the
    /// container it replaces, whose anonymous volumes stay.
    pub fn of_declared(declared: &Value, old: Option<&Value>, api: (u64, u64)) -> Self {
        let mut body = declared.as_object().cloned().unwrap_or_default();
        body.remove("Image");
        let mut host = match body.remove("HostConfig") {
            Some(Value::Object(host)) => host,
            _ => Map::new(),
        };
        if let Some(old) = old {
            let volumes = body.get("Volumes").cloned().unwrap_or(Value::Null);
            host::bind_anonymous_volumes(&mut host, old, &volumes);
        }
        body.insert("HostConfig".to_owned(), Value::Object(host));
        let endpoints = match body.remove("NetworkingConfig") {
            Some(mut it) => match it["EndpointsConfig"].take() {
                Value::Object(endpoints) => endpoints.into_iter().collect(),
                _ => Vec::new(),
            },
            None => Vec::new(),
        };
        Self::with_endpoints(body, endpoints, api, Vec::new())
    }

    /// Engines below API 1.44 take one endpoint in the request: the one of the network mode.
    fn with_endpoints(
        mut body: Map<String, Value>,
        endpoints: Vec<(String, Value)>,
        api: (u64, u64),
        ambiguous: Vec<String>,
    ) -> Self {
        let mode = body["HostConfig"]["NetworkMode"].as_str().unwrap_or_default().to_owned();
        let is_main = |name: &str| name == mode || (mode == "default" && name == "bridge");
        let has_main = endpoints.iter().any(|(name, _)| is_main(name));
        let (mut first, mut joins): (Vec<_>, Vec<_>) = if api >= (1, 44) {
            (endpoints, Vec::new())
        } else {
            endpoints.into_iter().partition(|(name, _)| is_main(name))
        };
        // A network mode that names a network by its id has no endpoint of that name.
        if !has_main && first.is_empty() && !joins.is_empty() && network::is_user_defined(&mode) {
            first.push(joins.remove(0));
        }
        if !first.is_empty() {
            let endpoints: Map<String, Value> = first.into_iter().collect();
            body.insert("NetworkingConfig".to_owned(), json!({ "EndpointsConfig": endpoints }));
        }
        Self { body: Value::Object(body), joins, ambiguous }
    }

    /// The body of the create request for an image.
    pub fn create_body(&self, image: &str) -> Value {
        let mut body = self.body.clone();
        body["Image"] = json!(image);
        body
    }

    /// The restart policy that the container is made with.
    pub fn restart_policy(&self) -> Value {
        let policy = &self.body["HostConfig"]["RestartPolicy"];
        if policy.is_object() { policy.clone() } else { json!({"Name": "no"}) }
    }

    /// Points what refers to another container's namespaces and volumes, or links to it, at its
    /// successor. By id: the engine looks for it again when it starts itself, and its name changes.
    pub fn follow(&mut self, old: &str, old_name: &str, new: &str) {
        let host = &mut self.body["HostConfig"];
        for mode in ["NetworkMode", "PidMode", "IpcMode"] {
            let target = host[mode].as_str().and_then(|it| it.strip_prefix("container:"));
            if target.is_some_and(|it| means(it, old, old_name)) {
                host[mode] = json!(format!("container:{new}"));
            }
        }
        for list in ["VolumesFrom", "Links"] {
            let Some(all) = host.get_mut(list).and_then(Value::as_array_mut) else { continue };
            for it in all {
                let Some(text) = it.as_str() else { continue };
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                if means(name, old, old_name) {
                    *it = json!(format!("{new}{rest}"));
                }
            }
        }
    }
}

/// Whether a value says nothing: the engine leaves such fields as it likes.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(it) => !it,
        Value::Number(it) => it.as_f64() == Some(0.0),
        Value::String(it) => it.is_empty(),
        Value::Array(it) => it.is_empty(),
        Value::Object(it) => it.is_empty(),
    }
}

#[cfg(test)]
mod tests;
