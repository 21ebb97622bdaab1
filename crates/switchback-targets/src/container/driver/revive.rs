//! The old version, found by whoever takes up a way back that somebody else has left.

use jiff::Timestamp;
use serde_json::Value;
use switchback_core::{TargetError, event::EventKind};

use super::{ContainerDriver, lifecycle::is};
use crate::{
    container::{
        change::{Subject, Was},
        members::{is_up, shared_namespaces, stop_timeout_s},
    },
    engine_api::{EngineError, encode},
};

impl ContainerDriver {
    /// Starts it, or makes it again, if it has ended since it was started. May be repeated: what was
    /// begun by an earlier try is finished.
    pub(super) async fn start_if_ended(
        &self,
        id: &str,
        name: &str,
        was: Was,
    ) -> Result<(), TargetError> {
        let Some(found) = self.under_its_name(id, name).await? else { return Ok(()) };
        let id = found["Id"].as_str().unwrap_or(id);
        let subject = Subject::Existing(id.to_owned());
        if !is_up(&found) {
            self.warn(format!("container {name} has ended meanwhile: it is started again"));
            self.start(&subject, name).await?;
        } else if self.has_lost_its_namespace(&found).await? {
            self.warn(format!(
                "container {name} is in a namespace that has ended meanwhile: it is started again"
            ));
            self.restart(id, name, stop_timeout_s(&found)).await?;
        } else if !self.was_revived(id) {
            return Ok(());
        }
        self.note_revived(id);
        if was == Was::Paused && !is(&found, "Paused") {
            self.pause(&subject, name, true).await?;
        }
        Ok(())
    }

    /// Only what has the name: nothing else is to run beside it.
    async fn under_its_name(&self, id: &str, name: &str) -> Result<Option<Value>, TargetError> {
        match self.look(name).await? {
            Some(found) => Ok(self.is_the_one(id, &found).await?.then_some(found)),
            // Somebody has given it another name.
            None if self.look(id).await?.is_some() => Ok(None),
            None => self.bring_back(id, name).await,
        }
    }

    /// Whether it shares a namespace of a container that was started after it. An engine makes a new one
    /// at each start, and leaves whoever was in the old one there, with a network that leads nowhere.
    async fn has_lost_its_namespace(&self, found: &Value) -> Result<bool, TargetError> {
        for other in shared_namespaces(found) {
            let started = self.look(other).await?.filter(is_up).as_ref().and_then(started_at);
            if started.zip(started_at(found)).is_some_and(|(other, own)| other > own) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn restart(&self, id: &str, name: &str, timeout_s: u64) -> Result<(), TargetError> {
        let path = format!("/containers/{}/restart?t={timeout_s}", encode(id));
        let failed = |it: EngineError| {
            it.into_target("start_failed", format!("start container {name} again"))
        };
        self.engine().post(&path, None).await.map(drop).map_err(failed)
    }

    fn was_revived(&self, id: &str) -> bool {
        self.revived.lock().is_ok_and(|it| it.contains(id))
    }

    fn note_revived(&self, id: &str) {
        if let Ok(mut all) = self.revived.lock() {
            let _known = all.insert(id.to_owned());
        }
    }

    fn warn(&self, message: String) {
        self.progress(EventKind::Warning { code: "drifted".to_owned(), message });
    }
}

fn started_at(inspect: &Value) -> Option<Timestamp> {
    inspect["State"]["StartedAt"].as_str()?.parse().ok()
}
