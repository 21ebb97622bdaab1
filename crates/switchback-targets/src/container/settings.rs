//! What a person has configured for one container, parsed and validated, with defaults filled in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use switchback_core::Millis;

use crate::probe::HttpProbe;

/// One container deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSettings {
    /// The name that people use for it.
    pub deployment: String,
    /// The image reference to follow (`registry.example/acme/web:latest`). None: the one the
    /// container was made from.
    pub image: Option<String>,
    /// The container's name on the engine.
    pub container: String,
    /// The users inside the container that are carried from version to version.
    pub accounts: Vec<String>,
    /// What happens to the data.
    pub data: DataSettings,
    /// How many releases and snapshots are kept.
    pub retain: Retain,
    /// Whether a failed gate goes back by itself. False leaves the new version, `stuck`.
    pub auto_rollback: bool,
    /// How the container is made. None: it is adopted, and made again exactly as it runs. Boxed: it
    /// is four times as large as all the rest, and most have none.
    pub run: Option<Box<super::run::RunSettings>>,
    /// How a version proves itself.
    pub health: HealthSettings,
}

/// What happens to the data of a deployment in an update and on the way back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataSettings {
    /// The policy.
    pub policy: DataPolicy,
    /// Paths inside the container that a snapshot leaves out (`/cache`).
    pub exclude: Vec<String>,
    /// With `command`: runs in the old container before it is stopped.
    pub backup: Option<CommandLine>,
    /// With `command`: runs in the old container after it was started again on the way back.
    pub restore: Option<CommandLine>,
}

/// The data policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataPolicy {
    /// Data stays where it is, on the way back too.
    #[default]
    Keep,
    /// A stop-consistent copy is made in the switch, and goes back with the version.
    Snapshot,
    /// Commands of the user's back up and restore.
    Command,
}

/// A command: a string is run by `sh -c`, an array is run as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CommandLine {
    /// For `sh -c`.
    Shell(String),
    /// Program and arguments, without a shell.
    Exec(Vec<String>),
}

impl CommandLine {
    /// The words to execute.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
            Self::Exec(argv) => argv.clone(),
        }
    }
}

/// How much is kept of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retain {
    /// Releases, the running one included.
    pub releases: u32,
    /// Snapshots.
    pub snapshots: u32,
}

/// How a version proves itself. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSettings {
    /// All of them have to be ready.
    pub probes: Vec<ProbeSettings>,
    /// Between two looks.
    pub interval_ms: Millis,
    /// For one look.
    pub timeout_ms: Millis,
    /// Consecutive good looks that make a version ready.
    pub healthy_streak: u32,
    /// How long it must then stay so.
    pub min_healthy_time_ms: Millis,
    /// How long it may take to become ready. None: the default of the field (five minutes), or
    /// what the image's HEALTHCHECK takes if that is longer.
    pub healthy_deadline_ms: Option<Millis>,
}

/// One probe. Its `Debug` shows neither the values of headers nor what an address carries besides
/// host and path.
#[derive(Clone, PartialEq, Eq)]
pub enum ProbeSettings {
    /// A GET request.
    Http {
        /// Where, as the deployment's own host sees it.
        url: String,
        /// Headers to send; values may be secret.
        headers: BTreeMap<String, String>,
        /// Accepted status codes; empty: 200 to 299.
        status: Vec<u16>,
        /// JSON pointer to the value expected there.
        json: BTreeMap<String, serde_json::Value>,
        /// JSON pointer to the version that the application reports.
        version: Option<String>,
    },
    /// A connection that is accepted and not closed at once.
    Tcp {
        /// `host:port`.
        address: String,
    },
    /// A command inside the container that exits 0.
    Exec {
        /// What to run.
        command: CommandLine,
    },
}

impl std::fmt::Debug for ProbeSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http { url, headers, status, json, version } => {
                let names: Vec<_> = headers.keys().collect();
                // The very probe knows how it is shown without its secrets.
                let shown = HttpProbe { url, headers, status, json, version: version.as_deref() };
                f.debug_struct("Http").field("probe", &shown).field("headers", &names).finish()
            }
            Self::Tcp { address } => f.debug_struct("Tcp").field("address", address).finish(),
            Self::Exec { .. } => f.debug_struct("Exec").finish_non_exhaustive(),
        }
    }
}

/// A key of a deployment as a shell takes it for `config`: a name with a full stop in it, or with letters
/// beyond ASCII, stands in quotes there.
pub fn key_of(deployment: &str, key: &str) -> String {
    let is_bare = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    if deployment.chars().all(is_bare) {
        format!("deployment.{deployment}{key}")
    } else {
        format!("'deployment.\"{deployment}\"{key}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_can_be_pasted_whatever_the_name() {
        assert_eq!(key_of("web-1", ".image"), "deployment.web-1.image");
        assert_eq!(key_of("web.example", ".image"), r#"'deployment."web.example".image'"#);
        assert_eq!(key_of("web.example", ""), r#"'deployment."web.example"'"#);
    }

    #[test]
    fn a_probe_is_shown_without_its_secrets() {
        let probe = ProbeSettings::Http {
            url: "http://ada:canary-1@127.0.0.1:8080/health".to_owned(),
            headers: BTreeMap::from([("X-Token".to_owned(), "canary-2".to_owned())]),
            status: vec![204],
            json: BTreeMap::new(),
            version: Some("/version".to_owned()),
        };
        let exec = ProbeSettings::Exec { command: CommandLine::Shell("KEY=canary-3 ping".into()) };
        let shown = format!("{:?} {:#?}", [probe.clone(), exec.clone()], [probe, exec]);
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("X-Token") && shown.contains("204"), "{shown}");
    }
}
