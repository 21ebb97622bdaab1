//! What the engine is asked to make of a declared container.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HealthConfig,
    HostConfig, HostConfigLogConfig, Mount, MountBindOptions, MountBindOptionsPropagationEnum,
    MountTmpfsOptions, MountType, MountVolumeOptions, NetworkingConfig, PortBinding,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use switchback_core::Millis;

use super::{
    HealthCheck, Logging, NetworkAttachment, PortMapping, Published, Restart, RunSettings, Secret,
    VolumeMount,
};

/// The body of the create request, as `docker run` with the same words would send it.
///
/// Every network is in `networking_config`. Engines before API 1.44 take only one there: for these
/// the caller keeps the one that `host_config.network_mode` names and connects the others between
/// create and start. The platform is a parameter of the request: [`RunSettings::platform`].
pub fn create_body(run: &RunSettings, image: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        hostname: run.hostname.clone(),
        domainname: run.domainname.clone(),
        user: run.user.clone(),
        exposed_ports: some(exposed_ports(run)),
        tty: run.tty,
        open_stdin: run.stdin_open,
        env: some(run.environment.iter().map(variable).collect()),
        cmd: run.command.clone(),
        entrypoint: run.entrypoint.clone(),
        healthcheck: run.healthcheck.as_ref().map(health_config),
        volumes: some(anonymous_volumes(run)),
        working_dir: run.working_dir.clone(),
        labels: some_map(&run.labels),
        stop_signal: run.stop_signal.clone(),
        stop_timeout: run.stop_grace_period_ms.map(|grace_ms| integer(grace_ms / 1000)),
        host_config: Some(host_config(run)),
        networking_config: networking_config(run),
        ..ContainerCreateBody::default()
    }
}

fn host_config(run: &RunSettings) -> HostConfig {
    HostConfig {
        binds: some(run.volumes.iter().filter_map(bind).collect()),
        mounts: some(run.volumes.iter().filter_map(mount).collect()),
        volumes_from: some(run.volumes_from.clone()),
        tmpfs: some_map(&run.tmpfs),
        port_bindings: some_table(port_bindings(&run.ports)),
        network_mode: network_mode(run),
        restart_policy: run.restart.map(restart_policy),
        log_config: run.logging.as_ref().map(log_config),
        devices: some(devices(run)),
        ulimits: some(ulimits(run)),
        cap_add: some(run.cap_add.clone()),
        cap_drop: some(run.cap_drop.clone()),
        privileged: run.privileged,
        readonly_rootfs: run.read_only,
        security_opt: some(run.security_opt.clone()),
        sysctls: some_map(&run.sysctls),
        group_add: some(run.group_add.clone()),
        extra_hosts: some(run.extra_hosts.clone()),
        links: some(run.links.clone()),
        dns: some(run.dns.clone()),
        dns_search: some(run.dns_search.clone()),
        dns_options: some(run.dns_opt.clone()),
        init: run.init,
        ipc_mode: run.ipc.clone(),
        pid_mode: run.pid.clone(),
        uts_mode: run.uts.clone(),
        userns_mode: run.userns_mode.clone(),
        shm_size: run.shm_size_bytes,
        memory: run.mem_limit_bytes,
        memory_reservation: run.mem_reservation_bytes,
        memory_swap: run.memswap_limit_bytes,
        nano_cpus: run.cpus_nano,
        cpu_shares: run.cpu_shares,
        cpuset_cpus: run.cpuset.clone(),
        pids_limit: run.pids_limit,
        oom_score_adj: run.oom_score_adj,
        runtime: run.runtime.clone(),
        annotations: some_map(&run.annotations),
        ..HostConfig::default()
    }
}

/// A name alone takes away what the image sets.
fn variable((name, value): (&String, &Option<Secret>)) -> String {
    match value {
        Some(value) => format!("{name}={}", value.expose()),
        None => name.clone(),
    }
}

