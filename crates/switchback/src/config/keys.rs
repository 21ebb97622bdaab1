//! The rows of the table: everything but the words of `run`.

use super::keys_run::RUN;
use super::table::Kind::{Compose, Container, Git, Instance};
use super::table::{ENDLESS, Kind, Row, Type};

/// The whole file.
pub(crate) const ROOT: Type = Type::Table(&[ROOT_ROWS]);

const TEXTS: Type = Type::ListOf(&Type::Text);
const SCALARS: Type = Type::MapOf(&Type::Scalar);
const COMMANDS: Type = Type::ListOf(&Type::Command);
const CONTAINER_ONLY: &[Kind] = &[Container];
const GIT_ONLY: &[Kind] = &[Git];
const PROJECTS: &[Kind] = &[Compose, Instance];

const ROOT_ROWS: &[Row] = &[
    Row::new("state", Type::Path, "Folder of the database; one file, one store")
        .example("\"/var/lib/switchback\""),
    Row::new("update_notice", Type::Boolean, "Whether people are told of a newer Switchback")
        .default("true"),
    Row::new(
        "update_notice_interval",
        Type::Duration,
        "How often, at most, the registry is asked for a newer Switchback; 0: never",
    )
    .default("\"168h\""),
    Row::new("deployment", Type::MapOf(&DEPLOYMENT), "What is updated, each under its name"),
    Row::new("template", Type::MapOf(&TEMPLATE), "What several deployments share"),
    Row::new("fleet", Type::MapOf(&FLEET), "One template on many hosts"),
    Row::new("serve", Type::Table(&[SERVE]), "The daemon's address and tokens"),
    Row::new("schedule", Type::Table(&[SCHEDULE]), "When the daemon looks and updates"),
    Row::new("notify", Type::MapOf(&Type::Table(&[NOTIFY])), "Who is told of outcomes"),
];

const DEPLOYMENT: Type = Type::Table(&[TEMPLATE_NAME, COMMON, OF_CONTAINER, OF_GIT, OF_PROJECTS]);
const TEMPLATE: Type = Type::Table(&[COMMON, OF_CONTAINER, OF_GIT, OF_PROJECTS]);
const FLEET: Type =
    Type::Table(&[TEMPLATE_NAME, OF_FLEET, COMMON, OF_CONTAINER, OF_GIT, OF_PROJECTS]);
/// A host of a fleet: its address, and what differs there from the template.
const FLEET_HOST: Type =
    Type::OneOf(&[Type::Text, Type::Table(&[COMMON, OF_CONTAINER, OF_GIT, OF_PROJECTS])]);

const TEMPLATE_NAME: &[Row] =
    &[Row::new("template", Type::Text, "The template whose keys hold unless said otherwise here")];

const COMMON: &[Row] = &[
    Row::new("kind", Type::Word(&["container", "git", "compose", "instance"]), "What it is")
        .example("\"container\""),
    Row::new(
        "updates",
        Type::Word(&["off", "manual", "auto"]),
        "Who updates it: nobody, people, or the schedule too",
    )
    .default("\"manual\""),
    Row::new("engine", Type::Text, "Engine it runs on: unix:///…, tcp://… or ssh://user@host")
        .example("\"unix:///var/run/docker.sock\""),
    Row::new("host", Type::Text, "Host it runs on, as OpenSSH knows it; left out: this machine"),
    Row::new("data", Type::Table(&[DATA]), "What happens to its data"),
    Row::new("retain", Type::Table(&[RETAIN]), "How much of the past is kept"),
    Row::new("auto_rollback", Type::Boolean, "Whether a failed gate goes back by itself")
        .default("true"),
    Row::new("health", Type::Table(&[PROBE, HEALTH]), "How a version proves itself"),
];

const OF_CONTAINER: &[Row] = &[
    Row::new("image", Type::Text, "Image reference to follow; left out: the one it runs")
        .of(CONTAINER_ONLY)
        .example("\"registry.example/acme/web:latest\""),
    Row::new("container", Type::Text, "Name of the container; left out: the deployment's")
        .of(CONTAINER_ONLY),
    Row::new("accounts", Type::Table(&[ACCOUNTS]), "Users inside the container").of(CONTAINER_ONLY),
    Row::new(
        "allow_unauthenticated_network",
        Type::Boolean,
        "Silences the warning about an exposed service without accounts",
    )
    .of(CONTAINER_ONLY)
    .default("false"),
    Row::new(
        "run",
        Type::Table(&[RUN]),
        "How the container is made, in words of the compose specification; left out: as it runs",
    )
    .of(CONTAINER_ONLY),
];

