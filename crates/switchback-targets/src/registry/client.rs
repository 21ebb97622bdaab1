//! Asking a registry: as nobody first, and with the user's login where that is refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};

use super::access::{Access, Challenge};
use super::credentials::Credentials;
use super::digest;
use super::error::{LoginTried, RegistryError, bad_answer};
use super::login::Login;
use super::reference::Reference;
use super::transport::{Answer, Limits, Question, Transport, is_loopback};

/// Everything that a tag can point to. A registry that is not asked for indexes answers 404 for them.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// How we come into one repository, once that is known.
type Door = Arc<tokio::sync::Mutex<Option<Arc<Access>>>>;

/// The questions to all registries of one process. Cheap to share by reference, made once.
///
/// The requests are made with reqwest and not with oci-client's own client, whose reference and
/// manifest types are used here: it asks for `/v2/` before each repository, reads bodies without a
/// limit, hides a failed login, keeps to the first login that it was given, and does not say for
/// how long a registry wants to be left alone.
#[derive(Debug)]
pub struct Client {
    pub(super) transport: Transport,
    pub(super) credentials: Credentials,
    doors: Mutex<HashMap<(String, String), Door>>,
    /// From which token service each registry takes tokens; spares the next repository a 401.
    pub(super) challenges: Mutex<HashMap<String, Challenge>>,
    /// Whether each registry has been asked before.
    pub(super) knocks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<bool>>>>,
}

/// The part of a registry's API that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    Manifest(&'a str),
    Blob(&'a str),
}

impl Client {
    /// A client that logs in with `credentials` where a registry refuses to answer nobody.
    pub fn new(credentials: Credentials) -> Self {
        Self::with_limits(credentials, Limits::default())
    }

    /// The same with other bounds than usual.
    pub fn with_limits(credentials: Credentials, limits: Limits) -> Self {
        Self {
            transport: Transport::new(limits),
            credentials,
            doors: Mutex::default(),
            challenges: Mutex::default(),
            knocks: Mutex::default(),
        }
    }

    /// The digest that the reference points to now: one HEAD, plus what logging in takes once for
    /// each repository. Docker Hub does not count HEADs.
    pub async fn head(&self, reference: &Reference) -> Result<String, RegistryError> {
        self.bounded(reference, self.head_unbounded(reference)).await
    }

    async fn head_unbounded(&self, reference: &Reference) -> Result<String, RegistryError> {
        let part = Part::Manifest(reference.tag_or_digest());
        let answer = self.fetch(reference, Method::HEAD, part).await?;
        let found = match answer.header("docker-content-digest") {
            Some(found) if digest::is_valid(found) => found.to_owned(),
            Some(_) => return Err(bad_answer(reference, "a digest that is none")),
            // The header is optional for registries: then the content says it.
            None => self.manifest(reference, reference.tag_or_digest()).await?.0,
        };
        match reference.digest() {
            Some(wanted) if wanted != found && same_algorithm(wanted, &found) => {
                Err(bad_answer(reference, format!("another digest: {found}")))
            }
            _ => Ok(found),
        }
    }

    /// The login with which this process has last read the repository, else the one that is
    /// configured for its registry: for a pull by the engine.
    pub async fn login_for(&self, reference: &Reference) -> Login {
        if let Some(access) = self.door(reference).lock().await.as_ref() {
            return access.login.clone();
        }
        let login = self.credentials.login(reference.login_server()).await;
        login.unwrap_or(Login::Anonymous)
    }

    /// Ends `question` when its time is over, whatever it waits for.
    pub(super) async fn bounded<T>(
        &self,
        reference: &Reference,
        question: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let limit = self.transport.limits.question;
        tokio::time::timeout(limit, question).await.unwrap_or_else(|_| {
            Err(RegistryError::Timeout { registry: reference.api_host().to_owned(), limit })
        })
    }

    /// Bytes and content type of a manifest or blob.
    pub(super) async fn get(
        &self,
        reference: &Reference,
        part: Part<'_>,
    ) -> Result<(bytes::Bytes, Option<String>), RegistryError> {
        let answer = self.fetch(reference, Method::GET, part).await?;
        let kind = answer.header("content-type").map(str::to_owned);
        let limit = self.transport.limits.body_bytes >> 20;
        let too_long = || bad_answer(reference, format!("more than {limit} MiB"));
        Ok((answer.body.ok_or_else(too_long)?, kind))
    }

