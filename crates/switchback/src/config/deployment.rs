//! One deployment, from the merged values of its table and its template.

use std::path::{Path, PathBuf};

use serde_json::Value;
use switchback_targets::container::run::{RunError, RunSettings, check_image, parse_env_file};
use switchback_targets::container::settings::{
    CommandLine, ContainerSettings, DataPolicy, DataSettings, Retain,
};

use super::document::{Data, Node};
use super::error::Fault;
use super::fix::Fix;
use super::health::health;
use super::locate::Surroundings;
use super::table::{Kind, Row, place};

/// One thing that is updated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Deployment {
    /// What people call it; of a host of a fleet FLEET/HOST.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Who updates it.
    pub(crate) updates: Updates,
    /// The engine it runs on, if one is named.
    pub(crate) engine: Option<String>,
    /// The host it runs on, if it is not this one.
    pub(crate) host: Option<String>,
    /// Whether the configuration names an image, so that its change is an update.
    pub(crate) image_given: bool,
    /// Whether exposing it without accounts is meant.
    pub(crate) allow_unauthenticated_network: bool,
    /// All about a container; None for the other kinds.
    pub(crate) container: Option<ContainerSettings>,
}

/// Who updates a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Updates {
    /// Nobody.
    Off,
    /// People.
    #[default]
    Manual,
    /// The schedule too.
    Auto,
}

/// What has to be there, by kind.
const REQUIRED: &[(Kind, &[&str])] = &[
    (Kind::Git, &["repository", "path", "unit"]),
    (Kind::Compose, &["files"]),
    (Kind::Instance, &["instance"]),
];

/// Builds a deployment. `node` has been held against the table; `home` is where it is written.
pub(crate) fn deployment(
    name: &str,
    home: &[String],
    node: &Node,
    folder: &Path,
    world: &dyn Surroundings,
) -> Result<Deployment, Fault> {
    let kind = kind(home, node)?;
    of_kind(node, kind)?;
    if let (Some(_), Some(host)) = (node.get("engine"), node.get("host")) {
        let problem = "`engine` and `host` both say where it runs; one is enough".to_owned();
        return Err(fault(host, problem, Fix::unset(&host.path)));
    }
    let updates = match node.get("updates").and_then(Node::text) {
        Some("off") => Updates::Off,
        Some("auto") => Updates::Auto,
        _ => Updates::Manual,
    };
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let health = health(home, node)?;
    let data = data(home, node)?;
    let container = match kind {
        Kind::Container => Some(ContainerSettings {
            deployment: name.to_owned(),
            image: image(node)?,
            container: container_name(name, home, node)?,
            accounts: accounts(node)?,
            data,
            retain: retain(node),
            auto_rollback: node.get("auto_rollback").and_then(Node::boolean).unwrap_or(true),
            run: run(node, folder, world)?.map(Box::new),
            health,
        }),
        Kind::Git | Kind::Compose | Kind::Instance => None,
    };
    Ok(Deployment {
        name: name.to_owned(),
        kind,
        updates,
        engine: text("engine"),
        host: text("host"),
        image_given: node.get("image").is_some(),
        allow_unauthenticated_network: node
            .get("allow_unauthenticated_network")
            .and_then(Node::boolean)
            .unwrap_or(false),
        container,
    })
}

/// A fault at a value.
pub(crate) fn fault(node: &Node, problem: String, fix: Fix) -> Fault {
    Fault { path: node.path.clone(), start: node.start, problem, fix }
}

/// A path below another.
pub(crate) fn below(home: &[String], keys: &[&str]) -> Vec<String> {
    home.iter().cloned().chain(keys.iter().map(|key| (*key).to_owned())).collect()
}

fn kind(home: &[String], node: &Node) -> Result<Kind, Fault> {
    let Some(kind) = node.get("kind") else {
        let path = below(home, &["kind"]);
        let problem = "is missing: container, git, compose or instance".to_owned();
        return Err(Fault { fix: Fix::propose(&path), path, start: node.start, problem });
    };
    let word = kind.text().unwrap_or_default();
    Kind::from_word(word).ok_or_else(|| {
        fault(kind, format!("`{word}` is no kind of deployment"), Fix::propose(&kind.path))
    })
}

/// Keys of another kind are mistakes, and some keys have to be there.
fn of_kind(node: &Node, kind: Kind) -> Result<(), Fault> {
    foreign(node, kind)?;
    let required = REQUIRED.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, keys)| keys);
    match required.iter().find(|key| node.get(key).is_none()) {
        None => Ok(()),
        Some(key) => {
            let path = below(&node.path, &[key]);
            let problem = format!("is missing: kind {} needs it", kind.word());
            Err(Fault { fix: Fix::propose(&path), path, start: node.start, problem })
        }
    }
}

