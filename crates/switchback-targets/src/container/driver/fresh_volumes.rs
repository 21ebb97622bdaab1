//! Volumes that the engine has made for a container of ours, from what its image declares.
//!
//! The engine fills such a volume from the image when it makes the container, so that each attempt
//! that goes back would leave a copy. One that may hold more than the image does is never removed.

use serde_json::Value;
use switchback_core::TargetError;

use super::{ContainerDriver, lifecycle::has_ever_run};
use crate::engine_api::{EngineClient, encode};

impl ContainerDriver {
    /// Removes a container that this transaction has made, and the volumes that came into being with it.
    pub(super) async fn remove_made(&self, id: &str, name: &str) -> Result<(), TargetError> {
        let found = self.look(id).await?.unwrap_or(Value::Null);
        self.remove(id, name).await?;
        for volume in fresh_volumes(&found) {
            remove_unused(self.engine(), volume).await;
        }
        Ok(())
    }
}

/// Without force, so that the engine refuses what somebody else has come to use. That it stays then,
/// or where the engine is ill, costs room and nothing else: no way back depends on it.
async fn remove_unused(engine: &EngineClient, volume: &str) {
    drop(engine.delete(&format!("/volumes/{}", encode(volume))).await);
}

/// The names of volumes that hold what the image has, and nothing else: no setting names them, and
/// the container has never run. Whoever takes volumes from other containers has those of others.
fn fresh_volumes(inspect: &Value) -> Vec<&str> {
    let host = &inspect["HostConfig"];
    let takes_from_others = host["VolumesFrom"].as_array().is_some_and(|it| !it.is_empty());
    if takes_from_others || has_ever_run(inspect) {
        return Vec::new();
    }
    let list = |it: &'_ Value| it.as_array().cloned().unwrap_or_default();
    let (binds, mounts) = (list(&host["Binds"]), list(&host["Mounts"]));
    let bound = binds.iter().filter_map(|it| it.as_str()?.split(':').next());
    let named: Vec<&str> =
        bound.chain(mounts.iter().filter_map(|it| it["Source"].as_str())).collect();
    let all = inspect["Mounts"].as_array().into_iter().flatten();
    let volumes = all.filter(|it| it["Type"] == "volume").filter_map(|it| it["Name"].as_str());
    volumes.filter(|it| !it.is_empty() && !named.contains(it)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(host: &Value, started: &str) -> Value {
        json!({
            "State": { "Running": false, "StartedAt": started },
            "HostConfig": host,
            "Mounts": [
                { "Type": "volume", "Name": "shop-data", "Destination": "/data" },
                { "Type": "volume", "Name": "4f1c", "Destination": "/cache" },
                { "Type": "volume", "Name": "9a0b", "Destination": "/bulk" },
                { "Type": "bind", "Source": "/srv", "Destination": "/srv" },
            ],
        })
    }

    const NEVER: &str = "0001-01-01T00:00:00Z";

    #[test]
    fn only_what_no_setting_names_is_fresh() {
        let mounts = json!([{ "Type": "volume", "Source": "4f1c", "Target": "/cache" }]);
        let host = json!({ "Binds": ["shop-data:/data:rw"], "Mounts": mounts });
        assert_eq!(fresh_volumes(&made(&host, NEVER)), ["9a0b"]);
    }

    #[test]
    fn what_has_run_may_have_written() {
        let host = json!({ "Binds": ["shop-data:/data"] });
        let ran = made(&host, "2026-03-01T10:00:00Z");
        assert_eq!(fresh_volumes(&ran), Vec::<&str>::new());
        let mut runs = made(&host, NEVER);
        runs["State"]["Running"] = json!(true);
        assert_eq!(fresh_volumes(&runs), Vec::<&str>::new());
    }

    #[test]
    fn what_cannot_be_known_to_be_fresh_is_not() {
        let host = json!({ "VolumesFrom": ["other"] });
        assert_eq!(fresh_volumes(&made(&host, NEVER)), Vec::<&str>::new());
        let mut unknown = made(&json!({}), NEVER);
        unknown["State"] = Value::Null;
        assert_eq!(fresh_volumes(&unknown), Vec::<&str>::new());
    }
}
