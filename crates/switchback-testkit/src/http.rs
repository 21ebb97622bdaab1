//! The fake engine in a real one's words: HTTP over a pipe in this process.
//!
//! Whoever speaks with an engine can be given this one. Nothing here touches a socket, so that all of
//! it lives in the runtime's paused time.

mod documents;
mod requests;
mod streams;

use std::{io, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;

use self::{
    requests::{Meant, meant},
    streams::Programs,
};
use crate::engine::{Engine, Refusal};

/// Bytes that are under way in one direction: more than any answer here.
const PIPE_BYTES: usize = 1 << 20;

/// An engine and what one client has asked of it.
#[derive(Debug)]
pub struct Server<E> {
    engine: Arc<E>,
    programs: Arc<Programs>,
}

impl<E: Engine + 'static> Server<E> {
    /// Answers one client in the words of `engine`.
    pub fn new(engine: Arc<E>) -> Self {
        Self { engine, programs: Arc::default() }
    }

    /// A connection, which is served until either end is dropped.
    pub fn open(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let (engine, programs) = (self.engine.clone(), self.programs.clone());
        let serve = async move {
            let answer = service_fn(move |it| answer(engine.clone(), programs.clone(), it));
            let served = http1::Builder::new().serve_connection(TokioIo::new(theirs), answer);
            // Whoever has left does not hear how it ended.
            drop(served.with_upgrades().await);
        };
        let _detached = tokio::spawn(serve);
        Ok(ours)
    }
}

type Answered = Result<Response<Full<Bytes>>, Lost>;

/// The connection was lost before an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was lost")]
struct Lost;

async fn answer<E: Engine + 'static>(
    engine: Arc<E>,
    programs: Arc<Programs>,
    mut request: Request<Incoming>,
) -> Answered {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    if streams::is_program(&uri) {
        return streams::answer(engine, programs, request).await;
    }
    let body = match request.body_mut().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(Lost),
    };
    match meant(&method, &uri, &body) {
        Meant::Ready(document) => Ok(document_of(200, &document)),
        Meant::Unknown => {
            let message = format!("page not found: {method} {uri}");
            refusal(Refusal { status: 404, message })
        }
        Meant::Asked(request) => match engine.call(request.clone()).await {
            Ok(done) => Ok(documents::render(&request, done)),
            Err(refused) => refusal(refused),
        },
    }
}

fn refusal(refused: Refusal) -> Answered {
    if refused.status == 0 {
        return Err(Lost);
    }
    Ok(document_of(refused.status, &serde_json::json!({ "message": refused.message })))
}

fn document_of(status: u16, document: &serde_json::Value) -> Response<Full<Bytes>> {
    let text = if document.is_null() { String::new() } else { document.to_string() };
    with(status, "application/json", text.into_bytes())
}

fn with(status: u16, kind: &str, bytes: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(bytes)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    if let Ok(kind) = kind.parse() {
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    }
    response
}
