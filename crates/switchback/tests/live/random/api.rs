//! Every field that the description of the engine's API has for what makes a container, versions 1.41
//! to 1.51: `ContainerConfig`, `HostConfig` with its resources, and `EndpointSettings`.

use std::ops::RangeInclusive;

/// By the part of an inspect that shows them.
const FIELDS: [(&str, &[&str]); 3] = [
    (
        "Config",
        &[
            "ArgsEscaped",
            "AttachStderr",
            "AttachStdin",
            "AttachStdout",
            "Cmd",
            "Domainname",
            "Entrypoint",
            "Env",
            "ExposedPorts",
            "Healthcheck",
            "Hostname",
            "Image",
            "Labels",
            "MacAddress",
            "NetworkDisabled",
            "OnBuild",
            "OpenStdin",
            "Shell",
            "StdinOnce",
            "StopSignal",
            "StopTimeout",
            "Tty",
            "User",
            "Volumes",
            "WorkingDir",
        ],
    ),
    (
        "HostConfig",
        &[
            "Annotations",
            "AutoRemove",
            "Binds",
            "BlkioDeviceReadBps",
            "BlkioDeviceReadIOps",
            "BlkioDeviceWriteBps",
            "BlkioDeviceWriteIOps",
            "BlkioWeight",
            "BlkioWeightDevice",
            "CapAdd",
            "CapDrop",
            "Cgroup",
            "CgroupParent",
            "CgroupnsMode",
            "ConsoleSize",
            "ContainerIDFile",
            "CpuCount",
            "CpuPercent",
            "CpuPeriod",
            "CpuQuota",
            "CpuRealtimePeriod",
            "CpuRealtimeRuntime",
            "CpuShares",
            "CpusetCpus",
            "CpusetMems",
            "DeviceCgroupRules",
            "DeviceRequests",
            "Devices",
            "Dns",
            "DnsOptions",
            "DnsSearch",
            "ExtraHosts",
            "GroupAdd",
            "IOMaximumBandwidth",
            "IOMaximumIOps",
            "Init",
            "IpcMode",
            "Isolation",
            "KernelMemory",
            "KernelMemoryTCP",
            "Links",
            "LogConfig",
            "MaskedPaths",
            "Memory",
            "MemoryReservation",
            "MemorySwap",
            "MemorySwappiness",
            "Mounts",
            "NanoCpus",
            "NetworkMode",
            "OomKillDisable",
            "OomScoreAdj",
            "PidMode",
            "PidsLimit",
            "PortBindings",
            "Privileged",
            "PublishAllPorts",
            "ReadonlyPaths",
            "ReadonlyRootfs",
            "RestartPolicy",
            "Runtime",
            "SecurityOpt",
            "ShmSize",
            "StorageOpt",
            "Sysctls",
            "Tmpfs",
            "UTSMode",
            "Ulimits",
            "UsernsMode",
            "VolumeDriver",
            "VolumesFrom",
        ],
    ),
    (
        "Endpoint",
        &[
            "Aliases",
            "DNSNames",
            "DriverOpts",
            "EndpointID",
            "Gateway",
            "GlobalIPv6Address",
            "GlobalIPv6PrefixLen",
            "GwPriority",
            "IPAMConfig",
            "IPAddress",
            "IPPrefixLen",
            "IPv6Gateway",
            "Links",
            "MacAddress",
            "NetworkID",
        ],
    ),
];

const NEWEST: u32 = u32::MAX;

/// What not every engine knows: the versions 1.x that do.
const NOT_IN_ALL: [(&str, RangeInclusive<u32>); 4] = [
    ("HostConfig/Annotations", 43..=NEWEST),
    ("Endpoint/GwPriority", 48..=NEWEST),
    // Until 1.43 it is one of the whole, from 1.44 on one of the endpoint; Docker 26 (1.45) shows that as
    // one of the whole too.
    ("Config/MacAddress", 41..=43),
    ("Endpoint/MacAddress", 46..=NEWEST),
];

/// `PART/FIELD` for all of them.
pub(super) fn every_field() -> Vec<String> {
    let of = |(part, fields): &(&str, &[&str])| -> Vec<String> {
        fields.iter().map(|field| format!("{part}/{field}")).collect()
    };
    FIELDS.iter().flat_map(of).collect()
}

/// Whether an engine of this version (1.`minor`) has this field.
pub(super) fn is_known_to(minor: u32, field: &str) -> bool {
    let rule = NOT_IN_ALL.iter().find(|(name, _)| *name == field);
    rule.is_none_or(|(_, versions)| versions.contains(&minor))
}

