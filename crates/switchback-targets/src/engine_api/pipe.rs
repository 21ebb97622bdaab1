//! A way to an engine that is no socket: whoever is on its other end answers in the engine's words.
//!
//! Tests put an engine of their own there, in the same process and with a time of its own.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bollard::{BollardRequest, ClientVersion, Docker};
use http_body_util::Full;
use hyper::{
    Uri,
    body::Bytes,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo},
};
use switchback_core::Millis;
use tokio::io::DuplexStream;
use tower_service::Service;

use super::CLIENT_LIMIT_S;

/// What stands before the path in the requests; nobody looks it up.
pub(super) const BASE: &str = "http://engine";

/// Opens a connection to an engine. It fails where the engine is away.
pub type Open = Arc<dyn Fn() -> io::Result<DuplexStream> + Send + Sync>;

/// An engine at the other end of a pipe, and the clock by which leases on it are measured.
#[derive(Clone)]
pub struct Pipe {
    /// Opens a connection.
    pub open: Open,
    /// Milliseconds on a clock that goes on in suspend.
    pub boot_time: fn() -> Millis,
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipe")
    }
}

impl Pipe {
    /// A client for documents.
    pub(super) fn documents(&self) -> Client<Self, Full<Bytes>> {
        Client::builder(TokioExecutor::new()).build(self.clone())
    }

    /// A client for streams.
    pub(super) fn docker(&self, api: &ClientVersion) -> Result<Docker, bollard::errors::Error> {
        let client = Client::builder(TokioExecutor::new()).build(self.clone());
        let send = move |request: BollardRequest| {
            let client: Client<Self, _> = client.clone();
            async move { Ok(client.request(request).await?) }
        };
        Docker::connect_with_custom_transport(send, Some(BASE), CLIENT_LIMIT_S, api)
    }
}

impl Service<Uri> for Pipe {
    type Response = End;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<End>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let opened = (self.open)().map(|it| End(TokioIo::new(it)));
        Box::pin(std::future::ready(opened))
    }
}

/// Our end of a connection.
#[derive(Debug)]
pub struct End(TokioIo<DuplexStream>);

impl Connection for End {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for End {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