/// Published ports are exposed ones too.
fn exposed_ports(run: &RunSettings) -> Vec<String> {
    let declared = run.expose.iter().map(|port| format!("{}/{}", port.target, port.protocol));
    let mut ports: Vec<String> = run.ports.iter().map(port_key).chain(declared).collect();
    ports.sort();
    ports.dedup();
    ports
}

fn port_key(port: &PortMapping) -> String {
    format!("{}/{}", port.target, port.protocol)
}

fn port_bindings(ports: &[PortMapping]) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut bindings = HashMap::new();
    for port in ports {
        let host_port = match port.published {
            Published::Any => String::new(),
            Published::Port(number) => number.to_string(),
            Published::Between(from, to) => format!("{from}-{to}"),
        };
        let host_ip = port.host_ip.map(|address| address.to_string());
        let list: &mut Option<Vec<PortBinding>> = bindings.entry(port_key(port)).or_default();
        list.get_or_insert_default().push(PortBinding { host_ip, host_port: Some(host_port) });
    }
    bindings
}

/// A volume without a name stands in the container's own configuration, unless its mount says
/// more about it.
fn anonymous_volumes(run: &RunSettings) -> Vec<String> {
    let anonymous = |volume: &VolumeMount| match volume {
        VolumeMount::Volume {
            source: None,
            target,
            read_only: false,
            nocopy: false,
            subpath: None,
        } => Some(target.clone()),
        _ => None,
    };
    run.volumes.iter().filter_map(anonymous).collect()
}

/// What the engine's older form can say: `SOURCE:TARGET[:MODES]`.
fn bind(volume: &VolumeMount) -> Option<String> {
    let (source, target, modes) = match volume {
        VolumeMount::Bind {
            source,
            target,
            read_only,
            propagation,
            selinux,
            create_host_path: true,
        } => {
            let mut modes: Vec<String> = read_only.then(|| "ro".to_owned()).into_iter().collect();
            modes.extend(selinux.map(String::from));
            modes.extend(propagation.clone());
            (source, target, modes)
        }
        VolumeMount::Volume { source: Some(name), target, read_only, nocopy, subpath: None } => {
            let words = [(*read_only, "ro"), (*nocopy, "nocopy")];
            let modes = words.iter().filter(|(set, _)| *set).map(|(_, word)| (*word).to_owned());
            (name, target, modes.collect())
        }
        VolumeMount::Bind { .. } | VolumeMount::Volume { .. } | VolumeMount::Tmpfs { .. } => {
            return None;
        }
    };
    if modes.is_empty() {
        Some(format!("{source}:{target}"))
    } else {
        Some(format!("{source}:{target}:{}", modes.join(",")))
    }
}

