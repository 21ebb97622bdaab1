//! The HTTP clients that probes look with: they follow nothing, and reach this machine directly.

use std::sync::{Arc, OnceLock};

use crate::registry::{cause, http_client, is_loopback};

/// Made once a process; probes share its connections. What a probe does not need is never made:
/// reading the certificate authorities of a machine takes 20 ms, measured.
#[derive(Debug, Clone, Default)]
pub struct HttpClient(Arc<Clients>);

#[derive(Debug, Default)]
struct Clients {
    /// Without TLS, to this machine.
    open: OnceLock<reqwest::Client>,
    /// Addresses of this machine are never behind a proxy, whatever the environment says.
    loopback: OnceLock<reqwest::Client>,
    /// With the proxies of the environment.
    remote: OnceLock<reqwest::Client>,
}

/// This process cannot make requests at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot set up HTTP probes: {0}")]
pub struct SetupError(String);

impl HttpClient {
    pub(super) fn for_url(&self, url: &reqwest::Url) -> Result<&reqwest::Client, SetupError> {
        let Clients { open, loopback, remote } = &*self.0;
        match (url.host_str().is_some_and(is_loopback), url.scheme()) {
            (true, "http") => made(open, || builder().no_proxy().tls_certs_only([])),
            (true, _) => made(loopback, || builder().no_proxy()),
            (false, _) => made(remote, builder),
        }
    }
}

fn made(
    slot: &OnceLock<reqwest::Client>,
    builder: impl Fn() -> reqwest::ClientBuilder,
) -> Result<&reqwest::Client, SetupError> {
    if let Some(client) = slot.get() {
        return Ok(client);
    }
    let client = http_client(builder).map_err(|it| SetupError(cause::in_words(&it)))?;
    Ok(slot.get_or_init(|| client))
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("switchback/", env!("CARGO_PKG_VERSION")))
        // Where an application sends browsers is not where it is.
        .redirect(reqwest::redirect::Policy::none())
        // A look must see what accepts connections now, not one that it opened to the version
        // before.
        .pool_max_idle_per_host(0)
}
