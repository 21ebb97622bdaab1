//! Asking the registry which version is the newest.
//!
//! `update_informer` brings the protocol between a registry and a client, and compares. Its own
//! parts are replaced: its clients would add a second HTTP stack, its `Crates` takes whatever
//! version stands first, be it withdrawn or a preview, and its cache keeps silent for the whole
//! first interval and forgets what a look found if that is not newer.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use semver::Version;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use update_informer::http_client::{GenericHttpClient, HeaderMap, HttpClient};
use update_informer::{Check, Package, Registry};

/// Where released versions are listed.
const REGISTRY: &str = "https://crates.io";

/// Names another registry. It must be on this machine: a variable is too easily set for somebody
/// else to decide whom we ask.
pub(super) const VARIABLE: &str = "SWITCHBACK_NOTICE_REGISTRY";

/// More than this is not read. The list of a crate with a hundred versions has about 200 kB.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The version there is beyond `current`, if any.
pub(super) fn newer(
    name: &str,
    current: &str,
    timeout: Duration,
) -> update_informer::Result<Option<Version>> {
    let found = update_informer::new(CratesIo, name, current)
        .http_client(Client)
        // Our own file remembers the answer.
        .interval(Duration::ZERO)
        .timeout(timeout)
        .check_version()?;
    Ok(found.map(|version| version.semver().clone()))
}

/// The registry of `cargo install`.
struct CratesIo;

#[derive(Deserialize)]
struct Listing {
    versions: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    num: String,
    #[serde(default)]
    yanked: bool,
}

impl Registry for CratesIo {
    const NAME: &'static str = "crates";

    fn get_latest_version<T: HttpClient>(
        client: GenericHttpClient<T>,
        package: &Package,
    ) -> update_informer::Result<Option<String>> {
        let base = base(std::env::var(VARIABLE).ok().as_deref())?;
        let listing: Listing =
            client.get(base.join(&format!("/api/v1/crates/{package}/versions"))?.as_str())?;
        Ok(newest(listing.versions).map(|version| version.to_string()))
    }
}

/// The newest version that `cargo install` would take.
fn newest(versions: Vec<Listed>) -> Option<Version> {
    versions
        .into_iter()
        .filter(|listed| !listed.yanked)
        .filter_map(|listed| Version::parse(&listed.num).ok())
        .filter(|version| version.pre.is_empty())
        .max()
}

/// The registry to ask.
fn base(named: Option<&str>) -> update_informer::Result<Url> {
    let Some(named) = named else { return Ok(Url::parse(REGISTRY)?) };
    let url = Url::parse(named)?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => Ok(url),
        _ => Err(format!("{VARIABLE} names a registry that is not on this machine").into()),
    }
}

/// The HTTP client that the rest of Switchback uses.
struct Client;

impl HttpClient for Client {
    fn get<T: DeserializeOwned>(
        url: &str,
        timeout: Duration,
        headers: HeaderMap<'_>,
    ) -> update_informer::Result<T> {
        // A second provider of the same process would only be refused.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(timeout)
            // crates.io asks who is asking.
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION"),
                " (",
                env!("CARGO_PKG_REPOSITORY"),
                ")",
            ))
            .build()?;
        let request = headers
            .into_iter()
            .fold(client.get(url), |request, (name, value)| request.header(name, value));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer =
            runtime.block_on(async { tokio::time::timeout(timeout, receive(request)).await });
        // A name lookup that hangs holds a thread; nobody is to wait for it.
        runtime.shutdown_background();
        Ok(serde_json::from_slice(&answer??)?)
    }
}

/// The body of a good answer, up to the limit.
async fn receive(request: reqwest::RequestBuilder) -> update_informer::Result<Vec<u8>> {
    let mut answer = request.send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("the registry's answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registry_on_this_machine_can_be_named() {
        assert_eq!(base(None).unwrap().as_str(), "https://crates.io/");
        assert!(base(Some("http://127.0.0.1:9")).is_ok());
        assert!(base(Some("http://[::1]:9")).is_ok());
        for foreign in ["http://192.0.2.1", "https://registry.example", "127.0.0.1", ""] {
            assert!(base(Some(foreign)).is_err(), "{foreign}");
        }
    }

    #[test]
    fn the_newest_is_neither_withdrawn_nor_a_preview() {
        let listing = r#"{"versions": [
            {"num": "3.0.0-rc.1"}, {"num": "2.1.0", "yanked": true}, {"num": "1.9.0"},
            {"num": "1.10.0"}, {"num": "1.2.0"}
        ]}"#;
        let listing: Listing = serde_json::from_str(listing).unwrap();
        assert_eq!(newest(listing.versions).unwrap().to_string(), "1.10.0");
    }
}
