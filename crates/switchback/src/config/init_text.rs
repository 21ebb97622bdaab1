//! The commented file that `init` writes, and what it adds to one that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use toml_edit::{Key, Value};

use super::deployment::{Updates, tidy_name};
use super::document::{self, Node};
use super::edit::EditError;
use super::watchtower::update_labels;

/// Every key once: what a new file shows, commented out.
pub(crate) const EXAMPLE: &str = include_str!("switchback.toml");

/// A container that runs here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FoundContainer {
    /// Its name on the engine.
    pub(crate) name: String,
    /// The reference it was made from.
    pub(crate) image: String,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Its published ports, as `docker ps` shows them or in the short syntax: for people.
    pub(crate) ports: Vec<String>,
    /// Where ports that are published on every address of the engine's host are reached.
    pub(crate) engine_host: String,
    /// Whether a HEALTHCHECK says how it is.
    pub(crate) has_health_check: bool,
    /// Why it cannot be a deployment of kind container, with the way that is right.
    pub(crate) left_out: Option<String>,
}

/// A whole new file. `state` is where the database will be, so that the file means one store
/// whoever reads it.
pub(crate) fn init_text(state: Option<&Path>, found: &[FoundContainer]) -> String {
    let mut text = String::from(
        "# What Switchback updates here. `switchback config validate` checks this file,\n\
         # `switchback config set KEY VALUE` changes it, `switchback plan NAME` shows an update.\n\n",
    );
    if let Some(state) = state {
        let _infallible = writeln!(text, "state = {}\n", quoted(&state.to_string_lossy()));
    }
    if found.is_empty() {
        text.push_str("# No container was found.\n\n");
    }
    let mut names = BTreeSet::new();
    for container in found {
        text.push_str(&block(container, &mut names));
    }
    text.push_str("# Everything that can be said, each kind once:\n#\n");
    for line in EXAMPLE.lines().skip(1) {
        let _infallible = writeln!(text, "{}", format!("# {line}").trim_end());
    }
    text
}

/// The file with what is new in it at its end. What stands there is not touched; nothing new
/// gives the same text.
pub(crate) fn merge_found(existing: &str, found: &[FoundContainer]) -> Result<String, EditError> {
    let root = document::parse(existing).map_err(EditError::NotToml)?;
    let empty = Node::empty(Vec::new());
    let deployments = root.get("deployment").unwrap_or(&empty).entries();
    let mut names: BTreeSet<String> = deployments
        .iter()
        .chain(root.get("fleet").unwrap_or(&empty).entries())
        .map(|(name, _)| name.clone())
        .collect();
    let containers: BTreeSet<&str> = deployments
        .iter()
        .map(|(name, node)| node.get("container").and_then(Node::text).unwrap_or(name))
        .collect();
    let mut text = existing.to_owned();
    for container in found {
        // What is left out stands in a comment: it is not said again.
        let known = containers.contains(container.name.as_str())
            || (container.left_out.is_some() && existing.contains(&left_out_line(container)));
        if !known {
            if !text.is_empty() && !text.ends_with("\n\n") {
                text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
            }
            text.push_str(&block(container, &mut names));
        }
    }
    Ok(text)
}

fn block(container: &FoundContainer, names: &mut BTreeSet<String>) -> String {
    if container.left_out.is_some() {
        return format!("{}\n\n", left_out_line(container));
    }
    let mut name = tidy_name(&container.name);
    while !names.insert(name.clone()) {
        name.push_str("-2");
    }
    let labels = update_labels(&container.labels);
    let mut text = String::new();
    let remarks = labels.remarks.iter().map(|remark| one_line(remark));
    for remark in remarks {
        let _infallible = writeln!(text, "# {remark}");
    }
    let _infallible = writeln!(text, "[deployment.{}]", Key::new(name.as_str()));
    text.push_str("kind = \"container\"\n");
    let _infallible = writeln!(text, "image = {}", quoted(&container.image));
    if name != container.name {
        let _infallible = writeln!(text, "container = {}", quoted(&container.name));
    }
    let updates = match labels.updates.unwrap_or_default() {
        Updates::Off => "off",
        Updates::Manual => "manual",
        Updates::Auto => "auto",
    };
    let _infallible =
        writeln!(text, "updates = \"{updates}\"{:1$}# off | manual | auto", "", 10 - updates.len());
    if container.has_health_check {
        text.push_str("# its HEALTHCHECK proves a new version; health.http asks more\n");
    } else if let Some(port) = container.ports.first() {
        let _infallible = writeln!(
            text,
            "# published: {}; a probe that asks more than a connection:\n\
             # health.http = \"http://{}:{}/health\"",
            one_line(port),
            container.engine_host,
            one_line(published(port))
        );
    } else {
        text.push_str("# nothing proves a new version yet: health.exec = [\"…\"] would\n");
    }
    text.push('\n');
    text
}