    /// One request, let in as cheaply as possible. What comes back has status 200.
    async fn fetch(
        &self,
        reference: &Reference,
        method: Method,
        part: Part<'_>,
    ) -> Result<Answer, RegistryError> {
        let ask = async |access: &Access| {
            let mut question = Question::new(method.clone(), address(reference, part)?);
            question.authorization = access.header();
            question.accept = matches!(part, Part::Manifest(_)).then(|| MANIFESTS.to_owned());
            self.transport.ask(question).await
        };
        let door = self.door(reference);
        // Once with a way in that is over, and once without one or with somebody else's new one.
        for _ in 0..2 {
            let mut open = door.lock().await;
            let Some(access) = open.clone().filter(|access| access.holds()) else {
                // The lock is held until there is a way in, so that a hundred questions look for
                // it once.
                let entered = self.enter(reference, &ask).await;
                let (access, answer) = entered.inspect_err(|_| self.forget(reference))?;
                let answer = accepted(reference, answer, self.tried_with(&access.login))?;
                *open = Some(Arc::new(access));
                return Ok(answer);
            };
            drop(open);
            let answer = ask(&access).await?;
            // Anything but a 401 is about the question; that one is about us.
            if answer.status != StatusCode::UNAUTHORIZED {
                return accepted(reference, answer, self.tried_with(&access.login));
            }
            door.lock().await.take_if(|now| Arc::ptr_eq(now, &access));
        }
        let tried = self.tried_with(&Login::Anonymous);
        Err(meaning(reference, StatusCode::UNAUTHORIZED, None, tried))
    }

    fn door(&self, reference: &Reference) -> Door {
        let key = (reference.registry().to_owned(), reference.repository().to_owned());
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(doors.entry(key).or_default())
    }
}

/// Where a part of a repository is read. HTTP is for registries on this machine alone.
fn address(reference: &Reference, part: Part<'_>) -> Result<Url, RegistryError> {
    let host = reference.api_host();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let scheme = if is_loopback(name) { "http" } else { "https" };
    let (kind, what) = match part {
        Part::Manifest(what) => ("manifests", what),
        Part::Blob(what) => ("blobs", what),
    };
    let text = format!("{scheme}://{host}/v2/{}/{kind}/{what}", reference.repository());
    Url::parse(&text).map_err(|error| RegistryError::Setup { cause: error.to_string() })
}

/// A digest of another algorithm says nothing about this one.
fn same_algorithm(one: &str, other: &str) -> bool {
    one.split(':').next() == other.split(':').next()
}

/// An answer with what was asked for, or the error that it means.
fn accepted(
    reference: &Reference,
    answer: Answer,
    tried: LoginTried,
) -> Result<Answer, RegistryError> {
    if answer.status == StatusCode::OK {
        return Ok(answer);
    }
    Err(meaning(reference, answer.status, answer.header("retry-after"), tried))
}

/// What a status other than 200 means.
pub(super) fn meaning(
    reference: &Reference,
    status: StatusCode,
    retry_after: Option<&str>,
    login: LoginTried,
) -> RegistryError {
    let registry = reference.registry().to_owned();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied {
            registry,
            reference: reference.familiar(),
            status: status.as_u16(),
            login,
        },
        StatusCode::NOT_FOUND => RegistryError::NotFound { reference: reference.familiar() },
        StatusCode::TOO_MANY_REQUESTS => {
            let retry_after = retry_after.and_then(|text| wait_for(text, jiff::Timestamp::now()));
            RegistryError::RateLimited { registry, retry_after, login }
        }
        status => bad_answer(reference, format!("HTTP {status}")),
    }
}

/// `Retry-After`: seconds, or a date.
fn wait_for(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        assert_eq!(wait_for("120", now), Some(Duration::from_secs(120)));
        let date = "Thu, 01 Jan 2026 00:01:00 GMT";
        assert_eq!(wait_for(date, now), Some(Duration::from_secs(60)));
        assert_eq!(wait_for("Wed, 31 Dec 2025 00:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(wait_for("soon", now), None);
    }

    #[test]
    fn only_this_machine_is_asked_over_http() {
        let of = |text: &str| {
            let reference: Reference = text.parse().expect(text);
            address(&reference, Part::Manifest("1")).expect(text).to_string()
        };
        assert_eq!(of("127.0.0.1:5000/web"), "http://127.0.0.1:5000/v2/web/manifests/1");
        assert_eq!(of("localhost:5000/web"), "http://localhost:5000/v2/web/manifests/1");
        assert_eq!(of("10.0.0.1:5000/web"), "https://10.0.0.1:5000/v2/web/manifests/1");
        assert_eq!(of("nginx"), "https://registry-1.docker.io/v2/library/nginx/manifests/1");
    }
}
