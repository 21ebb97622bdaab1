//! Images: pull, import, tag.

use std::collections::HashMap;

use bollard::{
    auth::DockerCredentials,
    query_parameters::{CreateImageOptionsBuilder, TagImageOptionsBuilder},
};
use futures_util::StreamExt;

use super::{EngineClient, EngineError, encode};

/// One line of a pull: a layer that got on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullProgress {
    /// The layer's short id.
    pub layer: String,
    /// In the engine's words ("Downloading").
    pub status: String,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all.
    pub total: Option<u64>,
}

/// An image of our own making.
#[derive(Debug, Clone)]
pub struct ImportedImage {
    /// `repository:tag`.
    pub reference: String,
    /// Its one layer.
    pub tar: Vec<u8>,
    /// The program to run.
    pub command: Vec<String>,
}

impl EngineClient {
    /// Pulls an image, as nobody or with a login. An error inside the stream, under HTTP 200, is an error.
    pub async fn pull(
        &self,
        reference: &str,
        login: Option<DockerCredentials>,
        mut on_progress: impl FnMut(PullProgress) + Send,
    ) -> Result<(), EngineError> {
        self.pass().await?;
        let options = CreateImageOptionsBuilder::default().from_image(reference).build();
        let mut stream = self.docker.create_image(Some(options), None, login);
        while let Some(line) = stream.next().await {
            let line = line?;
            let detail = line.progress_detail.unwrap_or_default();
            let number = |it: Option<i64>| it.and_then(|it| u64::try_from(it).ok());
            let (Some(layer), Some(status)) = (line.id, line.status) else { continue };
            let (done, total) = (number(detail.current).unwrap_or(0), number(detail.total));
            on_progress(PullProgress { layer, status, done, total });
        }
        Ok(())
    }

    /// Makes an image of one layer, without any registry.
    pub async fn import(&self, image: &ImportedImage) -> Result<(), EngineError> {
        let (repository, tag) =
            image.reference.rsplit_once(':').unwrap_or((&image.reference, "latest"));
        let command: Vec<String> = image.command.iter().map(|it| format!("{it:?}")).collect();
        let change = format!("ENTRYPOINT [{}]", command.join(","));
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .changes(vec![change])
            .build();
        let body = bollard::body_full(image.tar.clone().into());
        let mut stream = self.docker.create_image(Some(options), Some(body), None);
        while let Some(line) = stream.next().await {
            line?;
        }
        Ok(())
    }

    /// Points `repository:tag` at an image.
    pub async fn tag(&self, image: &str, repository: &str, tag: &str) -> Result<(), EngineError> {
        self.pass().await?;
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        Ok(self.docker.tag_image(&encode(image), Some(options)).await?)
    }

    /// Removes a reference to an image, and the image itself where that was the last one and no
    /// container uses it. Never forced. True if the reference was there.
    pub async fn untag(&self, reference: &str) -> Result<bool, EngineError> {
        match self.delete(&format!("/images/{}?noprune=false", encode(reference))).await {
            // A container still uses it: the reference is all that keeps a name on it.
            Err(EngineError::Refused { status: 409, .. }) => Ok(true),
            other => other,
        }
    }

    /// Bytes that each volume takes, as far as the engine knows.
    pub async fn volume_sizes(&self) -> Result<HashMap<String, u64>, EngineError> {
        let query = if self.facts.api >= (1, 42) { "/system/df?type=volume" } else { "/system/df" };
        let answer = self.documents.get(query).await?;
        let volumes = answer["Volumes"].as_array().map_or(&[][..], Vec::as_slice);
        let size = |it: &serde_json::Value| {
            let name = it["Name"].as_str()?.to_owned();
            Some((name, it["UsageData"]["Size"].as_u64()?))
        };
        Ok(volumes.iter().filter_map(size).collect())
    }
}
