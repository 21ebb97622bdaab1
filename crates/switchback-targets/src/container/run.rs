//! How a declared container is made, in words of the compose specification for one service.
//!
//! [`RunSettings::parse`] takes the words as JSON (whatever file they stood in), checks their
//! syntax and types them; [`create_body`] says what the engine is asked to make of them.

mod body;
mod networks;
mod parse;
mod paths;
mod ports;
mod process;
mod resources;
mod units;
mod volumes;
mod words;

use std::collections::BTreeMap;
use std::fmt;

pub use body::create_body;
pub use networks::NetworkAttachment;
pub use paths::{normal_path, relative_to};
pub use ports::{Expose, PortMapping, Protocol, Published};
pub use process::{EnvFile, HealthCheck, Logging, Restart, check_image, parse_env_file};
pub use resources::{Device, Ulimit};
pub use units::{parse_bytes, parse_duration_ms};
pub use volumes::VolumeMount;

/// Every word that [`RunSettings::parse`] knows.
pub const WORDS: &[&str] = &[
    "annotations",
    "cap_add",
    "cap_drop",
    "command",
    "cpu_shares",
    "cpus",
    "cpuset",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
    "entrypoint",
    "env_file",
    "environment",
    "expose",
    "extra_hosts",
    "group_add",
    "healthcheck",
    "hostname",
    "init",
    "ipc",
    "labels",
    "links",
    "logging",
    "mem_limit",
    "mem_reservation",
    "memswap_limit",
    "network_mode",
    "networks",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "ports",
    "privileged",
    "read_only",
    "restart",
    "runtime",
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "user",
    "userns_mode",
    "uts",
    "volumes",
    "volumes_from",
    "working_dir",
];

/// How a declared container is made. What is None or empty is left to the image and the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunSettings {
    /// Published ports, ranges already taken apart.
    pub ports: Vec<PortMapping>,
    /// Ports that are only declared.
    pub expose: Vec<Expose>,
    /// Volumes, binds and long-form tmpfs mounts, in their order.
    pub volumes: Vec<VolumeMount>,
    /// `NAME[:ro]` of containers whose volumes are mounted too.
    pub volumes_from: Vec<String>,
    /// Path to mount options (`size=64m,mode=1770`), which may be empty.
    pub tmpfs: BTreeMap<String, String>,
    /// None takes away what the image sets.
    pub environment: BTreeMap<String, Option<Secret>>,
    /// Files of variables; what `environment` says wins over them. The caller reads them.
    pub env_file: Vec<EnvFile>,
    /// Restart policy.
    pub restart: Option<Restart>,
    /// Arguments; empty means none, not the image's.
    pub command: Option<Vec<String>>,
    /// Program; empty takes away the image's.
    pub entrypoint: Option<Vec<String>>,
    /// `user[:group]`, names or numbers.
    pub user: Option<String>,
    /// Working directory inside.
    pub working_dir: Option<String>,
    /// Host name inside.
    pub hostname: Option<String>,
    /// Domain name inside.
    pub domainname: Option<String>,
    /// Labels of the container.
    pub labels: BTreeMap<String, String>,
    /// Networks, the first being the one that gives the default route.
    pub networks: Vec<NetworkAttachment>,
    /// `host`, `none`, `bridge`, `container:NAME`; never together with `networks`.
    pub network_mode: Option<String>,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Limits of the process.
    pub ulimits: Vec<Ulimit>,
    /// Capabilities added.
    pub cap_add: Vec<String>,
    /// Capabilities taken away.
    pub cap_drop: Vec<String>,
    /// All capabilities and devices.
    pub privileged: Option<bool>,
    /// HEALTHCHECK in place of the image's.
    pub healthcheck: Option<HealthCheck>,
    /// Log driver.
    pub logging: Option<Logging>,
    /// `host:address` lines for `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// `container[:alias]`.
    pub links: Vec<String>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Search domains.
    pub dns_search: Vec<String>,
    /// Resolver options.
    pub dns_opt: Vec<String>,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// An init process as pid 1.
    pub init: Option<bool>,
    /// IPC namespace.
    pub ipc: Option<String>,
    /// PID namespace.
    pub pid: Option<String>,
    /// UTS namespace.
    pub uts: Option<String>,
    /// Size of `/dev/shm`.
    pub shm_size_bytes: Option<i64>,
    /// Memory.
    pub mem_limit_bytes: Option<i64>,
    /// Memory under pressure.
    pub mem_reservation_bytes: Option<i64>,
    /// Memory and swap together; -1 is no limit.
    pub memswap_limit_bytes: Option<i64>,
    /// Processors, in 10⁻⁹.
    pub cpus_nano: Option<i64>,
    /// Relative weight.
    pub cpu_shares: Option<i64>,
    /// `0-3`, `0,1`.
    pub cpuset: Option<String>,
    /// Processes; -1 is no limit.
    pub pids_limit: Option<i64>,
    /// Further groups, names or numbers.
    pub group_add: Vec<String>,
    /// User namespace.
    pub userns_mode: Option<String>,
    /// Security options (`no-new-privileges:true`).
    pub security_opt: Vec<String>,
    /// Read-only root file system.
    pub read_only: Option<bool>,
    /// Signal that asks it to stop.
    pub stop_signal: Option<String>,
    /// How long it has before it is killed.
    pub stop_grace_period_ms: Option<switchback_core::Millis>,
    /// -1000 to 1000.
    pub oom_score_adj: Option<i64>,
    /// OCI runtime.
    pub runtime: Option<String>,
    /// `os/architecture[/variant]`; a parameter of the create request, not part of its body.
    pub platform: Option<String>,
    /// Keep standard input open.
    pub stdin_open: Option<bool>,
    /// Allocate a terminal.
    pub tty: Option<bool>,
    /// Annotations for the runtime.
    pub annotations: BTreeMap<String, String>,
}

/// A value that never shows in `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the engine only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// A word that is not what the compose specification takes there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {problem}", path.join("."))]
pub struct RunError {
    /// Where, below `run`: `["ports", "1"]`.
    pub path: Vec<String>,
    /// Why it is wrong. Never contains a value of an environment.
    pub problem: String,
    /// What could stand at `path` in its place, where that can be guessed.
    pub replacement: Option<serde_json::Value>,
}

impl RunError {
    /// An error at one word.
    pub(crate) fn at(word: &str, problem: impl Into<String>) -> Self {
        Self { path: vec![word.to_owned()], problem: problem.into(), replacement: None }
    }

    /// An error at one element of a list.
    pub(crate) fn at_index(word: &str, index: usize, problem: impl Into<String>) -> Self {
        let path = vec![word.to_owned(), index.to_string()];
        Self { path, problem: problem.into(), replacement: None }
    }

    /// With something that could stand there.
    #[must_use]
    pub(crate) fn or_rather(mut self, replacement: Option<impl Into<serde_json::Value>>) -> Self {
        self.replacement = replacement.map(Into::into);
        self
    }
}
