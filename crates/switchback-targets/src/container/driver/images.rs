//! Images: pull, name, unname.

use std::time::{Duration, Instant};

use switchback_core::{
    Before, TargetError,
    event::{EventKind, Unit},
};

use super::ContainerDriver;
use crate::engine_api::{EngineError, PullProgress};

/// A pull is tried three times, with these pauses: registries and mirrors hiccup for seconds.
const PULL_PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(6)];

/// At most ten lines of progress a second and layer.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

impl ContainerDriver {
    pub(super) async fn image_before(&self, reference: &str) -> Result<Before, TargetError> {
        let found = self.image_id(reference).await?;
        Ok(if found.is_some() { Before::Present } else { Before::Absent })
    }

    pub(super) async fn image_id(&self, reference: &str) -> Result<Option<String>, TargetError> {
        let found = self.engine().image(reference).await;
        let found = found.map_err(|it| {
            it.into_target("engine_unreachable", format!("look at image {reference}"))
        })?;
        Ok(found.and_then(|it| it["Id"].as_str().map(str::to_owned)))
    }

    pub(super) async fn pull(&self, reference: &str) -> Result<(), TargetError> {
        let mut pauses = PULL_PAUSES.into_iter();
        loop {
            let tried = self.try_pull(reference).await;
            let Err(error) = tried else { break };
            match pauses.next().filter(|_| is_passing(&error)) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error.into_target("pull_failed", format!("pull {reference}"))),
            }
        }
        // The word of a pull is not enough: the image has to be there.
        if self.image_id(reference).await?.is_some() {
            return Ok(());
        }
        let reason = "the engine said that it did, but the image is not there";
        Err(TargetError::failed("pull_failed", format!("pull {reference}"), reason))
    }

    async fn try_pull(&self, reference: &str) -> Result<(), EngineError> {
        let mut said = std::collections::HashMap::new();
        let on_progress = |it: PullProgress| {
            let now = Instant::now();
            let last = said.insert(it.layer.clone(), (it.status.clone(), now));
            let is_new = last.as_ref().is_none_or(|(status, _)| *status != it.status);
            if !is_new && last.is_some_and(|(_, at)| now - at < PROGRESS_PAUSE) {
                // The status is as it was: only the time of the last line counts.
                return;
            }
            self.progress(EventKind::Progress {
                item: it.layer,
                message: it.status,
                done: it.done,
                total: it.total,
                unit: Unit::Bytes,
            });
        };
        self.engine().pull(reference, self.setup.login.clone(), on_progress).await
    }

    /// Points a name at an image.
    pub(super) async fn name_image(&self, image: &str, reference: &str) -> Result<(), TargetError> {
        let (repository, tag) = split(reference);
        let failed = |it: EngineError| {
            TargetError::failed(it.code(), format!("tag image {image} as {reference}"), it.reason())
        };
        match self.engine().tag(image, repository, tag).await {
            Err(EngineError::Refused { status: 404, message }) => {
                let gone = EngineError::Refused { status: 404, message };
                let id = self.image_of_created(image).await?.ok_or_else(|| failed(gone))?;
                self.engine().tag(&id, repository, tag).await.map_err(failed)
            }
            done => done.map_err(failed),
        }
    }

    /// The id of an image by the container that this plan made from it: a prune of all images takes
    /// names away from one that runs, too.
    async fn image_of_created(&self, image: &str) -> Result<Option<String>, TargetError> {
        let Some((_, digest)) = image.split_once('@') else { return Ok(None) };
        let ids: Vec<String> =
            self.created.lock().map(|it| it.values().cloned().collect()).unwrap_or_default();
        for id in ids {
            let Some(found) = self.look(&id).await? else { continue };
            let is_it = found["Config"]["Image"].as_str().is_some_and(|it| it.ends_with(digest));
            if is_it {
                return Ok(found["Image"].as_str().map(str::to_owned));
            }
        }
        Ok(None)
    }

    pub(super) async fn remove_image_name(&self, reference: &str) -> Result<(), TargetError> {
        let removed = self.engine().untag(reference).await;
        removed
            .map(|_| ())
            .map_err(|it| it.into_target("undo_failed", format!("remove image name {reference}")))
    }

    pub(super) async fn tag_to_remove(&self, reference: &str) -> Result<Before, TargetError> {
        let found = self.image_id(reference).await?;
        Ok(if found.is_some() { Before::Absent } else { Before::Present })
    }

    pub(super) async fn tag_before(
        &self,
        reference: &str,
        image: &str,
    ) -> Result<Before, TargetError> {
        let wanted = self.image_id(image).await?;
        Ok(match self.image_id(reference).await? {
            None => Before::Absent,
            found if found == wanted => Before::Present,
            Some(found) => Before::Image(found),
        })
    }

    /// Nothing holds the image of a container that was pruned, and its name is what goes back first.
    async fn name_again(&self, image: &str, reference: &str) -> Result<(), TargetError> {
        let named = self.name_image(image, reference).await;
        let is_gone = named.is_err() && self.image_id(image).await?.is_none();
        if is_gone && self.fetch_again(image).await? {
            return self.name_image(image, reference).await;
        }
        named
    }

    pub(super) async fn move_tag_back(
        &self,
        reference: &str,
        before: &Before,
    ) -> Result<(), TargetError> {
        match before {
            Before::Image(was) => self.name_again(was, reference).await,
            Before::Absent => self.remove_image_name(reference).await,
            Before::Present => Ok(()),
        }
    }
}

/// Whether trying again may help: not where the registry has said no.
fn is_passing(error: &EngineError) -> bool {
    let text = error.reason().to_lowercase();
    let is_no = [
        "denied",
        "unauthorized",
        "not found",
        "manifest unknown",
        "no matching manifest",
        "no space",
    ];
    !is_no.iter().any(|it| text.contains(it))
}

fn split(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (reference, "latest"),
    }
}
