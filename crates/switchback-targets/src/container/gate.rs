//! Looks at a container and its probes, once.

use std::time::Duration;

use serde_json::{Value, json};
use switchback_core::{HealthGate, ProbeSeen, Seen};

use super::settings::{HealthSettings, ProbeSettings};
use crate::{
    engine_api::{EngineClient, Input},
    probe::{self, HttpClient, HttpProbe, Looked},
};

/// Looks at whatever container has the name: the new one, or on the way back the old one.
#[derive(Debug)]
pub struct ContainerGate {
    /// The engine.
    pub engine: EngineClient,
    /// The container's name.
    pub name: String,
    /// What is asked.
    pub health: HealthSettings,
    /// Asks over HTTP.
    pub client: HttpClient,
}

impl HealthGate for ContainerGate {
    async fn probe(&self) -> Seen {
        match self.engine.container(&self.name).await {
            Ok(Some(inspect)) => self.look(&inspect).await,
            Ok(None) => Seen { probes: vec![wrong("container", "it is gone")], ..Seen::default() },
            Err(error) => {
                Seen { probes: vec![wrong("container", &error.to_string())], ..Seen::default() }
            }
        }
    }
}

fn wrong(probe: &str, detail: &str) -> ProbeSeen {
    ProbeSeen { probe: probe.to_owned(), ready: false, detail: detail.to_owned() }
}

/// What the engine says of a container's process.
pub fn process(inspect: &Value) -> Seen {
    let state = &inspect["State"];
    let is = |key: &str| state[key] == json!(true);
    let running = is("Running") && !is("Restarting") && !is("Paused");
    let policy = inspect["HostConfig"]["RestartPolicy"]["Name"].as_str().unwrap_or("no");
    let code = state["ExitCode"].as_i64().unwrap_or(0);
    let starts_again = match policy {
        "always" | "unless-stopped" => true,
        "on-failure" => code != 0 && is("Restarting"),
        _ => false,
    };
    let has_run = state["StartedAt"].as_str().is_some_and(|it| !it.starts_with("0001"));
    let has_ended = !is("Running") && !is("Restarting") && has_run && !starts_again;
    let number = |value: &Value| value.as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    Seen {
        running,
        restarts: number(&inspect["RestartCount"]),
        pid: number(&state["Pid"]),
        exited: has_ended.then_some(code),
        out_of_memory: is("OOMKilled"),
        probes: Vec::new(),
        version: None,
    }
}

impl ContainerGate {
    async fn look(&self, inspect: &Value) -> Seen {
        let mut seen = process(inspect);
        if !seen.running {
            return seen;
        }
        if self.health.probes.is_empty() {
            seen.probes = self.default_probes(inspect).await;
            return seen;
        }
        for settings in &self.health.probes {
            let looked = self.ask(inspect, settings).await;
            seen.version = seen.version.or(looked.version);
            let (probe, ready, detail) = (title(settings), looked.ready, looked.detail);
            seen.probes.push(ProbeSeen { probe, ready, detail });
        }
        seen
    }

    async fn ask(&self, inspect: &Value, settings: &ProbeSettings) -> Looked {
        let timeout = Duration::from_millis(self.health.timeout_ms);
        match settings {
            ProbeSettings::Http { url, headers, status, json, version } => {
                let version = version.as_deref();
                let asked = HttpProbe { url, headers, status, json, version };
                probe::http(&self.client, asked, timeout).await
            }
            ProbeSettings::Tcp { address } => probe::tcp(address, timeout).await,
            ProbeSettings::Exec { command } => {
                let id = inspect["Id"].as_str().unwrap_or_default();
                let argv = command.argv();
                let run = self.engine.exec(id, &argv, Input::Nothing, |_| {});
                let (ready, detail) = match tokio::time::timeout(timeout, run).await {
                    Err(_) => (false, format!("no end within {} s", timeout.as_secs())),
                    Ok(Err(error)) => (false, error.to_string()),
                    Ok(Ok(output)) => (output.code == 0, output.last_words()),
                };
                Looked { ready, detail, version: None }
            }
        }
    }

    /// Without a probe of the person's: the health check of the image, else a connection to each
    /// published port, else only that it runs.
    async fn default_probes(&self, inspect: &Value) -> Vec<ProbeSeen> {
        if let Some(status) =
            inspect["State"]["Health"]["Status"].as_str().filter(|it| *it != "none")
        {
            let log = inspect["State"]["Health"]["Log"].as_array().and_then(|it| it.last());
            let output =
                log.and_then(|it| it["Output"].as_str()).unwrap_or_default().trim().to_owned();
            let detail = match (status, output.is_empty()) {
                ("healthy", _) | (_, true) => format!("its health check is {status}"),
                _ => format!("its health check is {status}: {}", cut(&output)),
            };
            return vec![ProbeSeen {
                probe: "healthcheck".to_owned(),
                ready: status == "healthy",
                detail,
            }];
        }
        let mut seen = Vec::new();
        for address in self.published(inspect) {
            let looked = probe::tcp(&address, Duration::from_millis(self.health.timeout_ms)).await;
            seen.push(ProbeSeen {
                probe: format!("tcp {address}"),
                ready: looked.ready,
                detail: looked.detail,
            });
        }
        seen
    }

    /// Where published TCP ports can be reached from here.
    fn published(&self, inspect: &Value) -> Vec<String> {
        let ports = inspect["NetworkSettings"]["Ports"].as_object().into_iter().flatten();
        let mut addresses: Vec<String> = ports
            .filter(|(port, _)| port.ends_with("/tcp"))
            .filter_map(|(_, hosts)| hosts.as_array()?.first())
            .filter_map(|host| {
                let port = host["HostPort"].as_str()?;
                let ip = match host["HostIp"].as_str() {
                    None | Some("" | "0.0.0.0" | "::") => self.engine_host(),
                    Some(ip) if ip.contains(':') => format!("[{ip}]"),
                    Some(ip) => ip.to_owned(),
                };
                Some(format!("{ip}:{port}"))
            })
            .collect();
        addresses.sort();
        addresses
    }

    fn engine_host(&self) -> String {
        let url = &self.engine.location().url;
        let remote = url.strip_prefix("tcp://").and_then(|it| it.rsplit_once(':'));
        remote.map_or_else(|| "127.0.0.1".to_owned(), |it| it.0.to_owned())
    }
}

fn title(settings: &ProbeSettings) -> String {
    match settings {
        ProbeSettings::Http { .. } => "http".to_owned(),
        ProbeSettings::Tcp { address } => format!("tcp {address}"),
        ProbeSettings::Exec { .. } => "exec".to_owned(),
    }
}

/// A health check may print pages; its first 200 characters say enough.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect(status: &str, code: i64, policy: &str) -> Value {
        let state = json!({"Running": status == "running", "Restarting": status == "restarting",
            "ExitCode": code, "Pid": 7, "StartedAt": "2026-01-01T00:00:00Z"});
        json!({"State": state, "RestartCount": 2, "HostConfig": {"RestartPolicy": {"Name": policy}}})
    }

    #[test]
    fn only_an_end_that_nothing_follows_is_final() {
        assert_eq!(process(&inspect("exited", 3, "no")).exited, Some(3));
        assert_eq!(process(&inspect("exited", 3, "always")).exited, None);
        assert_eq!(process(&inspect("restarting", 3, "on-failure")).exited, None);
        assert_eq!(process(&inspect("exited", 0, "on-failure")).exited, Some(0));
        let running = process(&inspect("running", 0, "no"));
        assert_eq!((running.running, running.pid, running.restarts), (true, 7, 2));
    }
}
