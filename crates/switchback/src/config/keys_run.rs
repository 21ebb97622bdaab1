//! The rows of `run`: words of the compose specification for one service.

use super::table::{ENDLESS, Row, Type};

const TEXTS: Type = Type::ListOf(&Type::Scalar);
const ONE_OR_MORE: Type = Type::OneOf(&[Type::Scalar, TEXTS]);
const PAIRS: Type = Type::OneOf(&[Type::MapOf(&Type::Scalar), TEXTS]);
const SIZE: Type = Type::OneOf(&[Type::Integer(-1, ENDLESS), Type::Text]);
const WORDS_OF_COMMAND: Type = Type::OneOf(&[Type::Text, Type::ListOf(&Type::Scalar)]);

/// Every word of `run`.
pub(crate) const RUN: &[Row] = &[
    Row::new("ports", LIST_OF_PORTS, "Published ports").example("[\"127.0.0.1:3000:80\"]"),
    Row::new("volumes", LIST_OF_VOLUMES, "Volumes and paths of the host"),
    Row::new("environment", PAIRS, "Environment variables").secret(),
    Row::new("env_file", ENV_FILES, "Files of environment variables"),
    Row::new("restart", Type::Text, "Restart policy").example("\"unless-stopped\""),
    Row::new("command", WORDS_OF_COMMAND, "Arguments in place of the image's"),
    Row::new("entrypoint", WORDS_OF_COMMAND, "Program in place of the image's"),
    Row::new("user", Type::Scalar, "User and group of the process"),
    Row::new("working_dir", Type::Text, "Working directory").example("\"/app\""),
    Row::new("hostname", Type::Text, "Host name inside"),
    Row::new("domainname", Type::Text, "Domain name inside"),
    Row::new("labels", PAIRS, "Labels of the container"),
    Row::new("networks", NETWORKS, "Networks; the first one gives the default route"),
    Row::new("network_mode", Type::Text, "host, none, bridge or container:NAME"),
    Row::new("tmpfs", ONE_OR_MORE, "Folders in memory"),
    Row::new(
        "devices",
        Type::ListOf(&Type::OneOf(&[Type::Text, Type::Table(&[DEVICE])])),
        "Devices of the host",
    ),
    Row::new("ulimits", ULIMITS, "Limits of the process"),
    Row::new("cap_add", ONE_OR_MORE, "Capabilities added"),
    Row::new("cap_drop", ONE_OR_MORE, "Capabilities taken away"),
    Row::new("privileged", Type::Boolean, "All capabilities and devices").default("false"),
    Row::new("healthcheck", Type::Table(&[HEALTHCHECK]), "HEALTHCHECK in place of the image's"),
    Row::new("logging", Type::Table(&[LOGGING]), "Log driver"),
    Row::new("extra_hosts", PAIRS, "Further lines of /etc/hosts"),
    Row::new("links", TEXTS, "Containers under another name"),
    Row::new("dns", ONE_OR_MORE, "Name servers").example("[\"1.1.1.1\"]"),
    Row::new("dns_search", ONE_OR_MORE, "Search domains"),
    Row::new("dns_opt", TEXTS, "Options of the resolver"),
    Row::new("sysctls", PAIRS, "Kernel parameters"),
    Row::new("init", Type::Boolean, "An init process as pid 1").example("true"),
    Row::new("ipc", Type::Text, "IPC namespace").example("\"private\""),
    Row::new("pid", Type::Text, "PID namespace"),
    Row::new("uts", Type::Text, "UTS namespace"),
    Row::new("shm_size", SIZE, "Size of /dev/shm").example("\"64m\""),
    Row::new("mem_limit", SIZE, "Memory").example("\"512m\""),
    Row::new("mem_reservation", SIZE, "Memory under pressure").example("\"256m\""),
    Row::new("memswap_limit", SIZE, "Memory and swap").example("-1"),
    Row::new("cpus", Type::OneOf(&[Type::Number, Type::Text]), "Processors").example("1"),
    Row::new("cpu_shares", Type::Integer(0, ENDLESS), "Relative weight").example("1024"),
    Row::new("cpuset", Type::Scalar, "Processors it may use").example("\"0\""),
    Row::new("pids_limit", Type::Integer(-1, ENDLESS), "Processes").example("-1"),
    Row::new("group_add", TEXTS, "Further groups"),
    Row::new("userns_mode", Type::Text, "User namespace"),
    Row::new("security_opt", TEXTS, "Security options"),
    Row::new("read_only", Type::Boolean, "Read-only root file system").example("false"),
    Row::new("stop_signal", Type::Scalar, "Signal that asks it to stop").example("\"SIGTERM\""),
    Row::new("stop_grace_period", Type::Duration, "Time before it is killed").example("\"10s\""),
    Row::new("oom_score_adj", Type::Integer(-1000, 1000), "Who is killed first").example("0"),
    Row::new("runtime", Type::Text, "OCI runtime"),
    Row::new("platform", Type::Text, "Platform of the image").example("\"linux/amd64\""),
    Row::new("stdin_open", Type::Boolean, "Standard input stays open").example("false"),
    Row::new("tty", Type::Boolean, "A terminal").example("false"),
    Row::new("volumes_from", TEXTS, "Containers whose volumes are mounted too"),
    Row::new("expose", TEXTS, "Ports that are only declared"),
    Row::new("annotations", PAIRS, "Annotations for the runtime"),
];

