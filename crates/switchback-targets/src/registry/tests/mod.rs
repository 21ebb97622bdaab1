//! A registry played by a server of the tests' own, and what it is asked.

mod checking;
mod failing;
mod logging_in;
mod logins;
mod resolving;
mod rubbish;

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{Client, Credentials, Limits, Platform, Reference, digest};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The image `acme/web:latest` of this registry.
fn web(server: &MockServer) -> Reference {
    named(server, "acme/web:latest")
}

fn named(server: &MockServer, image: &str) -> Reference {
    format!("{}/{image}", server.address()).parse().expect("a reference")
}

fn anonymous() -> Client {
    Client::new(Credentials::none())
}

/// Less patient than usual, where a test waits for it.
fn impatient(request_ms: u64, question_ms: u64) -> Client {
    let limits = Limits {
        request: Duration::from_millis(request_ms),
        question: Duration::from_millis(question_ms),
        ..Limits::default()
    };
    Client::with_limits(Credentials::none(), limits)
}

fn linux(architecture: &str) -> Platform {
    Platform::new("linux", architecture, None)
}

/// `METHOD PATH` of all that was asked, in order.
async fn asked(server: &MockServer) -> Vec<String> {
    requests(server).await.iter().map(|one| format!("{} {}", one.method, one.url.path())).collect()
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("requests are recorded")
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().expect("text"))
}

/// A thing in a registry: its bytes, its type, its digest.
struct Content {
    bytes: Vec<u8>,
    kind: &'static str,
    digest: String,
}

impl Content {
    fn new(kind: &'static str, document: &Value) -> Self {
        let bytes = document.to_string().into_bytes();
        let digest = digest::sha256(&bytes);
        Self { bytes, kind, digest }
    }

    fn answer(&self) -> ResponseTemplate {
        ResponseTemplate::new(200)
            .insert_header("docker-content-digest", self.digest.as_str())
            .set_body_raw(self.bytes.clone(), self.kind)
    }

    /// Serves this under a tag or digest, to HEAD and GET alike, as registries do.
    async fn serve(&self, server: &MockServer, part: &str) {
        for verb in ["HEAD", "GET"] {
            let mock = Mock::given(method(verb)).and(path(format!("/v2/acme/web/{part}")));
            mock.respond_with(self.answer()).mount(server).await;
        }
    }
}

fn config(architecture: &str) -> Content {
    let config = json!({
        "os": "linux",
        "architecture": architecture,
        "config": {
            "Env": ["PATH=/bin"],
            "Cmd": ["/web"],
            "Labels": {"org.opencontainers.image.version": "1.4.2"},
        },
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    Content::new("application/vnd.oci.image.config.v1+json", &config)
}

fn manifest(kind: &'static str, config: &Content) -> Content {
    let layer = |size: u64| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest::sha256(&size.to_be_bytes()),
            "size": size,
        })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": config.kind, "digest": config.digest, "size": config.bytes.len()},
        "layers": [layer(1000), layer(234)],
    });
    Content::new(kind, &manifest)
}

fn index(kind: &'static str, entries: &[(&str, &Content)]) -> Content {
    let mut manifests: Vec<Value> = entries
        .iter()
        .map(|(architecture, manifest)| {
            json!({
                "mediaType": manifest.kind,
                "digest": manifest.digest,
                "size": manifest.bytes.len(),
                "platform": {"os": "linux", "architecture": architecture},
            })
        })
        .collect();
    // What builders attest of an image lies beside it, under a platform that nobody has.
    manifests.push(json!({
        "mediaType": MANIFEST,
        "digest": digest::sha256(b"attestation"),
        "size": 1,
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    }));
    let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": manifests});
    Content::new(kind, &index)
}
