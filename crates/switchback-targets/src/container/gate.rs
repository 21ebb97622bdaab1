//! Looks at a container and its probes, once.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use switchback_core::{BesideSeen, Blind, HealthGate, ProbeSeen, Seen, words};

use super::settings::{HealthSettings, ProbeSettings};
use crate::{
    engine_api::{EngineClient, EngineError, Input},
    patience::within,
    probe::{self, HttpClient, HttpProbe, Looked},
};

/// Looks at whatever container has the name: the new one, or on the way back the old one.
#[derive(Debug)]
pub struct ContainerGate {
    /// The engine.
    pub engine: EngineClient,
    /// The container's name.
    pub name: String,
    /// The names of those that go along with it and have to run beside it.
    pub beside: Vec<String>,
    /// What is asked.
    pub health: HealthSettings,
    /// Asks over HTTP.
    pub client: HttpClient,
    /// Looks that are still to be short, after a start.
    pub short_looks: ShortLooks,
}

/// The first looks at a new process are short. A port's proxy accepts connections before anything
/// listens behind it, and a request that was sent into that moment hangs until its time-out: seen to
/// cost five seconds of a downtime of half a second.
#[derive(Debug, Default)]
pub struct ShortLooks(Option<(AtomicU32, AtomicU32)>);

/// The time for the first look at a new process; each further one has twice as long, up to what is
/// configured. Half a second is the usual interval, so nothing is waited for in vain.
const FIRST_LOOK_MS: u64 = 500;

/// How much longer than a probe the engine may take to say how its container is, in milliseconds:
/// half of what a look has beyond its probes.
const ENGINE_MORE_MS: u64 = 500;

impl ShortLooks {
    /// The service is about to be started, perhaps more than once.
    pub fn after_starts() -> Self {
        Self(Some((AtomicU32::new(0), AtomicU32::new(0))))
    }

    /// The time for the next look at a process, in milliseconds.
    fn next_ms(&self, pid: u32, configured_ms: u64) -> u64 {
        let Some((last, looks)) = &self.0 else { return configured_ms };
        if last.swap(pid, Ordering::Relaxed) != pid {
            looks.store(0, Ordering::Relaxed);
        }
        let past = looks.fetch_add(1, Ordering::Relaxed).min(16);
        configured_ms.min(FIRST_LOOK_MS << past)
    }
}

impl HealthGate for ContainerGate {
    async fn probe(&self) -> Seen {
        match self.inspect(&self.name).await {
            Ok(Some(inspect)) if !is_leaving(&inspect) => {
                let seen = self.look(&inspect).await;
                let (beside, blind) = self.look_beside().await;
                Seen { beside, blind: seen.blind.or(blind), ..seen }
            }
            Ok(_) => Seen { blind: Some(Blind::Gone), ..Seen::default() },
            Err(error) => Seen { blind: Some(unreachable(&error)), ..Seen::default() },
        }
    }
}

/// Whether somebody is removing it. That its process has ended then is not its own doing. Podman stops
/// one first that it removes.
fn is_leaving(inspect: &Value) -> bool {
    matches!(inspect["State"]["Status"].as_str(), Some("removing" | "dead" | "stopping"))
}

/// Why nothing could be seen.
fn unreachable(error: &EngineError) -> Blind {
    Blind::Unreachable { why: error.to_string() }
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
        beside: Vec::new(),
        blind: None,
    }
}

/// How long after a start by itself a container counts as one that keeps restarting. The engine
/// waits a minute at most between two tries, so one that lives for less than ten crashes often.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Whether a container ended by itself and was started again by the engine shortly before `now`.
pub fn keeps_restarting(inspect: &Value, now: Timestamp) -> bool {
    let state = &inspect["State"];
    let again = inspect["RestartCount"].as_u64().unwrap_or(0) > 0;
    let since = state["StartedAt"].as_str().and_then(|it| it.parse::<Timestamp>().ok());
    let is_young = since.is_some_and(|it| now.duration_since(it) < SETTLED_AFTER);
    state["Restarting"] == json!(true) || (again && is_young)
}

impl ContainerGate {
    /// An engine that does not answer within the time of a look must not pass for a service that does
    /// not: nothing could be seen, which says nothing about a version.
    async fn inspect(&self, name: &str) -> Result<Option<Value>, EngineError> {
        let limit = Duration::from_millis(self.health.timeout_ms + ENGINE_MORE_MS);
        let seen = within(limit, self.engine.container(name)).await;
        seen.unwrap_or_else(|| Err(EngineError::TimedOut { what: format!("look at {name}") }))
    }

    /// Those that go along, and what stood in the way of looking. One that is gone does not run.
    async fn look_beside(&self) -> (Vec<BesideSeen>, Option<Blind>) {
        let mut all = Vec::new();
        for name in &self.beside {
            let seen = match self.inspect(name).await {
                Ok(inspect) => inspect.as_ref().map(process).unwrap_or_default(),
                Err(error) => return (all, Some(unreachable(&error))),
            };
            let Seen { running, restarts, pid, exited, .. } = seen;
            all.push(BesideSeen { name: name.clone(), running, restarts, pid, exited });
        }
        (all, None)
    }

    async fn look(&self, inspect: &Value) -> Seen {
        let mut seen = process(inspect);
        if !seen.running {
            return seen;
        }
        let timeout_ms = self.short_looks.next_ms(seen.pid, self.health.timeout_ms);
        let timeout = Duration::from_millis(timeout_ms);
        if self.health.probes.is_empty() {
            seen.probes = self.default_probes(inspect, timeout).await;
            return seen;
        }
        for settings in &self.health.probes {
            let looked = match self.ask(inspect, settings, timeout).await {
                Ok(looked) => looked,
                Err(error) => return Seen { blind: Some(unreachable(&error)), ..seen },
            };
            seen.version = seen.version.or(looked.version);
            let (probe, ready, detail) = (title(settings), looked.ready, looked.detail);
            seen.probes.push(ProbeSeen { probe, ready, detail });
        }
        seen
    }

    /// An engine that cannot be asked to run a probe has not said anything about the version.
    async fn ask(
        &self,
        inspect: &Value,
        settings: &ProbeSettings,
        timeout: Duration,
    ) -> Result<Looked, EngineError> {
        Ok(match settings {
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
                let (ready, detail) = match within(timeout, run).await {
                    None => (false, format!("no end within {}", words::duration(timeout))),
                    Some(Err(error)) if error.is_passing() => return Err(error),
                    Some(Err(error)) => (false, error.to_string()),
                    Some(Ok(output)) => (output.code == 0, output.last_words()),
                };
                Looked { ready, detail, version: None }
            }
        })
    }

    /// Without a probe of the person's: the health check of the image, else a connection to each
    /// published port, else only that it runs.
    async fn default_probes(&self, inspect: &Value, timeout: Duration) -> Vec<ProbeSeen> {
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
            let looked = probe::tcp(&address, timeout).await;
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
mod tests;