const LIST_OF_PORTS: Type =
    Type::ListOf(&Type::OneOf(&[Type::Integer(1, 65_535), Type::Text, Type::Table(&[PORT])]));
const LIST_OF_VOLUMES: Type = Type::ListOf(&Type::OneOf(&[Type::Text, Type::Table(&[VOLUME])]));
const ENV_FILES: Type =
    Type::OneOf(&[Type::Text, Type::ListOf(&Type::OneOf(&[Type::Text, Type::Table(&[ENV_FILE])]))]);
const NETWORKS: Type =
    Type::OneOf(&[Type::ListOf(&Type::Text), Type::MapOf(&Type::Table(&[NETWORK]))]);
const ULIMITS: Type =
    Type::MapOf(&Type::OneOf(&[Type::Integer(-1, ENDLESS), Type::Table(&[ULIMIT])]));

const PORT: &[Row] = &[
    Row::new("target", Type::Integer(1, 65_535), "Port of the container").example("80"),
    Row::new("published", Type::Scalar, "Port of the host").example("3000"),
    Row::new("host_ip", Type::Text, "Address of the host").example("\"127.0.0.1\""),
    Row::new("protocol", Type::Word(&["tcp", "udp", "sctp"]), "Protocol").default("\"tcp\""),
    Row::new("mode", Type::Word(&["host", "ingress"]), "Has no effect here").example("\"host\""),
    Row::new("name", Type::Text, "For people"),
    Row::new("app_protocol", Type::Text, "For people"),
];

const VOLUME: &[Row] = &[
    Row::new("type", Type::Word(&["bind", "volume", "tmpfs"]), "What is mounted")
        .example("\"volume\""),
    Row::new("source", Type::Text, "Path of the host, or name of the volume"),
    Row::new("target", Type::Text, "Path in the container").example("\"/data\""),
    Row::new("read_only", Type::Boolean, "Not writable").default("false"),
    Row::new("consistency", Type::Text, "Has no effect here"),
    Row::new("bind", Type::Table(&[BIND]), "For paths of the host"),
    Row::new("volume", Type::Table(&[NAMED]), "For volumes"),
    Row::new("tmpfs", Type::Table(&[MEMORY]), "For memory"),
];

const BIND: &[Row] = &[
    Row::new("propagation", Type::Text, "Propagation of mounts").example("\"rprivate\""),
    Row::new("create_host_path", Type::Boolean, "Make a missing folder").default("true"),
    Row::new("selinux", Type::Word(&["z", "Z"]), "Relabel").example("\"z\""),
];

const NAMED: &[Row] = &[
    Row::new("nocopy", Type::Boolean, "Not filled from the image").default("false"),
    Row::new("subpath", Type::Text, "Only this part of the volume"),
];

const MEMORY: &[Row] = &[
    Row::new("size", SIZE, "Limit").example("\"64m\""),
    Row::new("mode", Type::OneOf(&[Type::Integer(0, 0o7777), Type::Text]), "Mode of its root")
        .example("\"1777\""),
];

const ENV_FILE: &[Row] = &[
    Row::new("path", Type::Text, "Path of the file"),
    Row::new("required", Type::Boolean, "Whether it has to be there").default("true"),
    Row::new("format", Type::Text, "Has no effect here"),
];

const DEVICE: &[Row] = &[
    Row::new("source", Type::Path, "Path on the host").example("\"/dev/null\""),
    Row::new("target", Type::Path, "Path in the container").example("\"/dev/null\""),
    Row::new("permissions", Type::Text, "Any of r, w, m").default("\"rwm\""),
];

const NETWORK: &[Row] = &[
    Row::new("aliases", ONE_OR_MORE, "Further names there"),
    Row::new("ipv4_address", Type::Text, "Fixed address"),
    Row::new("ipv6_address", Type::Text, "Fixed address"),
    Row::new("mac_address", Type::Text, "Fixed hardware address"),
    Row::new("priority", Type::Integer(-1000, 1000), "The highest comes first").default("0"),
];

const ULIMIT: &[Row] = &[
    Row::new("soft", Type::Integer(-1, ENDLESS), "What it gets").example("1024"),
    Row::new("hard", Type::Integer(-1, ENDLESS), "What it may raise it to").example("1024"),
];

const HEALTHCHECK: &[Row] = &[
    Row::new("test", WORDS_OF_COMMAND, "The check").example("[\"NONE\"]"),
    Row::new("interval", Type::Duration, "Between two checks").default("\"30s\""),
    Row::new("timeout", Type::Duration, "For one check").default("\"30s\""),
    Row::new("retries", Type::Integer(0, ENDLESS), "Failures in a row").default("3"),
    Row::new("start_period", Type::Duration, "In which failures do not count").example("\"0s\""),
    Row::new("start_interval", Type::Duration, "Between two checks in it").default("\"5s\""),
    Row::new("disable", Type::Boolean, "No check at all").default("false"),
];

const LOGGING: &[Row] = &[
    Row::new("driver", Type::Text, "Name of the driver").example("\"local\""),
    Row::new("options", Type::MapOf(&Type::Scalar), "Options of the driver").secret(),
];
