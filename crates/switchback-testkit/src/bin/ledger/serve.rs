//! The ledger's five addresses.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::behaviour::{Behaviour, Health};
use crate::say;
use crate::store::Store;

struct Service {
    behaviour: Behaviour,
    store: Store,
    started: Instant,
}

type Reply = (StatusCode, Value);

/// Answers requests until the process ends.
pub(crate) async fn serve(behaviour: Behaviour, store: Store) -> std::io::Result<ExitCode> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, behaviour.port)).await?;
    say(&format!("ledger {} listens on port {}", behaviour.version, behaviour.port));
    let service = Arc::new(Service { behaviour, store, started: Instant::now() });
    loop {
        let (stream, _) = listener.accept().await?;
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(Arc::clone(&service), request));
            let connection = hyper::server::conn::http1::Builder::new();
            // A client that hangs up half-way is its own affair.
            connection.serve_connection(TokioIo::new(stream), answer).await.ok();
        });
    }
}

async fn answer(
    service: Arc<Service>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => {
            (StatusCode::OK, json!({ "name": "ledger", "version": service.behaviour.version }))
        }
        (&Method::GET, "/health") => service.health().await,
        (&Method::POST, "/rows") => reply(service.store.add().map(|id| json!({ "id": id }))),
        (&Method::GET, "/rows") => reply(
            service
                .store
                .count()
                .map(|(count, max_id)| json!({ "count": count, "max_id": max_id })),
        ),
        (&Method::GET, "/columns") => {
            reply(service.store.columns().map(|columns| json!({ "columns": columns })))
        }
        _ => (StatusCode::NOT_FOUND, json!({ "error": "no such address" })),
    };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    Ok(response)
}

impl Service {
    async fn health(&self) -> Reply {
        let version = &self.behaviour.version;
        let ill = |status| (status, json!({ "healthy": false, "version": version }));
        match self.behaviour.health {
            Health::Never => ill(StatusCode::SERVICE_UNAVAILABLE),
            Health::Status500 => (StatusCode::INTERNAL_SERVER_ERROR, json!("out of order")),
            Health::WrongVersion => {
                (StatusCode::OK, json!({ "healthy": true, "version": "0.0.0-wrong" }))
            }
            Health::Flap if self.started.elapsed().as_secs() % 2 == 1 => {
                ill(StatusCode::SERVICE_UNAVAILABLE)
            }
            Health::Hang => std::future::pending().await,
            Health::Ok | Health::Flap | Health::CrashAfter(_) | Health::Exit0 => {
                reply(self.store.check().map(|()| json!({ "healthy": true, "version": version })))
            }
        }
    }
}

fn reply(result: rusqlite::Result<Value>) -> Reply {
    match result {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "healthy": false, "error": error.to_string() }),
        ),
    }
}
