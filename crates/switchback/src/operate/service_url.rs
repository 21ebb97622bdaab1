//! Where people find a service: the address of its published port.

use serde_json::Value;
use switchback_targets::container::settings::{ContainerSettings, ProbeSettings};

/// Container ports behind which a web server usually is.
const USUAL_HTTP: [u16; 12] =
    [80, 3000, 3001, 4096, 5000, 8000, 8008, 8080, 8081, 8088, 8888, 9000];

/// Container ports behind which a web server with TLS usually is.
const USUAL_HTTPS: [u16; 2] = [443, 8443];

/// A published TCP port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Published {
    inside: u16,
    host: String,
    port: u16,
}

/// Where a running container is reached: at the port that an HTTP probe asks, else at its first
/// published TCP port. With `http://` only where HTTP is likely.
pub fn service_url(
    settings: &ContainerSettings,
    engine_url: &str,
    inspect: &Value,
) -> Option<String> {
    let published = published(engine_url, inspect);
    let probed: Vec<(&str, u16)> = settings.health.probes.iter().filter_map(probed).collect();
    let is_probed = |it: &&Published| probed.iter().any(|(_, port)| *port == it.port);
    let found = published.iter().find(is_probed).or(published.first())?;
    let scheme = probed.iter().find(|(_, port)| *port == found.port).map(|(scheme, _)| *scheme);
    let usual = || match found.inside {
        port if USUAL_HTTPS.contains(&port) => "https://",
        port if USUAL_HTTP.contains(&port) => "http://",
        _ => "",
    };
    let scheme = scheme.unwrap_or_else(usual);
    Some(format!("{scheme}{}:{}", found.host, found.port))
}

/// Scheme and port of an HTTP probe.
fn probed(probe: &ProbeSettings) -> Option<(&'static str, u16)> {
    let ProbeSettings::Http { url, .. } = probe else { return None };
    let url = reqwest::Url::parse(url).ok()?;
    let scheme = if url.scheme() == "https" { "https://" } else { "http://" };
    Some((scheme, url.port_or_known_default()?))
}

fn published(engine_url: &str, inspect: &Value) -> Vec<Published> {
    let ports = inspect["NetworkSettings"]["Ports"].as_object().into_iter().flatten();
    let mut found: Vec<Published> = ports
        .filter_map(|(inside, bindings)| {
            let inside = inside.strip_suffix("/tcp")?.parse().ok()?;
            let binding = bindings.as_array()?.first()?;
            let port = binding["HostPort"].as_str()?.parse().ok()?;
            let host = match binding["HostIp"].as_str() {
                None | Some("" | "0.0.0.0" | "::") => engine_host(engine_url),
                Some(ip) if ip.contains(':') => format!("[{ip}]"),
                Some(ip) => ip.to_owned(),
            };
            Some(Published { inside, host, port })
        })
        .collect();
    found.sort();
    found
}

/// What is published on every address is reached at the engine's host.
pub(crate) fn engine_host(engine_url: &str) -> String {
    let remote = engine_url.strip_prefix("tcp://").and_then(|it| it.rsplit_once(':'));
    remote.map_or_else(|| "127.0.0.1".to_owned(), |(host, _)| host.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use switchback_targets::container::settings::{DataSettings, HealthSettings, Retain};

    use super::*;

    fn settings(probe: Option<&str>) -> ContainerSettings {
        let probe = probe.map(|url| ProbeSettings::Http {
            url: url.to_owned(),
            headers: std::collections::BTreeMap::default(),
            status: vec![],
            json: std::collections::BTreeMap::default(),
            version: None,
        });
        ContainerSettings {
            deployment: "web".into(),
            image: None,
            container: "web".into(),
            accounts: vec![],
            data: DataSettings::default(),
            retain: Retain { releases: 5, snapshots: 1 },
            auto_rollback: true,
            run: None,
            health: HealthSettings {
                probes: probe.into_iter().collect(),
                interval_ms: 500,
                timeout_ms: 5_000,
                healthy_streak: 3,
                min_healthy_time_ms: 10_000,
                healthy_deadline_ms: None,
            },
        }
    }

    fn inspect() -> Value {
        json!({"NetworkSettings": {"Ports": {
            "5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": "15432"}],
            "4096/tcp": [{"HostIp": "0.0.0.0", "HostPort": "14096"}],
            "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "53"}],
            "9/tcp": null,
        }}})
    }

    #[test]
    fn a_service_is_found_at_its_first_published_port() {
        let unix = "unix:///run/docker.sock";
        let url = service_url(&settings(None), unix, &inspect());
        assert_eq!(url.as_deref(), Some("http://127.0.0.1:14096"));
        let url = service_url(&settings(None), "tcp://10.1.2.3:2375", &inspect());
        assert_eq!(url.as_deref(), Some("http://10.1.2.3:14096"));
    }

    #[test]
    fn what_an_http_probe_asks_is_the_service_and_other_ports_claim_no_protocol() {
        let unix = "unix:///run/docker.sock";
        let probed = settings(Some("https://127.0.0.1:15432/health"));
        let url = service_url(&probed, unix, &inspect());
        assert_eq!(url.as_deref(), Some("https://127.0.0.1:15432"));
        let only = json!({"NetworkSettings": {"Ports": {
            "5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": "15432"}]}}});
        assert_eq!(service_url(&settings(None), unix, &only).as_deref(), Some("127.0.0.1:15432"));
        assert_eq!(service_url(&settings(None), unix, &json!({})), None);
    }
}
