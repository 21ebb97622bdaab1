//! Making a container beside the running one, and holding it to what was planned.

use std::time::Duration;

use serde_json::{Value, json};
use switchback_core::{Before, Millis, TargetError};

use super::ContainerDriver;
use crate::{
    container::{change::Receipt, diff, specification::Specification},
    engine_api::{EngineError, encode},
    keeper,
};

/// Between two looks of a barrier.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// What a creation may take beyond its limit before a person has to look: with the name still
/// taken and nothing to see, only the engine can tell.
const GRACE_MS: Millis = 60_000;

/// Somebody else's container has a name that we need.
fn taken(name: &str) -> TargetError {
    TargetError::Drifted {
        expected: format!("no container {name}"),
        found: "one that Switchback has not made: rename it".to_owned(),
    }
}

impl ContainerDriver {
    pub(super) async fn create_before(&self, name: &str) -> Result<Before, TargetError> {
        // The name under which the old one will be parked has to be free too, and after the stop
        // would be too late to notice that it is not.
        let parked = name.strip_suffix("-new").map(|it| format!("{it}-old"));
        for name in [Some(name.to_owned()), parked].into_iter().flatten() {
            if self.look(&name).await?.is_some() {
                return Err(taken(&name));
            }
        }
        Ok(Before::Absent)
    }

    pub(super) async fn create(&self, name: &str, image: &str) -> Result<Receipt, TargetError> {
        let failed = |it: EngineError| {
            it.into_target("preflight_failed", format!("create container {name}"))
        };
        let Some(specification) = self.specifications.get(name) else {
            let reason = "its specification is not known any more";
            return Err(TargetError::failed(
                "internal",
                format!("create container {name}"),
                reason,
            ));
        };
        let mut specification = specification.clone();
        for (made, (old, _)) in &self.predecessors {
            if let Some(new) = self.created_id(made) {
                specification.follow(old.id(), old.name(), &new);
            }
        }
        if let Some((old, old_name, new)) = &self.taken_back {
            specification.follow(old, old_name, new);
        }
        self.record_predecessors().await?;
        let id = match self.make(name, image, &specification).await {
            Err(EngineError::Refused { status: 409, .. }) => {
                if let Ok(mut refused) = self.refused.lock() {
                    let _new = refused.insert(name.to_owned());
                }
                return Err(taken(name));
            }
            made => made.map_err(failed)?,
        };
        self.hold_to_the_plan(name, &id).await?;
        Ok(Receipt { container: Some(id) })
    }

    /// Makes a container and joins it to its networks.
    pub(super) async fn make(
        &self,
        name: &str,
        image: &str,
        specification: &Specification,
    ) -> Result<String, EngineError> {
        let body = specification.create_body(image);
        let path = format!("/containers/create?name={}", encode(name));
        let made = self.engine().post(&path, Some(&body)).await?;
        let id = made["Id"].as_str().unwrap_or_default().to_owned();
        for (network, endpoint) in &specification.joins {
            let body = json!({ "Container": id, "EndpointConfig": endpoint });
            let path = format!("/networks/{}/connect", encode(network));
            drop(self.engine().post(&path, Some(&body)).await?);
        }
        Ok(id)
    }

    /// Everything unplanned stops here, while the old version serves.
    async fn hold_to_the_plan(&self, name: &str, id: &str) -> Result<(), TargetError> {
        let Some((old, true)) = self.predecessors.get(name).map(|(old, it)| (old, *it)) else {
            return Ok(());
        };
        let new = self.look(id).await?.unwrap_or(Value::Null);
        let image = new["Image"].as_str().unwrap_or_default().to_owned();
        // An update is of the target: those that go along stay what they are.
        if old.name() != self.setup.target && image != old.image_id() {
            let reason = format!("it would get another image: {image} and not {}", old.image_id());
            let action = format!("carry {} over", old.name());
            return Err(TargetError::failed("preflight_failed", action, reason));
        }
        let image = self.engine().image(&image).await;
        let image = image
            .map_err(|it| it.into_target("engine_unreachable", "look at the new image"))?
            .unwrap_or(Value::Null);
        let api = self.engine().facts().api;
        let differences = diff::unplanned(&old.inspect, &old.image, &new, &image, api);
        if differences.is_empty() {
            return Ok(());
        }
        let words: Vec<String> = differences
            .into_iter()
            .map(|it| format!("{} is {} and was {}", it.path, it.new, it.old))
            .collect();
        let reason =
            format!("the new container would differ from the old one: {}", words.join("; "));
        Err(TargetError::failed("preflight_failed", format!("carry {} over", old.name()), reason))
    }

    /// A creation that was asked for has happened when its container is listed, and can no longer
    /// happen when its name can be given to another.
    pub(super) async fn settle_create(
        &self,
        name: &str,
        patience: Millis,
    ) -> Result<(), TargetError> {
        let is_refused = self.refused.lock().is_ok_and(|it| it.contains(name));
        if is_refused || self.created_id(name).is_some() {
            return Ok(());
        }
        let failed =
            |it: EngineError| it.into_target("undo_failed", format!("wait for container {name}"));
        let mut waited: Millis = 0;
        loop {
            if self.look(name).await?.is_some() {
                return Ok(());
            }
            let body = json!({ "Image": keeper::image::image_reference(), "Entrypoint": ["/keeper"],
                "Cmd": ["hold"], "Labels": { (keeper::ROLE_LABEL): "placeholder" },
                "NetworkDisabled": true, "HostConfig": { "NetworkMode": "none" } });
            let path = format!("/containers/create?name={}", encode(name));
            match self.engine().post(&path, Some(&body)).await {
                Ok(made) => {
                    let id = made["Id"].as_str().unwrap_or_default();
                    let path = format!("/containers/{id}?force=true");
                    let _was_there = self.engine().delete(&path).await.map_err(failed)?;
                    return Ok(());
                }
                Err(EngineError::Refused { status: 409, .. }) if waited < patience + GRACE_MS => {}
                Err(error) => return Err(failed(error)),
            }
            tokio::time::sleep(LOOK_PAUSE).await;
            waited += 200;
        }
    }

    pub(super) async fn remove_created(&self, name: &str) -> Result<(), TargetError> {
        // Whoever was faster has it.
        if self.refused.lock().is_ok_and(|it| it.contains(name)) {
            return Ok(());
        }
        let id = match self.created_id(name) {
            Some(id) => id,
            None => match self.look(name).await? {
                Some(found) => found["Id"].as_str().unwrap_or_default().to_owned(),
                None => return Ok(()),
            },
        };
        self.remove_made(&id, name).await
    }

    pub(super) async fn remove_before(&self, id: &str) -> Result<Before, TargetError> {
        Ok(if self.look(id).await?.is_some() { Before::Absent } else { Before::Present })
    }

    /// A parked container goes after the commit, unless somebody has started it again: without
    /// force the engine refuses, and it stays.
    pub(super) async fn remove_parked(&self, id: &str, name: &str) -> Result<(), TargetError> {
        let removed = self.engine().delete(&format!("/containers/{}?v=false", encode(id))).await;
        removed
            .map(|_| ())
            .map_err(|it| it.into_target("drifted", format!("remove container {name}")))
    }

    /// By id, with force, and never with its volumes.
    pub(super) async fn remove(&self, id: &str, name: &str) -> Result<(), TargetError> {
        let removed =
            self.engine().delete(&format!("/containers/{}?force=true&v=false", encode(id))).await;
        removed
            .map(|_| ())
            .map_err(|it| it.into_target("undo_failed", format!("remove container {name}")))
    }
}
