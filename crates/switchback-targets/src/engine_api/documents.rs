//! Requests and answers as plain JSON, so that nothing is lost between reading and writing.

use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use hyperlocal::UnixConnector;
use serde_json::Value;

use super::{EngineError, EngineLocation, Pipe, error::chain, pipe, podman};

/// The largest answer that is read: a list of ten thousand containers is about 20 MiB.
const BODY_LIMIT: usize = 64 << 20;

/// A client for documents. Connections are kept and reused.
#[derive(Debug, Clone)]
pub(super) struct Documents {
    transport: Transport,
    prefix: String,
}

#[derive(Debug, Clone)]
enum Transport {
    Unix(Client<UnixConnector, Full<Bytes>>, String),
    Tcp(Client<HttpConnector, Full<Bytes>>, String),
    Pipe(Client<Pipe, Full<Bytes>>),
}

impl Documents {
    pub(super) fn new(location: &EngineLocation) -> Result<Self, EngineError> {
        let builder = Client::builder(TokioExecutor::new());
        let url = &location.url;
        let transport = if let Some(path) = url.strip_prefix("unix://") {
            Transport::Unix(builder.build(UnixConnector), path.to_owned())
        } else if let Some(address) = url.strip_prefix("tcp://") {
            Transport::Tcp(builder.build(HttpConnector::new()), format!("http://{address}"))
        } else {
            return Err(EngineError::Unreachable {
                location: url.clone(),
                source_of_location: location.source.to_owned(),
                reason: "only unix:// and tcp:// addresses are supported".to_owned(),
            });
        };
        Ok(Self { transport, prefix: String::new() })
    }

    pub(super) fn through(pipe: &Pipe) -> Self {
        Self { transport: Transport::Pipe(pipe.documents()), prefix: String::new() }
    }

    pub(super) fn with_version(self, (major, minor): (u64, u64)) -> Self {
        Self { prefix: format!("/v{major}.{minor}"), ..self }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, EngineError> {
        self.send("GET", path, None).await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, EngineError> {
        let path = format!("{}{path}", self.prefix);
        let uri: hyper::Uri = match &self.transport {
            Transport::Unix(_, socket) => hyperlocal::Uri::new(socket, &path).into(),
            Transport::Tcp(_, base) => absolute(base, &path)?,
            Transport::Pipe(_) => absolute(pipe::BASE, &path)?,
        };
        let bytes = body.map(|it| Bytes::from(it.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(bytes))
            .map_err(|it| EngineError::Broken { reason: it.to_string() })?;
        let answer = match &self.transport {
            Transport::Unix(client, _) => client.request(request).await,
            Transport::Tcp(client, _) => client.request(request).await,
            Transport::Pipe(client) => client.request(request).await,
        };
        let answer = answer.map_err(|it| EngineError::Broken { reason: in_words(&it) })?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), BODY_LIMIT).collect().await;
        let body = body.map_err(|it| EngineError::Broken { reason: it.to_string() })?.to_bytes();
        read(status, &body)
    }
}

fn absolute(base: &str, path: &str) -> Result<hyper::Uri, EngineError> {
    let uri = format!("{base}{path}").parse();
    uri.map_err(|_| EngineError::Nonsense { what: "the address", got: base.to_owned() })
}

/// What the system says, in the words that it has for it; else all that the client knows.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(it) = next {
        if let Some(system) = it.downcast_ref::<std::io::Error>() {
            return match system.kind() {
                std::io::ErrorKind::NotFound => "there is no such socket".to_owned(),
                std::io::ErrorKind::ConnectionRefused => {
                    "nobody listens there (connection refused)".to_owned()
                }
                // `connect` says so of a socket of this machine whose queue is full.
                std::io::ErrorKind::WouldBlock => {
                    "it takes no more connections at the moment".to_owned()
                }
                kind => kind.to_string(),
            };
        }
        next = it.source();
    }
    // The outermost words only say which half of the client has met it.
    chain(error.source().unwrap_or(error))
}

/// 304 means that it already is as wanted, and is no error.
fn read(status: u16, body: &[u8]) -> Result<Value, EngineError> {
    if matches!(status, 200..=299 | 304) {
        return Ok(serde_json::from_slice(body).unwrap_or(Value::Null));
    }
    let document: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let message = document["message"].as_str().map_or_else(
        || String::from_utf8_lossy(&body[..body.len().min(400)]).trim().to_owned(),
        str::to_owned,
    );
    Err(EngineError::Refused { status: podman::status(status, &message), message })
}
