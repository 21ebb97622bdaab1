//! One bounded HTTP request to a registry: a deadline, a limit on the answer, a turn in the queue.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url, redirect};
use tokio::sync::Semaphore;

use super::cause;
use super::error::RegistryError;
use super::trust;

/// The bounds of every question to a registry.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One request, from the connection to the last byte of the answer.
    pub request: Duration,
    /// One whole question (token, login and waiting for a turn included). Three requests that hang;
    /// after that a check of any number of deployments has its answer.
    pub question: Duration,
    /// Requests at a time to one registry. At 50 ms a request 100 deployments take 0.4 s with 16, and
    /// 0.8 s where each repository needs a token from the same host; with 8 that is 1.4 s.
    pub at_a_time: usize,
    /// The longest body that is read. Registries refuse manifests of more than 4 MiB.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            question: Duration::from_secs(30),
            at_a_time: 16,
            body_bytes: 4 << 20,
        }
    }
}

/// Registries send blobs to a store of their own, at most over a front to it.
const REDIRECTS: usize = 5;

/// Makes ring the provider of TLS for this process. Safe to repeat, and to lose to somebody else.
pub fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that there is a provider already, which is all that is needed.
        rustls::crypto::ring::default_provider().install_default().ok();
    });
}

/// A client from what `builder` gives. Where the machine has no certificate authorities, it can
/// still speak HTTP, and every HTTPS address fails by its certificate.
pub(crate) fn http_client(
    builder: impl Fn() -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, reqwest::Error> {
    install_crypto_provider();
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}

/// Whether `host` (a name or an address, without a port) is this very machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// What is asked. `authorization` is never part of `Debug`.
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: Option<String>,
    pub(super) authorization: Option<String>,
    pub(super) form: Option<String>,
}

impl Question {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self { method, url, accept: None, authorization: None, form: None }
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// None: longer than the limit.
    pub(super) body: Option<Bytes>,
}

impl Answer {
    /// A header as text; one that is no text is as good as none.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[derive(Debug)]
pub(super) struct Transport {
    /// For this machine: never through a proxy.
    loopback: OnceLock<reqwest::Client>,
    remote: OnceLock<reqwest::Client>,
    /// By host and port: `remote`, or one that also trusts a registry's own authority.
    trusting: Mutex<HashMap<String, reqwest::Client>>,
    authorities: Vec<PathBuf>,
    turns: Mutex<HashMap<String, Arc<Semaphore>>>,
    pub(super) limits: Limits,
}

impl Transport {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            loopback: OnceLock::new(),
            remote: OnceLock::new(),
            trusting: Mutex::default(),
            authorities: trust::usual_folders(),
            turns: Mutex::default(),
            limits,
        }
    }

    /// Sends one request and reads its answer to the end, or to the limit.
    pub(super) async fn ask(&self, question: Question) -> Result<Answer, RegistryError> {
        let host = host_and_port(&question.url);
        let client = self.client_for(&question.url, &host)?;
        let turns = self.turns_of(&host);
        // The semaphore is never closed, so an error here cannot happen; it would mean no queue.
        let _turn = turns.acquire().await.ok();
        self.ask_now(&client, question).await.map_err(|error| self.failure(host, &error))
    }

    /// The client that trusts what this host is to be trusted by.
    fn client_for(&self, url: &Url, host: &str) -> Result<reqwest::Client, RegistryError> {
        if url.host_str().is_some_and(is_loopback) {
            return made(&self.loopback, || builder(&self.limits).no_proxy());
        }
        let mut trusting = self.trusting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = trusting.get(host) {
            return Ok(client.clone());
        }
        let authorities = trust::authorities_for(&self.authorities, host)
            .map_err(|cause| RegistryError::Setup { cause })?;
        let client = if authorities.is_empty() {
            made(&self.remote, || builder(&self.limits))?
        } else {
            http_client(|| builder(&self.limits).tls_certs_merge(authorities.clone()))
                .map_err(|error| setup(&error))?
        };
        trusting.insert(host.to_owned(), client.clone());
        Ok(client)
    }

    async fn ask_now(
        &self,
        client: &reqwest::Client,
        question: Question,
    ) -> Result<Answer, reqwest::Error> {
        let mut request =
            client.request(question.method, question.url).timeout(self.limits.request);
        if let Some(accept) = question.accept {
            request = request.header(reqwest::header::ACCEPT, accept);
        }
        if let Some(authorization) = question.authorization {
            request = request.header(reqwest::header::AUTHORIZATION, authorization);
        }
        if let Some(form) = question.form {
            let kind = "application/x-www-form-urlencoded";
            request = request.header(reqwest::header::CONTENT_TYPE, kind).body(form);
        }
        let mut response = request.send().await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = read_bounded(&mut response, self.limits.body_bytes).await?;
        Ok(Answer { status, headers, body })
    }

    fn turns_of(&self, host: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Semaphore::new(self.limits.at_a_time));
        Arc::clone(turns.entry(host.to_owned()).or_insert_with(new))
    }

    fn failure(&self, registry: String, error: &reqwest::Error) -> RegistryError {
        if error.is_timeout() {
            return RegistryError::Timeout { registry, limit: self.limits.request };
        }
        RegistryError::Unreachable { registry, cause: cause::in_words(error) }
    }
}

/// A client is made when it is needed: reading the certificate authorities of a machine takes 20 ms
/// (measured), and no command needs both.
fn made(
    slot: &OnceLock<reqwest::Client>,
    builder: impl Fn() -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, RegistryError> {
    if let Some(client) = slot.get() {
        return Ok(client.clone());
    }
    let client = http_client(builder).map_err(|error| setup(&error))?;
    Ok(slot.get_or_init(|| client).clone())
}

fn builder(limits: &Limits) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("switchback/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects())
        .pool_max_idle_per_host(limits.at_a_time)
}

fn setup(error: &reqwest::Error) -> RegistryError {
    RegistryError::Setup { cause: cause::in_words(error) }
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The body up to `limit`. None: it is longer.
pub(crate) async fn read_bounded(
    response: &mut reqwest::Response,
    limit: usize,
) -> Result<Option<Bytes>, reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

/// Follows a registry to its store, but never from TLS to an open line. The library takes the
/// `Authorization` header away when the host changes, which a test here holds it to.
fn redirects() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        if attempt.previous().len() > REDIRECTS {
            return attempt.error("too many redirects");
        }
        let was_secure = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        if was_secure && attempt.url().scheme() != "https" {
            return attempt.error("redirected from https to http");
        }
        attempt.follow()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_each_of_its_names() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["registry.example", "10.0.0.1", "localhost.example", "::2", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
