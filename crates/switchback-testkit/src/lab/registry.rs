//! Puts images into a registry without an engine, so that no engine knows them before it has pulled them.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::http::{self, Answer};
use super::layer::Layer;
use super::{Credentials, LabError};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// The largest layer, 60 MB of a real application, takes 1 s on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A registry, and who we are to it.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    /// `host:port`.
    pub(super) address: String,
    /// Absent where anybody may write.
    pub(super) credentials: Option<Credentials>,
}

impl Registry {
    /// Uploads what is missing and moves the tag. Returns the digest of the manifest. Equal
    /// arguments give equal digests: nothing in an image says when it was made.
    pub(super) async fn publish(
        &self,
        repository: &str,
        tag: &str,
        config: &Value,
        layers: &[Layer],
    ) -> Result<String, LabError> {
        self.publish_for(architecture(), repository, tag, config, layers).await
    }

    /// As [`Registry::publish`], for an architecture by the engine's word for it.
    pub(super) async fn publish_for(
        &self,
        architecture: &str,
        repository: &str,
        tag: &str,
        config: &Value,
        layers: &[Layer],
    ) -> Result<String, LabError> {
        let image = Bytes::from(image_config(architecture, config, layers).to_string());
        for layer in layers {
            if !self.has_blob(repository, layer.digest()).await? {
                self.upload(repository, layer.digest(), layer.read()?).await?;
            }
        }
        let image_digest = digest_of(&image);
        let manifest = Bytes::from(manifest(&image_digest, image.len(), layers).to_string());
        self.upload(repository, &image_digest, image).await?;
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", self.address);
        let digest = digest_of(&manifest);
        self.expect(201, Method::PUT, &url, MANIFEST, manifest).await?;
        Ok(digest)
    }

    async fn has_blob(&self, repository: &str, digest: &str) -> Result<bool, LabError> {
        let url = format!("http://{}/v2/{repository}/blobs/{digest}", self.address);
        let answer =
            http::send(Method::HEAD, &url, self.headers(""), Bytes::new(), DEADLINE).await?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            status => Err(LabError::Refused {
                request: format!("HEAD {url}"),
                status,
                body: String::new(),
            }),
        }
    }

    async fn upload(&self, repository: &str, digest: &str, blob: Bytes) -> Result<(), LabError> {
        let start = format!("http://{}/v2/{repository}/blobs/uploads/", self.address);
        let answer = self.expect(202, Method::POST, &start, "", Bytes::new()).await?;
        let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let location = location.unwrap_or_default();
        let separator = if location.contains('?') { '&' } else { '?' };
        let finish = format!("{location}{separator}digest={digest}");
        self.expect(201, Method::PUT, &finish, "application/octet-stream", blob).await?;
        Ok(())
    }

    async fn expect(
        &self,
        status: u16,
        method: Method,
        url: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<Answer, LabError> {
        let request = format!("{method} {url}");
        let answer = http::send(method, url, self.headers(content_type), body, DEADLINE).await?;
        if answer.status == status {
            return Ok(answer);
        }
        let body = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
        Err(LabError::Refused { request, status: answer.status, body })
    }

    fn headers(&self, content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(value) = self.credentials.as_ref().and_then(Credentials::basic) {
            headers.insert(header::AUTHORIZATION, value);
        }
        headers
    }
}

fn image_config(architecture: &str, config: &Value, layers: &[Layer]) -> Value {
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(Layer::diff_id).collect::<Vec<_>>() },
        "history": layers.iter().map(|_| json!({ "created_by": "scripts/lab" })).collect::<Vec<_>>(),
    })
}

fn manifest(image_digest: &str, image_bytes: usize, layers: &[Layer]) -> Value {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| json!({ "mediaType": LAYER, "size": layer.size_bytes(), "digest": layer.digest() }))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": CONFIG, "size": image_bytes, "digest": image_digest },
        "layers": layers,
    })
}

/// The engine's word for the architecture that this program was built for.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn digest_of(bytes: &[u8]) -> String {
    let hex: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}