const OF_GIT: &[Row] = &[
    Row::new("repository", Type::Text, "URL of the repository")
        .of(GIT_ONLY)
        .example("\"https://git.example/app.git\""),
    Row::new("branch", Type::Text, "Branch to follow").of(GIT_ONLY).example("\"main\""),
    Row::new("path", Type::Path, "Folder that holds releases and shared files")
        .of(GIT_ONLY)
        .example("\"/srv/app\""),
    Row::new("link", Type::Path, "Link that the unit uses; left out: PATH/current")
        .of(GIT_ONLY)
        .example("\"/srv/app/current\""),
    Row::new("build", COMMANDS, "Commands that build a release").of(GIT_ONLY),
    Row::new("hooks", Type::Table(&[HOOKS]), "Commands at points of the update").of(GIT_ONLY),
    Row::new("environment", SCALARS, "Environment of build and hooks").of(GIT_ONLY).secret(),
    Row::new("unit", Type::Text, "systemd unit").of(GIT_ONLY).example("\"app.service\""),
    Row::new("unit_scope", Type::Word(&["system", "user"]), "Which systemd has the unit")
        .of(GIT_ONLY)
        .default("\"system\""),
    Row::new("shared", TEXTS, "Paths linked into each release").of(GIT_ONLY),
    Row::new("timeouts", Type::Table(&[TIMEOUTS]), "Limits of single steps").of(GIT_ONLY),
    Row::new(
        "confirm_timeout",
        Type::OneOf(&[Type::Word(&["off"]), Type::Duration]),
        "After this long without word from the controller the host goes back; off: never",
    )
    .of(GIT_ONLY)
    .example("\"60s\""),
];

const OF_PROJECTS: &[Row] = &[
    Row::new("instance", Type::Text, "Id of the instance")
        .of(&[Instance])
        .example("\"i-0123456789abcdef0\""),
    Row::new("region", Type::Text, "Region of the instance").of(&[Instance]),
    Row::new("data_mount", Type::Path, "Must be a mount point, before and after")
        .of(&[Instance])
        .example("\"/mnt/data\""),
    Row::new("data_mount_type", Type::Text, "File system expected there").of(&[Instance]),
    Row::new("files", TEXTS, "Compose files, in their order")
        .of(PROJECTS)
        .example("[\"/srv/stack/compose.yaml\"]"),
    Row::new("project_name", Type::Text, "Name of the compose project").of(PROJECTS),
    Row::new("profiles", TEXTS, "Active compose profiles").of(PROJECTS),
    Row::new("env_file", Type::OneOf(&[Type::Text, TEXTS]), "Files of variables for compose")
        .of(PROJECTS),
    Row::new("pin", Type::Word(&["override", "file"]), "Where another image reference is written")
        .of(PROJECTS)
        .default("\"override\""),
];

const OF_FLEET: &[Row] = &[
    Row::new("hosts", Type::ListOf(&FLEET_HOST), "Hosts, a string or a table each"),
    Row::new("hosts_file", Type::Path, "File with a host a line"),
    Row::new("hosts_command", Type::Command, "Command that prints the hosts"),
    Row::new(
        "waves",
        Type::ListOf(&Type::OneOf(&[Type::Integer(1, ENDLESS), Type::Text])),
        "Hosts begun by the end of each wave, a number or a percentage",
    )
    .example("[\"100%\"]"),
    Row::new("max_parallel", Type::Integer(1, 1000), "Hosts at a time").default("1"),
    Row::new("max_failures", Type::Integer(0, ENDLESS), "Failed hosts that are borne").default("0"),
    Row::new("max_failure_ratio", Type::Number, "The same as a part of the hosts finished"),
    Row::new("soak", Type::Duration, "Pause between waves").example("\"10s\""),
    Row::new("auto_promote", Type::Boolean, "Whether the next wave begins by itself")
        .default("true"),
    Row::new("failure_action", Type::Word(&["pause", "rollback", "continue"]), "After failures")
        .default("\"pause\""),
    Row::new("rollback_scope", Type::Word(&["host", "wave", "fleet"]), "What goes back")
        .default("\"wave\""),
];

