//! Everything that can be said of a container, with values that are not the usual ones.

use serde_json::{Value, json};

/// One thing that is said: what it adds to the request that creates a container.
pub(super) struct Said {
    /// The fields of inspect that it should vary, each below `Config`, `HostConfig` or `Endpoint`.
    pub(super) varies: &'static [&'static str],
    /// Of things in one group at most one can be said.
    pub(super) group: &'static str,
    /// Merged into the request. `@NAME` stands for the test's own name, `@NET` for its network.
    pub(super) body: Value,
}

fn said(varies: &'static [&'static str], body: Value) -> Said {
    Said { varies, group: varies[0], body }
}

fn one_of(group: &'static str, varies: &'static [&'static str], body: Value) -> Said {
    Said { varies, group, body }
}

fn host(varies: &'static [&'static str], settings: Value) -> Said {
    said(varies, json!({ "HostConfig": settings }))
}

/// All of it.
pub(super) fn fields() -> Vec<Said> {
    let mut all = process();
    all.extend(resources());
    all.extend(storage());
    all.extend(surroundings());
    all.extend(networks());
    all
}

fn process() -> Vec<Said> {
    let check = json!({ "Test": ["CMD", "true"], "Interval": 7_000_000_000_u64, "Retries": 4 });
    vec![
        said(&["Config/Domainname"], json!({ "Domainname": "inner.example" })),
        said(&["Config/User"], json!({ "User": "1500:1500" })),
        said(&["Config/AttachStdin"], json!({ "AttachStdin": true })),
        said(&["Config/AttachStdout"], json!({ "AttachStdout": true })),
        said(&["Config/AttachStderr"], json!({ "AttachStderr": true })),
        said(&["Config/ExposedPorts"], json!({ "ExposedPorts": { "9000/udp": {} } })),
        said(&["Config/Tty"], json!({ "Tty": true })),
        said(&["Config/OpenStdin"], json!({ "OpenStdin": true })),
        said(&["Config/StdinOnce"], json!({ "StdinOnce": true })),
        said(&["Config/Env"], json!({ "Env": ["EMPTY=", "SPACED=a b  c", "QUOTED=\"'$x"] })),
        said(&["Config/Cmd"], json!({ "Cmd": ["--odd", "", "two words"] })),
        said(&["Config/Entrypoint"], json!({ "Entrypoint": ["/ledger", "--other"] })),
        said(&["Config/Volumes"], json!({ "Volumes": { "/anonymous": {} } })),
        said(&["Config/WorkingDir"], json!({ "WorkingDir": "/else/where" })),
        said(&["Config/Labels"], json!({ "Labels": { "a.b/c": "1", "empty": "" } })),
        said(&["Config/StopSignal"], json!({ "StopSignal": "SIGQUIT" })),
        said(&["Config/StopTimeout"], json!({ "StopTimeout": 3 })),
        said(&["Config/Healthcheck"], json!({ "Healthcheck": check })),
        said(&["Config/Shell"], json!({ "Shell": ["/bin/odd", "-c"] })),
        // Podman refuses an init where the processes of the host are seen.
        one_of("processes", &["HostConfig/Init"], json!({ "HostConfig": { "Init": true } })),
        host(&["HostConfig/GroupAdd"], json!({ "GroupAdd": ["20", "1501"] })),
        host(&["HostConfig/CapAdd"], json!({ "CapAdd": ["NET_ADMIN", "SYS_TIME"] })),
        host(&["HostConfig/CapDrop"], json!({ "CapDrop": ["ALL"] })),
        host(&["HostConfig/SecurityOpt"], json!({ "SecurityOpt": ["no-new-privileges"] })),
        host(&["HostConfig/Privileged"], json!({ "Privileged": true })),
        host(&["HostConfig/ReadonlyRootfs"], json!({ "ReadonlyRootfs": true })),
        host(&["HostConfig/Runtime"], json!({ "Runtime": "io.containerd.runc.v2" })),
        host(&["HostConfig/Sysctls"], json!({ "Sysctls": { "net.core.somaxconn": "777" } })),
        host(&["HostConfig/MaskedPaths"], json!({ "MaskedPaths": ["/proc/kcore"] })),
        host(&["HostConfig/ReadonlyPaths"], json!({ "ReadonlyPaths": ["/proc/bus"] })),
        host(
            &["HostConfig/RestartPolicy"],
            json!({ "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 5 } }),
        ),
    ]
}

fn resources() -> Vec<Said> {
    const MIB: u64 = 1 << 20;
    let rate = json!([{ "Path": "/dev/null", "Rate": 1_000_000 }]);
    vec![
        host(&["HostConfig/Annotations"], json!({ "Annotations": { "example.mine": "1" } })),
        host(&["HostConfig/OomScoreAdj"], json!({ "OomScoreAdj": 77 })),
        host(&["HostConfig/ShmSize"], json!({ "ShmSize": 33 * MIB })),
        host(&["HostConfig/CpuShares"], json!({ "CpuShares": 512 })),
        host(&["HostConfig/Memory"], json!({ "Memory": 128 * MIB })),
        host(&["HostConfig/MemoryReservation"], json!({ "MemoryReservation": 32 * MIB })),
        one_of(
            "HostConfig/Memory",
            &["HostConfig/MemorySwap"],
            json!({ "HostConfig": { "Memory": 128 * MIB, "MemorySwap": 256 * MIB } }),
        ),
        host(&["HostConfig/MemorySwappiness"], json!({ "MemorySwappiness": 11 })),
        host(&["HostConfig/OomKillDisable"], json!({ "OomKillDisable": true })),
        host(&["HostConfig/PidsLimit"], json!({ "PidsLimit": 321 })),
        one_of(
            "cpu",
            &["HostConfig/NanoCpus"],
            json!({ "HostConfig": { "NanoCpus": 750_000_000 } }),
        ),
        one_of(
            "cpu",
            &["HostConfig/CpuPeriod", "HostConfig/CpuQuota"],
            json!({ "HostConfig": { "CpuPeriod": 50_000, "CpuQuota": 25_000 } }),
        ),
        host(&["HostConfig/CpusetCpus"], json!({ "CpusetCpus": "0" })),
        host(&["HostConfig/CpusetMems"], json!({ "CpusetMems": "0" })),
        host(&["HostConfig/BlkioWeight"], json!({ "BlkioWeight": 300 })),
        host(
            &["HostConfig/BlkioWeightDevice"],
            json!({ "BlkioWeightDevice": [{ "Path": "/dev/null", "Weight": 200 }] }),
        ),
        host(&["HostConfig/BlkioDeviceReadBps"], json!({ "BlkioDeviceReadBps": rate })),
        host(&["HostConfig/BlkioDeviceWriteBps"], json!({ "BlkioDeviceWriteBps": rate })),
        host(&["HostConfig/BlkioDeviceReadIOps"], json!({ "BlkioDeviceReadIOps": rate })),
        host(&["HostConfig/BlkioDeviceWriteIOps"], json!({ "BlkioDeviceWriteIOps": rate })),
        host(&["HostConfig/CgroupParent"], json!({ "CgroupParent": "/odd" })),
        host(
            &["HostConfig/Ulimits"],
            json!({ "Ulimits": [{ "Name": "nofile", "Soft": 999, "Hard": 1_999 }] }),
        ),
    ]
}

fn storage() -> Vec<Said> {
    let device = json!({ "PathOnHost": "/dev/null", "PathInContainer": "/dev/odd", "CgroupPermissions": "r" });
    vec![
        host(&["HostConfig/Binds"], json!({ "Binds": ["/srv:/outside:ro", "@NAME:/data"] })),
        host(
            &["HostConfig/Mounts"],
            json!({ "Mounts": [
                { "Type": "tmpfs", "Target": "/scratch", "TmpfsOptions": { "SizeBytes": 1_048_576 } },
                { "Type": "volume", "Source": "@NAME", "Target": "/more", "ReadOnly": true },
            ] }),
        ),
        host(&["HostConfig/Tmpfs"], json!({ "Tmpfs": { "/fast": "size=65536k,mode=1770" } })),
        host(&["HostConfig/VolumeDriver"], json!({ "VolumeDriver": "local" })),
        host(&["HostConfig/Devices"], json!({ "Devices": [device] })),
        host(&["HostConfig/DeviceCgroupRules"], json!({ "DeviceCgroupRules": ["c 1:3 mr"] })),
        host(
            &["HostConfig/DeviceRequests"],
            json!({ "DeviceRequests": [{ "Driver": "odd", "Count": 1, "Capabilities": [["gpu"]] }] }),
        ),
        host(
            &["HostConfig/LogConfig"],
            json!({ "LogConfig": { "Type": "json-file", "Config": { "max-size": "3m" } } }),
        ),
    ]
}

fn surroundings() -> Vec<Said> {
    vec![
        // One of them is the default, which one depends on the kernel.
        host(&["HostConfig/CgroupnsMode"], json!({ "CgroupnsMode": "private" })),
        host(&["HostConfig/CgroupnsMode"], json!({ "CgroupnsMode": "host" })),
        host(&["HostConfig/IpcMode"], json!({ "IpcMode": "shareable" })),
        host(&["HostConfig/UsernsMode"], json!({ "UsernsMode": "host" })),
        one_of(
            "processes",
            &["HostConfig/PidMode"],
            json!({ "HostConfig": { "PidMode": "host" } }),
        ),
        one_of("names", &["HostConfig/UTSMode"], json!({ "HostConfig": { "UTSMode": "host" } })),
        one_of("names", &["Config/Hostname"], json!({ "Hostname": "odd-name" })),
        host(&["HostConfig/Dns"], json!({ "Dns": ["192.0.2.53"] })),
        host(&["HostConfig/DnsOptions"], json!({ "DnsOptions": ["ndots:3"] })),
        host(&["HostConfig/DnsSearch"], json!({ "DnsSearch": ["odd.example"] })),
        host(&["HostConfig/ExtraHosts"], json!({ "ExtraHosts": ["elsewhere:192.0.2.7"] })),
        host(&["HostConfig/PublishAllPorts"], json!({ "PublishAllPorts": true })),
        host(
            &["HostConfig/PortBindings"],
            json!({ "PortBindings": { "8080/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "" }] } }),
        ),
    ]
}

fn networks() -> Vec<Said> {
    let on_net = |endpoint: Value| {
        json!({
            "HostConfig": { "NetworkMode": "@NET" },
            "NetworkingConfig": { "EndpointsConfig": { "@NET": endpoint } },
        })
    };
    let group = "network";
    vec![
        one_of(
            group,
            &["HostConfig/NetworkMode", "Config/NetworkDisabled"],
            json!({ "NetworkDisabled": true, "HostConfig": { "NetworkMode": "none" } }),
        ),
        one_of(group, &["Config/MacAddress"], json!({ "MacAddress": "02:42:ac:11:77:77" })),
        // Engines since 25 read it there; said for the whole container as well, it is compared there.
        one_of(
            group,
            &["Endpoint/MacAddress"],
            on_net(json!({ "MacAddress": "02:42:ac:11:88:88" })),
        ),
        one_of(group, &["HostConfig/Links"], json!({ "HostConfig": { "Links": ["@NAME:odd"] } })),
        one_of(group, &["Endpoint/Aliases"], on_net(json!({ "Aliases": ["odd", "exactly-12-c"] }))),
        one_of(
            group,
            &["Endpoint/IPAMConfig"],
            on_net(json!({ "IPAMConfig": { "IPv4Address": "@ADDRESS" } })),
        ),
        one_of(
            group,
            &["Endpoint/IPAMConfig"],
            on_net(json!({ "IPAMConfig": { "LinkLocalIPs": ["169.254.77.7"] } })),
        ),
        one_of(group, &["Endpoint/GwPriority"], on_net(json!({ "GwPriority": 7 }))),
        one_of(group, &["Endpoint/Links"], on_net(json!({ "Links": ["@NAME:odd"] }))),
        one_of(
            group,
            &["Endpoint/DriverOpts"],
            on_net(json!({ "DriverOpts": { "odd.option": "1" } })),
        ),
    ]
}
