//! One look by HTTP: a GET, its status, and what the answer says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Response, StatusCode, Url};
use serde_json::Value;

use super::client::HttpClient;
use super::words::{cut, no_answer, without_password};
use super::{Looked, json};
use crate::patience::within;
use crate::registry::{cause, read_bounded};

/// A health answer of more than a mebibyte is none.
const BODY_LIMIT_BYTES: usize = 1 << 20;

/// What to ask, and what to expect; the fields of
/// [`ProbeSettings::Http`](crate::container::settings::ProbeSettings::Http). Header values may be
/// secret and are shown nowhere.
#[derive(Clone, Copy)]
pub struct HttpProbe<'a> {
    /// Where.
    pub url: &'a str,
    /// Headers to send.
    pub headers: &'a BTreeMap<String, String>,
    /// Accepted status codes; empty: 200 to 299.
    pub status: &'a [u16],
    /// JSON pointer to the value expected there.
    pub json: &'a BTreeMap<String, Value>,
    /// JSON pointer to the version that the application reports.
    pub version: Option<&'a str>,
}

impl std::fmt::Debug for HttpProbe<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url =
            Url::parse(self.url).map_or_else(|_| "?".to_owned(), |url| without_password(&url));
        let headers: Vec<_> = self.headers.keys().collect();
        formatter
            .debug_struct("HttpProbe")
            .field("url", &url)
            .field("headers", &headers)
            .field("status", &self.status)
            .field("json", &self.json)
            .field("version", &self.version)
            .finish()
    }
}

/// Looks once. Everything together, the body included, takes at most `timeout`.
pub async fn http(client: &HttpClient, probe: HttpProbe<'_>, timeout: Duration) -> Looked {
    let looked = within(timeout, look(client, probe)).await;
    match looked {
        Some(Ok(looked)) => looked,
        Some(Err(problem)) => Looked::not_ready(problem),
        None => Looked::not_ready(no_answer(timeout)),
    }
}

/// The error is why it is not ready, in words.
async fn look(client: &HttpClient, probe: HttpProbe<'_>) -> Result<Looked, String> {
    let url = Url::parse(probe.url)
        .map_err(|error| format!("the probe's address cannot be used: {error}"))?;
    let client = client.for_url(&url).map_err(|error| error.to_string())?;
    let request = client.get(url).headers(headers(probe.headers)?);
    let mut response = request.send().await.map_err(|error| cause::in_words(&error))?;
    let status = response.status();
    if !is_accepted(status, probe.status) {
        return Err(told(status, &response));
    }
    let mut looked = Looked::ready(format!("HTTP {}", status.as_u16()));
    // A stream of events never ends; nobody asked for its content.
    if probe.json.is_empty() && probe.version.is_none() {
        return Ok(looked);
    }
    let body = read_bounded(&mut response, BODY_LIMIT_BYTES)
        .await
        .map_err(|error| cause::in_words(&error))?;
    let body = body.ok_or("the answer is longer than 1 MiB")?;
    let document: Value = serde_json::from_slice(&body)
        .map_err(|_| format!("HTTP {}, but the answer is not JSON", status.as_u16()))?;
    // A version is told even by an application that says it is ill.
    let version = probe.version.map(|pointer| json::version_at(&document, pointer));
    let problem = json::unmet(&document, probe.json);
    let problem = problem.or_else(|| version.clone().and_then(Result::err));
    looked.version = version.and_then(Result::ok);
    if let Some(problem) = problem {
        looked.ready = false;
        looked.detail = problem;
    }
    Ok(looked)
}

fn is_accepted(status: StatusCode, accepted: &[u16]) -> bool {
    if accepted.is_empty() { status.is_success() } else { accepted.contains(&status.as_u16()) }
}

/// `HTTP 500`, or `HTTP 301 to https://…`.
fn told(status: StatusCode, response: &Response) -> String {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    match location.filter(|_| status.is_redirection()) {
        // Joined, because a relative one may hold a password's address as well.
        Some(location) => {
            let shown = response
                .url()
                .join(location)
                .map_or_else(|_| cut(location), |url| without_password(&url));
            format!("HTTP {} to {shown}", status.as_u16())
        }
        None => format!("HTTP {}", status.as_u16()),
    }
}

/// The error names a header that cannot be sent, never its value.
fn headers(wanted: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let unusable = || format!("the probe's header {} cannot be sent", cut(name));
        let header = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| unusable())?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}