fn foreign(node: &Node, kind: Kind) -> Result<(), Fault> {
    for (_, entry) in node.entries() {
        let row: Option<&Row> = place(&entry.path).filter(|at| at.exact).and_then(|at| at.row);
        if let Some(row) = row.filter(|row| !row.kinds.is_empty() && !row.kinds.contains(&kind)) {
            let kinds: Vec<&str> = row.kinds.iter().map(|kind| kind.word()).collect();
            let problem = format!(
                "`{}` belongs to kind {}, and this is kind {}",
                row.key,
                kinds.join(" or "),
                kind.word()
            );
            return Err(fault(entry, problem, Fix::unset(&entry.path)));
        }
        // `run` and lists have no keys that depend on the kind.
        if row.is_some_and(|row| row.key == "health") {
            foreign(entry, kind)?;
        }
    }
    Ok(())
}

fn image(node: &Node) -> Result<Option<String>, Fault> {
    let Some(image) = node.get("image") else { return Ok(None) };
    let text = image.text().unwrap_or_default();
    match check_image(text) {
        Ok(()) => Ok(Some(text.to_owned())),
        Err(problem) => {
            let lower = text.trim().to_lowercase();
            let better = lower.trim_end_matches(':');
            let fix = match check_image(better) {
                Ok(()) => Fix::set(&image.path, better),
                Err(_) => Fix::propose(&image.path),
            };
            Err(fault(image, problem, fix))
        }
    }
}

fn container_name(name: &str, home: &[String], node: &Node) -> Result<String, Fault> {
    let Some(container) = node.get("container") else {
        if is_container_name(name) {
            return Ok(name.to_owned());
        }
        let path = below(home, &["container"]);
        let problem = format!("is missing: `{name}` cannot be the name of a container");
        let fix = Fix::set(&path, tidy_name(name));
        return Err(Fault { path, start: node.start, problem, fix });
    };
    let text = container.text().unwrap_or_default();
    if is_container_name(text) {
        return Ok(text.to_owned());
    }
    let problem = format!("`{text}` is not a name of a container");
    Err(fault(container, problem, Fix::set(&container.path, tidy_name(text))))
}

/// The engine's own rule.
fn is_container_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.len() > 1 && text.as_bytes()[0].is_ascii_alphanumeric() && text.bytes().all(plain)
}

/// A name that everything takes, near to the one given.
pub(crate) fn tidy_name(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let tidy: String =
        text.chars().map(|letter| if plain(letter) { letter } else { '-' }).collect();
    let tidy = tidy.trim_matches(|letter: char| "_.-".contains(letter));
    if tidy.len() > 1 { tidy.to_owned() } else { format!("deployment-{tidy}") }
        .trim_end_matches('-')
        .to_owned()
}

fn accounts(node: &Node) -> Result<Vec<String>, Fault> {
    let Some(users) = node.find(&["accounts", "users"]) else { return Ok(Vec::new()) };
    let mut names: Vec<String> = Vec::new();
    for (index, user) in users.elements().iter().enumerate() {
        let name = user.text().unwrap_or_default();
        let problem = if name.is_empty() || name.contains([':', '\n', ' ', '/']) {
            format!("`{name}` is not a name of a user")
        } else if names.iter().any(|other| other == name) {
            format!("`{name}` is named twice")
        } else {
            names.push(name.to_owned());
            continue;
        };
        return Err(fault(users, problem, Fix::replace_element(users, index, &[])));
    }
    Ok(names)
}

fn retain(node: &Node) -> Retain {
    let number = |key, default| {
        let value = node.find(&["retain", key]).and_then(Node::integer);
        value.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    };
    Retain { releases: number("releases", 5), snapshots: number("snapshots", 2) }
}