/// What only the engine's newer form can say.
fn mount(volume: &VolumeMount) -> Option<Mount> {
    match volume {
        VolumeMount::Bind {
            source,
            target,
            read_only,
            propagation,
            create_host_path: false,
            ..
        } => Some(Mount {
            typ: Some(MountType::BIND),
            source: Some(source.clone()),
            target: Some(target.clone()),
            read_only: Some(*read_only),
            bind_options: propagation.as_deref().map(|word| MountBindOptions {
                propagation: Some(propagation_of(word)),
                ..MountBindOptions::default()
            }),
            ..Mount::default()
        }),
        VolumeMount::Volume { source, target, read_only, nocopy, subpath }
            if subpath.is_some() || (source.is_none() && (*read_only || *nocopy)) =>
        {
            Some(Mount {
                typ: Some(MountType::VOLUME),
                source: source.clone(),
                target: Some(target.clone()),
                read_only: Some(*read_only),
                volume_options: Some(MountVolumeOptions {
                    no_copy: Some(*nocopy),
                    subpath: subpath.clone(),
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            })
        }
        VolumeMount::Tmpfs { target, size_bytes, mode, read_only } => Some(Mount {
            typ: Some(MountType::TMPFS),
            target: Some(target.clone()),
            read_only: Some(*read_only),
            tmpfs_options: Some(MountTmpfsOptions {
                size_bytes: *size_bytes,
                mode: mode.map(i64::from),
                ..MountTmpfsOptions::default()
            }),
            ..Mount::default()
        }),
        VolumeMount::Bind { .. } | VolumeMount::Volume { .. } => None,
    }
}

fn propagation_of(word: &str) -> MountBindOptionsPropagationEnum {
    use MountBindOptionsPropagationEnum as Propagation;
    match word {
        "private" => Propagation::PRIVATE,
        "shared" => Propagation::SHARED,
        "rshared" => Propagation::RSHARED,
        "slave" => Propagation::SLAVE,
        "rslave" => Propagation::RSLAVE,
        _ => Propagation::RPRIVATE,
    }
}

fn network_mode(run: &RunSettings) -> Option<String> {
    run.network_mode.clone().or_else(|| run.networks.first().map(|network| network.name.clone()))
}

/// Only networks that people made have endpoints of their own in the request.
fn networking_config(run: &RunSettings) -> Option<NetworkingConfig> {
    let by_mode = run
        .network_mode
        .iter()
        .filter(|mode| !mode.starts_with("container:"))
        .map(|mode| NetworkAttachment { name: mode.clone(), ..NetworkAttachment::default() });
    let endpoints: HashMap<String, EndpointSettings> = run
        .networks
        .iter()
        .cloned()
        .chain(by_mode)
        .filter(NetworkAttachment::is_user_defined)
        .map(|network| (network.name.clone(), endpoint(&network, &run.links)))
        .collect();
    some_table(endpoints).map(|endpoints| NetworkingConfig { endpoints_config: Some(endpoints) })
}

fn endpoint(network: &NetworkAttachment, links: &[String]) -> EndpointSettings {
    let fixed = network.ipv4_address.is_some() || network.ipv6_address.is_some();
    EndpointSettings {
        ipam_config: fixed.then(|| EndpointIpamConfig {
            ipv4_address: network.ipv4_address.clone(),
            ipv6_address: network.ipv6_address.clone(),
            link_local_ips: None,
        }),
        links: some(links.to_vec()),
        mac_address: network.mac_address.clone(),
        aliases: some(network.aliases.clone()),
        ..EndpointSettings::default()
    }
}

fn restart_policy(restart: Restart) -> RestartPolicy {
    let (name, count) = match restart {
        Restart::No => (RestartPolicyNameEnum::NO, None),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Restart::OnFailure(count) => (RestartPolicyNameEnum::ON_FAILURE, count.map(i64::from)),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: count }
}

fn health_config(check: &HealthCheck) -> HealthConfig {
    let nanoseconds =
        |limit_ms: Option<Millis>| limit_ms.map(|ms| integer(ms.saturating_mul(1_000_000)));
    HealthConfig {
        test: some(check.test.clone()),
        interval: nanoseconds(check.interval_ms),
        timeout: nanoseconds(check.timeout_ms),
        retries: check.retries,
        start_period: nanoseconds(check.start_period_ms),
        start_interval: nanoseconds(check.start_interval_ms),
    }
}

/// An empty driver is the engine's default.
fn log_config(logging: &Logging) -> HostConfigLogConfig {
    let options = logging.options.iter();
    HostConfigLogConfig {
        typ: Some(logging.driver.clone().unwrap_or_default()),
        config: some_table(
            options.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
        ),
    }
}

fn devices(run: &RunSettings) -> Vec<DeviceMapping> {
    let mapping = |device: &super::Device| DeviceMapping {
        path_on_host: Some(device.source.clone()),
        path_in_container: Some(device.target.clone()),
        cgroup_permissions: Some(device.permissions.clone()),
    };
    run.devices.iter().map(mapping).collect()
}

fn ulimits(run: &RunSettings) -> Vec<ResourcesUlimits> {
    let limit = |limit: &super::Ulimit| ResourcesUlimits {
        name: Some(limit.name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    };
    run.ulimits.iter().map(limit).collect()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn some_table<T>(table: HashMap<String, T>) -> Option<HashMap<String, T>> {
    (!table.is_empty()).then_some(table)
}

fn some_map(map: &std::collections::BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    some_table(map.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The engine counts in signed numbers; what does not fit is as good as endless.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
