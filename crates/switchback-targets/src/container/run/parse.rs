//! Puts the words of one service together.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::networks::parse_networks;
use super::ports::{parse_expose, parse_ports};
use super::process::{parse_env_files, parse_healthcheck, parse_logging, parse_restart};
use super::resources::{parse_cpus, parse_devices, parse_ulimits};
use super::volumes::parse_volumes;
use super::words::Words;
use super::{RunError, RunSettings, Secret, WORDS, normal_path};

impl RunSettings {
    /// Types and checks the words of one service. `base` is the folder of the file they stand in;
    /// it only serves to guess what a relative path was meant to be.
    pub fn parse(words: &Map<String, Value>, base: &Path) -> Result<Self, RunError> {
        if let Some(word) = words.keys().find(|word| !WORDS.contains(&word.as_str())) {
            return Err(RunError::at(word, "is no word of the compose specification known here"));
        }
        let words = Words(words);
        let mut run = Self::default();
        run.read_process(words)?;
        run.read_storage(words, base)?;
        run.read_network(words)?;
        run.read_limits(words)?;
        run.read_isolation(words)?;
        run.check_together()?;
        Ok(run)
    }

    /// What the files say, where `environment` does not say otherwise; the last file wins.
    #[must_use]
    pub fn with_env_files(
        mut self,
        files: impl IntoIterator<Item = BTreeMap<String, Option<Secret>>>,
    ) -> Self {
        let own = std::mem::take(&mut self.environment);
        for file in files {
            self.environment.extend(file);
        }
        self.environment.extend(own);
        self
    }

    fn read_process(&mut self, words: Words<'_>) -> Result<(), RunError> {
        let environment = words.pairs("environment")?;
        self.environment =
            environment.into_iter().map(|(name, value)| (name, value.map(Secret::new))).collect();
        self.env_file = parse_env_files(words)?;
        self.restart = parse_restart(words)?;
        self.command = words.command("command")?;
        self.entrypoint = words.command("entrypoint")?;
        self.user = words.text("user")?;
        self.working_dir =
            words.text("working_dir")?.map(|path| path_at("working_dir", &path)).transpose()?;
        self.labels = words.labels("labels")?;
        self.annotations = words.labels("annotations")?;
        self.healthcheck = parse_healthcheck(words)?;
        self.logging = parse_logging(words)?;
        self.init = words.boolean("init")?;
        self.stdin_open = words.boolean("stdin_open")?;
        self.tty = words.boolean("tty")?;
        self.stop_signal = words.text("stop_signal")?;
        self.stop_grace_period_ms = words.duration_ms("stop_grace_period")?;
        self.runtime = words.text("runtime")?;
        self.platform = words.text("platform")?;
        Ok(())
    }

    fn read_storage(&mut self, words: Words<'_>, base: &Path) -> Result<(), RunError> {
        self.volumes = parse_volumes(words.get("volumes"), base)?;
        self.volumes_from = words.texts("volumes_from")?;
        for (index, line) in words.texts("tmpfs")?.into_iter().enumerate() {
            let (path, options) = line.split_once(':').unwrap_or((&line, ""));
            let path =
                normal_path(path).map_err(|problem| RunError::at_index("tmpfs", index, problem))?;
            self.tmpfs.insert(path, options.to_owned());
        }
        self.devices = parse_devices(words)?;
        self.read_only = words.boolean("read_only")?;
        self.shm_size_bytes = words.bytes("shm_size", 0)?;
        Ok(())
    }

    fn read_network(&mut self, words: Words<'_>) -> Result<(), RunError> {
        self.ports = parse_ports(words.get("ports"))?;
        self.expose = parse_expose(&words.texts("expose")?)?;
        self.networks = parse_networks(words)?;
        self.network_mode = words.text("network_mode")?;
        self.hostname = words.text("hostname")?;
        self.domainname = words.text("domainname")?;
        self.extra_hosts = extra_hosts(words)?;
        self.links = words.texts("links")?;
        self.dns = words.texts("dns")?;
        for (index, server) in self.dns.iter().enumerate() {
            server.parse::<std::net::IpAddr>().map_err(|error| {
                RunError::at_index("dns", index, format!("`{server}`: {error}"))
            })?;
        }
        self.dns_search = words.texts("dns_search")?;
        self.dns_opt = words.texts("dns_opt")?;
        Ok(())
    }

