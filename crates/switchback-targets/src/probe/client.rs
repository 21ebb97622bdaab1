//! The HTTP clients that probes look with: they follow nothing, and reach this machine directly.

use crate::registry::{cause, http_client, is_loopback};

/// Made once a process; probes share its connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// Addresses of this machine are never behind a proxy, whatever the environment says.
    loopback: reqwest::Client,
    remote: reqwest::Client,
}

/// This process cannot make requests at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot set up HTTP probes: {0}")]
pub struct SetupError(String);

impl HttpClient {
    /// New clients, with the proxies of the environment for other machines.
    pub fn new() -> Result<Self, SetupError> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("switchback/", env!("CARGO_PKG_VERSION")))
                // Where an application sends browsers is not where it is.
                .redirect(reqwest::redirect::Policy::none())
                // A look must see what accepts connections now, not one that it opened to the
                // version before.
                .pool_max_idle_per_host(0)
        };
        let failed = |error: reqwest::Error| SetupError(cause::in_words(&error));
        Ok(Self {
            loopback: http_client(|| builder().no_proxy()).map_err(failed)?,
            remote: http_client(builder).map_err(failed)?,
        })
    }

    pub(super) fn for_url(&self, url: &reqwest::Url) -> &reqwest::Client {
        if url.host_str().is_some_and(is_loopback) { &self.loopback } else { &self.remote }
    }
}