const DATA: &[Row] = &[
    Row::new("policy", Type::Word(&["keep", "snapshot", "command"]), "What happens to the data")
        .default("\"keep\""),
    Row::new("exclude", Type::ListOf(&Type::Path), "Paths inside that a snapshot leaves out"),
    Row::new("backup", Type::Command, "With policy command: saves the data")
        .example("\"backup-data\""),
    Row::new("restore", Type::Command, "With policy command: brings the data back")
        .example("\"restore-data\""),
];

const RETAIN: &[Row] = &[
    Row::new("releases", Type::Integer(1, 1000), "Releases kept, the running one included")
        .default("5"),
    Row::new("snapshots", Type::Integer(0, 1000), "Snapshots kept").default("2"),
];

const ACCOUNTS: &[Row] =
    &[Row::new("users", TEXTS, "Users that are carried from version to version")];

const HOOKS: &[Row] = &[
    Row::new("before_start", COMMANDS, "After stop and snapshot; a failure goes back"),
    Row::new("after_commit", COMMANDS, "After the commit; a failure is a warning"),
];

const TIMEOUTS: &[Row] = &[
    Row::new("connect", Type::Duration, "To reach the host").default("\"30s\""),
    Row::new("fetch", Type::Duration, "To fetch from the repository").default("\"60s\""),
    Row::new("build", Type::Duration, "To build").default("\"120s\""),
    Row::new("restart", Type::Duration, "To restart the unit").default("\"30s\""),
];

const PROBE: &[Row] = &[
    Row::new("http", Type::Text, "URL that has to answer with success")
        .example("\"http://127.0.0.1:8080/health\""),
    Row::new("tcp", Type::Text, "HOST:PORT that has to accept a connection")
        .example("\"127.0.0.1:8080\""),
    Row::new("exec", Type::Command, "Command that has to exit 0"),
    Row::new("headers", SCALARS, "Headers of the request").secret(),
    Row::new(
        "status",
        Type::OneOf(&[Type::Integer(100, 599), Type::ListOf(&Type::Integer(100, 599))]),
        "Status codes that are success; left out: 200 to 299",
    )
    .example("[200]"),
    Row::new("json", Type::MapOf(&Type::Any), "JSON pointer = the value expected there"),
    Row::new("version", Type::Text, "JSON pointer to the version that it reports")
        .example("\"/version\""),
];

const HEALTH: &[Row] = &[
    Row::new("probe", Type::ListOf(&Type::Table(&[PROBE])), "Several probes"),
    Row::new("interval", Type::Duration, "Between two looks").default("\"500ms\""),
    Row::new("timeout", Type::Duration, "For one look").default("\"5s\""),
    Row::new("healthy_streak", Type::Integer(1, 1000), "Good looks in a row that make it ready")
        .default("3"),
    Row::new("min_healthy_time", Type::Duration, "How long it must then stay so")
        .default("\"10s\""),
    Row::new("healthy_deadline", Type::Duration, "How long it may take to become ready")
        .default("\"5m\""),
    Row::new("services", Type::MapOf(&Type::Table(&[PROBE])), "Probes of single services")
        .of(PROJECTS),
];

const SERVE: &[Row] = &[
    Row::new("listen", Type::Text, "Address and port").default("\"127.0.0.1:7700\""),
    Row::new("token_file", Type::Path, "File of lines NAME:TOKEN")
        .example("\"/etc/switchback/token\""),
];

const SCHEDULE: &[Row] = &[
    Row::new("check", Type::Text, "When to look for something newer, five fields")
        .example("\"17 */6 * * *\""),
    Row::new("update", Type::Text, "When to update what has updates = \"auto\", five fields")
        .example("\"30 3 * * *\""),
    Row::new("windows", TEXTS, "When updates may begin").example("[\"Mon-Fri 02:00-05:00\"]"),
    Row::new("timezone", Type::Text, "Time zone of all these").example("\"UTC\""),
    Row::new("min_age", Type::Duration, "Age of a release before it is taken").example("\"24h\""),
];

const NOTIFY: &[Row] = &[
    Row::new("url", Type::Text, "Where an outcome is posted")
        .secret()
        .example("\"https://ntfy.example/ops\""),
    Row::new("command", Type::Command, "Command that gets an outcome"),
    Row::new("smtp", Type::Text, "Mail server and recipient as a URL").secret(),
    Row::new("on", TEXTS, "Which outcomes").example("[\"rolled_back\", \"stuck\"]"),
];