    fn read_limits(&mut self, words: Words<'_>) -> Result<(), RunError> {
        self.ulimits = parse_ulimits(words)?;
        self.mem_limit_bytes = words.bytes("mem_limit", 0)?;
        self.mem_reservation_bytes = words.bytes("mem_reservation", 0)?;
        self.memswap_limit_bytes = words.bytes("memswap_limit", -1)?;
        self.cpus_nano = parse_cpus(words)?;
        self.cpu_shares = words.integer("cpu_shares", 0, i64::MAX)?;
        self.cpuset = words.text("cpuset")?;
        self.pids_limit = words.integer("pids_limit", -1, i64::MAX)?;
        self.oom_score_adj = words.integer("oom_score_adj", -1000, 1000)?;
        Ok(())
    }

    fn read_isolation(&mut self, words: Words<'_>) -> Result<(), RunError> {
        self.cap_add = words.texts("cap_add")?;
        self.cap_drop = words.texts("cap_drop")?;
        self.privileged = words.boolean("privileged")?;
        self.security_opt = words.texts("security_opt")?;
        self.sysctls = words.labels("sysctls")?;
        self.group_add = words.texts("group_add")?;
        self.ipc = words.text("ipc")?;
        self.pid = words.text("pid")?;
        self.uts = words.text("uts")?;
        self.userns_mode = words.text("userns_mode")?;
        let modes = [
            ("ipc", &self.ipc),
            ("pid", &self.pid),
            ("uts", &self.uts),
            ("network_mode", &self.network_mode),
        ];
        for (word, mode) in modes {
            // A service is compose's; here one container stands alone.
            if let Some(name) = mode.as_deref().and_then(|mode| mode.strip_prefix("service:")) {
                let problem = "there are no other services here; name a container";
                let better = format!("container:{name}");
                return Err(RunError::at(word, problem).or_rather(Some(better)));
            }
        }
        Ok(())
    }

    /// What the words must not say together.
    fn check_together(&self) -> Result<(), RunError> {
        if self.network_mode.is_some() && !self.networks.is_empty() {
            return Err(RunError::at("network_mode", "cannot stand together with `networks`"));
        }
        let mode = self.network_mode.as_deref().unwrap_or("");
        if mode.starts_with("container:") && !self.ports.is_empty() {
            let problem = "ports cannot be published from the network of another container";
            return Err(RunError::at("network_mode", problem));
        }
        let mut targets: Vec<&str> = self.tmpfs.keys().map(String::as_str).collect();
        for (index, volume) in self.volumes.iter().enumerate() {
            if targets.contains(&volume.target()) {
                let problem = format!("something else is already mounted at {}", volume.target());
                return Err(RunError::at_index("volumes", index, problem));
            }
            targets.push(volume.target());
        }
        Ok(())
    }
}

/// `host:address`, `host=address`, or a table; an IPv6 address may stand in brackets.
fn extra_hosts(words: Words<'_>) -> Result<Vec<String>, RunError> {
    if let Some(Value::Object(_)) = words.get("extra_hosts") {
        let hosts = words.labels("extra_hosts")?;
        return Ok(hosts.into_iter().map(|(host, address)| format!("{host}:{address}")).collect());
    }
    let mut lines = Vec::new();
    for (index, line) in words.texts("extra_hosts")?.into_iter().enumerate() {
        let parts = line.split_once('=').or_else(|| line.split_once(':'));
        let (host, address) = parts.ok_or_else(|| {
            RunError::at_index("extra_hosts", index, format!("`{line}` is not HOST:ADDRESS"))
        })?;
        lines.push(format!("{host}:{}", address.trim_start_matches('[').trim_end_matches(']')));
    }
    Ok(lines)
}

fn path_at(word: &str, path: &str) -> Result<String, RunError> {
    normal_path(path).map_err(|problem| {
        RunError::at(word, problem).or_rather(Some(super::relative_to(Path::new("/"), path)))
    })
}
