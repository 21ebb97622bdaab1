//! One HTTP request over one connection, with a deadline: all that the lab needs of a client.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::LabError;

/// A status with its headers and its whole body.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The headers as sent.
    pub(super) headers: HeaderMap,
    /// The body, read to its end.
    pub(super) body: Bytes,
}

/// Sends one request to an `http://` address and reads the answer.
pub(super) async fn send(
    method: Method,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
    deadline: Duration,
) -> Result<Answer, LabError> {
    let no_answer =
        |problem: String| LabError::NoAnswer { request: format!("{method} {url}"), problem };
    match tokio::time::timeout(deadline, exchange(&method, url, headers, body)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(no_answer(error.to_string())),
        Err(_) => Err(no_answer(format!("none within {deadline:?}"))),
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(
    method: &Method,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, AnyError> {
    let address: Uri = url.parse()?;
    let authority = address.authority().ok_or("the address names no host")?.clone();
    let path = address.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(method).uri(path).body(Full::new(body))?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(header::HOST, authority.as_str().parse()?);

    let port = authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((authority.host(), port)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Answer and connection are driven together, so that neither outlives this function.
    let answer = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok::<_, AnyError>(Answer { status: head.status.as_u16(), headers: head.headers, body })
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        ended = connection => { ended?; answer.await }
    }
}
