//! What stood there before, written down before anything stops, so that it can be made again.
//!
//! A container that was stopped for its successor is kept, and is the best way back. But a prune
//! takes whatever does not run, and may come between the stop and the end of the gate. From its
//! record it is made again, as a rollback does from an older release.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchback_core::{TargetError, event::EventKind};

use super::{ContainerDriver, commit::STATE_FILE};
use crate::{
    container::{
        change::PreviousDraft,
        document::KeptRelease,
        members::Member,
        plan::digest_of,
        specification::{Specification, Surroundings},
    },
    engine_api::EngineError,
    keeper::{self, programs},
};

/// Beside the state of the target; it holds environments, as that does.
const FILE: &str = "before.json";

/// The format that this version writes.
const FORMAT: u16 = 1;

/// The file. The format is read with the rest: it only helps, so that one which cannot be read is
/// as good as none.
#[derive(Serialize, Deserialize)]
struct Predecessors {
    format: u16,
    containers: Vec<Predecessor>,
}

/// What makes a container again. Without `Debug`: environments are secret.
#[derive(Clone, Serialize, Deserialize)]
struct Predecessor {
    container: String,
    /// The id of its image.
    image: String,
    /// The image as people name it.
    reference: String,
    /// `repository@digest`, if a registry knows it.
    digest: Option<String>,
    specification: Specification,
    inspect: Value,
}

/// The containers of a file, or none where it cannot be used: one of a newer version, and a damaged one.
fn read(bytes: &[u8]) -> Option<Vec<Predecessor>> {
    let Predecessors { format, containers } = serde_json::from_slice(bytes).ok()?;
    (format <= FORMAT).then_some(containers)
}

impl ContainerDriver {
    /// Writes down what this transaction replaces. May be repeated.
    pub(super) async fn record_predecessors(&self) -> Result<(), TargetError> {
        let containers: Vec<Predecessor> =
            self.predecessors.values().map(|(member, _)| self.predecessor(member)).collect();
        if containers.is_empty() {
            return Ok(());
        }
        let all = Predecessors { format: FORMAT, containers };
        let bytes = serde_json::to_vec(&all).unwrap_or_default();
        let path = format!("{}/{FILE}", keeper::target_folder(&self.setup.target));
        let written = programs::put(self.engine(), &self.setup.keeper, &path, bytes).await;
        written.map_err(|it| {
            TargetError::failed(it.code(), format!("write {FILE} of the target"), it.to_string())
        })
    }

    fn predecessor(&self, member: &Member) -> Predecessor {
        let facts = self.engine().facts();
        let around = Surroundings {
            old_image: &member.image,
            api: facts.api,
            log_driver: &facts.log_driver,
        };
        Predecessor {
            container: member.id().to_owned(),
            image: member.image_id().to_owned(),
            reference: member.image_reference().split('@').next().unwrap_or_default().to_owned(),
            digest: digest_of(member),
            specification: Specification::of_running(&member.inspect, around),
            inspect: member.inspect.clone(),
        }
    }

    async fn recorded(&self, id: &str) -> Result<Option<Predecessor>, TargetError> {
        self.recorded_as(|it| it.container == id).await
    }

    async fn recorded_as(
        &self,
        is_it: impl Fn(&Predecessor) -> bool,
    ) -> Result<Option<Predecessor>, TargetError> {
        let read = keeper::read_record(self.engine(), &self.setup.target, FILE).await;
        let bytes =
            read.map_err(|it| it.into_target("internal", format!("read {FILE} of the target")))?;
        let all = bytes.and_then(|it| self::read(&it));
        if let Some(found) = all.into_iter().flatten().find(&is_it) {
            return Ok(Some(found));
        }
        let releases = self.read(STATE_FILE).await?.map(|it| it.releases).unwrap_or_default();
        let mut kept = releases.into_iter().map(|it| Predecessor {
            container: it.container,
            image: it.image,
            reference: it.reference,
            digest: it.digest,
            specification: it.specification,
            inspect: it.inspect,
        });
        Ok(kept.find(is_it))
    }

    /// Fetches an image that somebody has removed meanwhile. False where nobody knows where it came from.
    pub(super) async fn fetch_again(&self, image: &str) -> Result<bool, TargetError> {
        match self.recorded_as(|it| it.image == image).await? {
            Some(known) => self.image_again(&known).await.map(|_| true),
            None => Ok(false),
        }
    }