fn data(home: &[String], node: &Node) -> Result<DataSettings, Fault> {
    let policy = match node.find(&["data", "policy"]).and_then(Node::text) {
        Some("snapshot") => DataPolicy::Snapshot,
        Some("command") => DataPolicy::Command,
        _ => DataPolicy::Keep,
    };
    let command = |key| node.find(&["data", key]);
    for key in ["backup", "restore"] {
        match (policy, command(key)) {
            (DataPolicy::Command, None) => {
                let path = below(home, &["data", key]);
                let problem = "is missing: policy `command` needs both `backup` and `restore`";
                let (fix, problem) = (Fix::propose(&path), problem.to_owned());
                return Err(Fault { path, start: node.start, problem, fix });
            }
            (DataPolicy::Keep | DataPolicy::Snapshot, Some(node)) => {
                let problem = format!("`{key}` is only run with data.policy = \"command\"");
                return Err(fault(node, problem, Fix::unset(&node.path)));
            }
            _ => {}
        }
    }
    let exclude = node.find(&["data", "exclude"]);
    if let Some(exclude) = exclude.filter(|_| policy != DataPolicy::Snapshot) {
        let problem = "only a snapshot leaves paths out: data.policy = \"snapshot\"".to_owned();
        return Err(fault(exclude, problem, Fix::unset(&exclude.path)));
    }
    let paths = exclude.map_or(&[][..], Node::elements).iter();
    Ok(DataSettings {
        policy,
        exclude: paths.filter_map(|path| path.text().map(str::to_owned)).collect(),
        backup: command("backup").and_then(command_line),
        restore: command("restore").and_then(command_line),
    })
}

/// A command that has been held against the table.
pub(crate) fn command_line(node: &Node) -> Option<CommandLine> {
    match &node.data {
        Data::Text { raw, .. } => Some(CommandLine::Shell(raw.clone())),
        Data::List(list) => Some(CommandLine::Exec(
            list.iter().filter_map(|word| word.text().map(str::to_owned)).collect(),
        )),
        _ => None,
    }
}

fn run(node: &Node, folder: &Path, world: &dyn Surroundings) -> Result<Option<RunSettings>, Fault> {
    let Some(run) = node.get("run") else { return Ok(None) };
    let mut words = run.to_json();
    let Value::Object(table) = &mut words else { return Ok(None) };
    if let Some(Value::Array(lines)) = table.get_mut("environment") {
        for line in lines {
            take_from_environment(line, world);
        }
    }
    let settings = RunSettings::parse(table, folder).map_err(|error| run_fault(run, error))?;
    let mut files = Vec::new();
    for (index, file) in settings.env_file.iter().enumerate() {
        let path = folder.join(&file.path);
        let listed = run.get("env_file").unwrap_or(run);
        let wrong =
            |problem: String| fault(listed, problem, Fix::replace_element(listed, index, &[]));
        match world.read(&path) {
            Ok(text) => files.push(parse_env_file(&text).map_err(|line| {
                wrong(format!("line {line} of {} is not NAME=VALUE", path.display()))
            })?),
            Err(error) if !file.required && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(wrong(format!("cannot read {}: {}", path.display(), plain(&error))));
            }
        }
    }
    Ok(Some(settings.with_env_files(files)))
}

/// What the system says, without the path a second time.
fn plain(error: &std::io::Error) -> String {
    error.kind().to_string()
}

/// A bare name in a list takes its value from the environment, as in compose.
fn take_from_environment(line: &mut Value, world: &dyn Surroundings) {
    let name = line.as_str().filter(|text| !text.contains('='));
    if let Some((name, value)) = name.and_then(|name| Some((name, world.variable(name)?))) {
        *line = format!("{name}={value}").into();
    }
}

/// Puts what the words of a service got wrong into terms of the file.
fn run_fault(run: &Node, error: RunError) -> Fault {
    let keys: Vec<&str> = error.path.iter().map(String::as_str).collect();
    let (index, above) = keys.split_last().map_or(("", &keys[..]), |(last, above)| (*last, above));
    let list = run.find(above).filter(|node| matches!(node.data, Data::List(_)));
    if let (Some(list), Ok(index)) = (list, index.parse::<usize>()) {
        let others: Vec<toml_edit::Value> = error.replacement.iter().filter_map(to_toml).collect();
        let element = list.elements().get(index).unwrap_or(list);
        let fix = Fix::replace_element(list, index, &others);
        return Fault { path: list.path.clone(), ..fault(element, error.problem, fix) };
    }
    // What is written as one value counts as a list of one: then its index leads nowhere.
    let mut node = run;
    for key in keys {
        node = child(node, key).unwrap_or(node);
    }
    let fix = match error.replacement.as_ref().and_then(to_toml) {
        Some(value) => Fix::set(&node.path, value),
        None => Fix::propose(&node.path),
    };
    fault(node, error.problem, fix)
}

fn child<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.get(key).or_else(|| {
        if let Data::List(list) = &node.data { list.get(key.parse::<usize>().ok()?) } else { None }
    })
}

fn to_toml(json: &Value) -> Option<toml_edit::Value> {
    match json {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => number.as_i64().map(Into::into),
        Value::Bool(truth) => Some((*truth).into()),
        Value::Array(list) => {
            Some(list.iter().filter_map(to_toml).collect::<toml_edit::Array>().into())
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// The folder that relative paths of a configuration are seen from.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}
