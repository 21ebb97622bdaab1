//! What Podman tells of a container at an interface of its own only.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use super::{EngineClient, EngineError, encode, podman, untold};

/// Containers whose documents are remembered: more than one host has. The others are asked for each time.
const MOST: usize = 1_000;

/// Of a document of Podman's own interface what is carried over or refused. Both are said when a
/// container is made, and nobody can change them later.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// `HostConfig.LogConfig`: its `Type`, `Path`, `Tag` and `Size`; null where nobody has told it.
    pub log: Value,
    /// Options that Docker's interface has no words for, by their names.
    pub untold: Vec<&'static str>,
}

impl Own {
    pub(super) fn of(document: &Value) -> Self {
        Self { log: document["HostConfig"]["LogConfig"].clone(), untold: untold::names(document) }
    }
}

/// Those that were read already, by the ids of their containers. Between the stop of one version and the
/// start of another each request is downtime, and these can be asked before.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered(Arc<Mutex<BTreeMap<String, Own>>>);

impl Remembered {
    pub(super) fn get(&self, id: &str) -> Option<Own> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(super) fn keep(&self, id: &str, own: &Own) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST {
            all.insert(id.to_owned(), own.clone());
        }
    }
}

impl EngineClient {
    /// The inspect of one of Podman's containers, in Docker's words.
    pub(super) async fn podman_container(&self, inspect: Value) -> Result<Value, EngineError> {
        let own = self.own(inspect["Id"].as_str().unwrap_or_default()).await?;
        Ok(podman::container(inspect, &own))
    }

    async fn own(&self, id: &str) -> Result<Own, EngineError> {
        if let Some(own) = self.remembered.get(id) {
            return Ok(own);
        }
        let document = self.find(&format!("/libpod/containers/{}/json", encode(id))).await?;
        // Without one the container has just gone away, and there is nothing to remember.
        let Some(document) = document else { return Ok(Own::default()) };
        let own = Own::of(&document);
        self.remembered.keep(id, &own);
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_said_of_a_container_is_remembered_by_its_id_and_never_of_too_many() {
        let all = Remembered::default();
        let shared = all.clone();
        all.keep("a", &Own::of(&json!({ "HostConfig": { "LogConfig": { "Tag": "web" } } })));
        assert_eq!(shared.get("a").expect("the same memory").log["Tag"], "web");
        assert!(all.get("b").is_none());
        for number in 0..MOST {
            all.keep(&number.to_string(), &Own::default());
        }
        assert!(all.get("a").is_some());
        assert!(all.get(&(MOST - 1).to_string()).is_none(), "asked for each time");
    }
}