    /// The release that was left, where its container is gone: the next rung is what is recorded.
    pub(super) async fn kept_without_container(
        &self,
        draft: &PreviousDraft,
    ) -> Result<Option<KeptRelease>, TargetError> {
        let known = self.recorded(&draft.container).await?;
        Ok(known.map(|it| KeptRelease {
            release: draft.release.clone(),
            container: it.container,
            name: draft.parked.clone(),
            image: it.image,
            reference: it.reference,
            digest: it.digest,
            keep: draft.keep.clone(),
            specification: it.specification,
            inspect: it.inspect,
            dependents: draft.dependents.clone(),
        }))
    }

    /// A container that was there before, for whoever brings it back: itself, or where somebody has
    /// removed it, one that is made again under its name.
    pub(super) async fn bring_back(
        &self,
        id: &str,
        name: &str,
    ) -> Result<Option<Value>, TargetError> {
        if let Some(found) = self.look(id).await? {
            return Ok(Some(found));
        }
        let Some(known) = self.recorded(id).await? else { return Ok(None) };
        match self.look(name).await? {
            // Made again before, by us or by somebody else; another one is a stranger's.
            Some(found) => Ok((found["Image"] == json!(known.image)).then_some(found)),
            None => self.make_again(name, &known).await.map(Some),
        }
    }

    /// Whether what is called so is the container with that id, or was made again in its place.
    pub(super) async fn is_the_one(&self, id: &str, found: &Value) -> Result<bool, TargetError> {
        if found["Id"] == id {
            return Ok(true);
        }
        let known = match self.look(id).await? {
            None => self.recorded(id).await?,
            Some(_) => None,
        };
        Ok(known.is_some_and(|it| found["Image"] == json!(it.image)))
    }

    async fn make_again(&self, name: &str, known: &Predecessor) -> Result<Value, TargetError> {
        self.progress(EventKind::Warning {
            code: "drifted".to_owned(),
            message: format!("container {name} was removed meanwhile: it is made again"),
        });
        let image = self.image_again(known).await?;
        let failed =
            |it: EngineError| it.into_target("undo_failed", format!("make container {name} again"));
        let id = self.make(name, &image, &known.specification).await.map_err(failed)?;
        self.look(&id).await?.ok_or_else(|| TargetError::Drifted {
            expected: format!("container {name}"),
            found: "none".to_owned(),
        })
    }

    /// A name or the id by which the image is here.
    async fn image_again(&self, known: &Predecessor) -> Result<String, TargetError> {
        let is_here = |found: Option<String>| found.as_deref() == Some(known.image.as_str());
        if !is_here(self.image_id(&known.image).await?) {
            let Some(digest) = &known.digest else {
                let reason = "its image was removed, and no registry has it";
                return Err(TargetError::failed(
                    "undo_failed",
                    format!("find image {}", known.reference),
                    reason,
                ));
            };
            self.pull(digest).await?;
        }
        let digest = known.digest.as_deref().and_then(|it| it.split_once('@')).map(|it| it.1);
        if let Some(digest) = digest {
            let named = format!("{}@{digest}", known.reference);
            if is_here(self.image_id(&named).await?) {
                return Ok(named);
            }
        }
        Ok(known.image.clone())
    }
}

#[cfg(test)]
mod rubbish {
    use switchback_testkit::rubbish::{corpus, feed};

    use super::*;

    #[test]
    fn the_corpus_has_what_is_used_and_what_is_left() {
        let all = corpus("before");
        let is_used = |it: &Vec<u8>| read(it).is_some_and(|it| !it.is_empty());
        assert!(all.iter().any(is_used) && !all.iter().all(is_used));
    }

    #[test]
    fn a_request_that_is_none_is_not_sent() {
        let text = String::from_utf8(corpus("before").remove(1)).unwrap();
        let mut file: Value = serde_json::from_str(&text).unwrap();
        assert!(read(file.to_string().as_bytes()).is_some());
        file["containers"][0]["specification"]["body"] = json!("web");
        assert!(read(file.to_string().as_bytes()).is_none());
    }

    #[test]
    fn whatever_lies_beside_a_state_is_used_or_left() {
        feed("before", |bytes| {
            let Some(containers) = read(bytes) else { return };
            for mut it in containers.clone() {
                let _policy = it.specification.restart_policy();
                it.specification.follow("0f1e2d3c4b5a", "web", "5a4b3c2d1e0f");
                assert!(it.specification.create_body(&it.image)["Image"].is_string());
            }
            let again = Predecessors { format: FORMAT, containers };
            let again = serde_json::to_vec(&again).expect("what was read can be written");
            assert!(read(&again).is_some());
        });
    }
}