/// The port of the engine's host in `127.0.0.1:8080:80`.
fn published(port: &str) -> &str {
    port.rsplit(':').nth(1).unwrap_or("PORT")
}

fn left_out_line(container: &FoundContainer) -> String {
    let why = container.left_out.as_deref().unwrap_or_default();
    format!("# {} is left out: {}", one_line(&container.name), one_line(why))
}

/// A comment ends at the end of its line, whatever a label says.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn quoted(text: &str) -> String {
    Value::from(super::variables::escaped(text)).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{Config, locate};
    use super::*;

    fn config(text: &str) -> Config {
        let location = locate::Location { path: "/etc/x.toml".into(), flag: None };
        Config::parse(text, &location, &locate::tests::SmallWorld::default()).unwrap()
    }

    fn web() -> FoundContainer {
        FoundContainer {
            name: "web".to_owned(),
            image: "registry.example/acme/web:latest".to_owned(),
            ports: vec!["127.0.0.1:8080:80".to_owned()],
            engine_host: "127.0.0.1".to_owned(),
            ..FoundContainer::default()
        }
    }

    #[test]
    fn what_was_found_is_a_right_configuration() {
        let labels =
            [("com.centurylinklabs.watchtower.enable", "false"), ("x", "a\n[deployment.evil]")];
        let other = FoundContainer {
            name: "odd.name_-".to_owned(),
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            left_out: None,
            ..web()
        };
        let stack = FoundContainer {
            name: "db".to_owned(),
            left_out: Some("compose made it; declare kind compose".to_owned()),
            ..web()
        };
        let text = init_text(Some(Path::new("/var/lib/switchback")), &[web(), other, stack]);
        let config = config(&text);
        let names: Vec<&str> = config.deployments.keys().map(String::as_str).collect();
        assert_eq!(names, ["odd.name", "web"]);
        assert_eq!(config.deployments["odd.name"].updates, Updates::Off);
        assert_eq!(
            config.deployments["odd.name"].container.as_ref().unwrap().container,
            "odd.name_-"
        );
        assert_eq!(config.state.as_deref(), Some(Path::new("/var/lib/switchback")));
        assert!(text.contains("# db is left out: compose made it; declare kind compose"), "{text}");
    }

    #[test]
    fn the_text_of_one_container_reads_like_this() {
        let text = init_text(Some(Path::new("/var/lib/switchback")), &[web()]);
        let head: Vec<&str> = text.lines().take(11).collect();
        assert_eq!(
            head.join("\n"),
            "# What Switchback updates here. `switchback config validate` checks this file,\n\
             # `switchback config set KEY VALUE` changes it, `switchback plan NAME` shows an update.\n\
             \n\
             state = \"/var/lib/switchback\"\n\
             \n\
             [deployment.web]\n\
             kind = \"container\"\n\
             image = \"registry.example/acme/web:latest\"\n\
             updates = \"manual\"    # off | manual | auto\n\
             # published: 127.0.0.1:8080:80; a probe that asks more than a connection:\n\
             # health.http = \"http://127.0.0.1:8080/health\""
        );
    }

    #[test]
    fn a_second_time_only_adds() {
        let first = init_text(None, &[web()]);
        assert_eq!(merge_found(&first, &[web()]).unwrap(), first);
        let mine = "[deployment.mine]\nkind = \"container\"\ncontainer = \"web\" # mine";
        assert_eq!(merge_found(mine, &[web()]).unwrap(), mine);
        let api = FoundContainer { name: "api".to_owned(), ..web() };
        let added = merge_found(mine, &[web(), api]).unwrap();
        assert!(added.starts_with(mine), "{added}");
        assert_eq!(config(&added).deployments.len(), 2);
    }

    #[test]
    fn the_whole_example_is_shown_and_commented_out() {
        let text = init_text(None, &[]);
        assert!(config(&text).deployments.is_empty());
        assert!(text.contains("# [deployment.opencode]"));
    }
}