/// Whether an engine of this version keeps what is said there: those before 1.44 take the hardware address
/// of an endpoint, show it until the start, and then make one up.
pub(super) fn is_held_to(minor: u32, field: &str) -> bool {
    field != "Endpoint/MacAddress" || minor >= 44
}

/// Fields that no user says, each with its reason.
pub(super) const NOT_SAID: [(&str, &str); 18] = [
    (
        "Config/Image",
        "one repository and tag for all, which are compared; the digest is what an update changes",
    ),
    ("Config/ArgsEscaped", "of Windows"),
    ("Config/OnBuild", "it is of the image; the engine drops it from a request"),
    ("HostConfig/AutoRemove", "refused, by a test of its own"),
    ("HostConfig/ContainerIDFile", "a file of the client that wrote it"),
    ("HostConfig/ConsoleSize", "the terminal of the client that started it"),
    ("HostConfig/Cgroup", "the engine refuses every value"),
    ("HostConfig/VolumesFrom", "members of one plan, by a test of their own"),
    ("HostConfig/Isolation", "of Windows"),
    ("HostConfig/CpuCount", "of Windows"),
    ("HostConfig/CpuPercent", "of Windows"),
    ("HostConfig/IOMaximumIOps", "of Windows"),
    ("HostConfig/IOMaximumBandwidth", "of Windows"),
    (
        "HostConfig/StorageOpt",
        "the engine refuses it unless its file system has quotas for projects",
    ),
    ("HostConfig/KernelMemory", "gone from kernels, and from engines since 23"),
    ("HostConfig/KernelMemoryTCP", "gone from kernels"),
    ("HostConfig/CpuRealtimePeriod", "needs a kernel with real-time groups"),
    ("HostConfig/CpuRealtimeRuntime", "needs a kernel with real-time groups"),
];

/// What Podman cannot do or does not tell, each with its reason, as docs/engines.md has them. What a
/// device may be used for, which it does not tell either, is no field of its own: it shows none before
/// and none after.
const NOT_ON_PODMAN: [(&str, &str); 5] = [
    ("HostConfig/Links", "it refuses to make a container with a link"),
    ("Endpoint/Links", "it refuses to make a container with a link"),
    ("Config/MacAddress", "it does not tell which address somebody chose"),
    ("Endpoint/MacAddress", "it does not tell which address somebody chose"),
    ("Endpoint/IPAMConfig", "it does not tell which address somebody chose"),
];

/// Whether Podman has this field, and tells what was said of it.
pub(super) fn is_told_by_podman(field: &str) -> bool {
    NOT_ON_PODMAN.iter().all(|(name, _)| *name != field)
}

/// What Podman takes and does not show under this name, at neither of its interfaces, each with its reason.
const NOT_SHOWN_BY_PODMAN: [(&str, &str); 22] = [
    ("Config/AttachStdin", "of the client that starts it"),
    ("Config/AttachStdout", "of the client that starts it"),
    ("Config/AttachStderr", "of the client that starts it"),
    ("Config/StdinOnce", "of the client that starts it"),
    ("Config/Domainname", "it ignores it"),
    ("Config/Shell", "it ignores it; only a build uses it"),
    ("Config/NetworkDisabled", "shown by the mode `none`"),
    ("Config/Volumes", "shown among the mounts of the whole"),
    ("Endpoint/DriverOpts", "it ignores those of an endpoint"),
    ("HostConfig/BlkioWeight", "it drops it where the kernel cannot do it"),
    ("HostConfig/BlkioWeightDevice", "it drops it where the kernel cannot do it"),
    ("HostConfig/CgroupnsMode", "docs/engines.md names it"),
    ("HostConfig/DeviceCgroupRules", "docs/engines.md names it"),
    ("HostConfig/Sysctls", "docs/engines.md names it"),
    ("HostConfig/MaskedPaths", "docs/engines.md names it"),
    ("HostConfig/ReadonlyPaths", "docs/engines.md names it"),
    ("HostConfig/DeviceRequests", "shown as devices, if somebody has such"),
    ("HostConfig/IpcMode", "`shareable`, which is said here, is the usual one"),
    ("HostConfig/Mounts", "shown as binds and tmpfs"),
    ("HostConfig/Runtime", "it ignores it; the service has one for all"),
    ("HostConfig/UsernsMode", "shown among the annotations, which are compared"),
    ("HostConfig/VolumeDriver", "shown with the volume"),
];

/// Whether Podman shows this field where it is said.
pub(super) fn is_shown_by_podman(field: &str) -> bool {
    is_told_by_podman(field) && NOT_SHOWN_BY_PODMAN.iter().all(|(name, _)| *name != field)
}
