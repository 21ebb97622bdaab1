//! Fleets: one template on many hosts. Each host is checked as the deployment it will be.

use std::collections::BTreeMap;
use std::path::Path;

use super::deployment::{below, deployment, fault};
use super::document::{Data, Node};
use super::error::Fault;
use super::fix::Fix;
use super::locate::Surroundings;
use super::table::Kind;
use super::template::merge;
use super::validate::{by_name, name, with_template};

/// A fleet as far as it can be known without looking up its hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fleet {
    /// What people call it.
    pub(crate) name: String,
    /// What its deployments are.
    pub(crate) kind: Kind,
    /// Hosts that stand in the configuration itself.
    pub(crate) hosts: Vec<String>,
}

const SOURCES: &[&str] = &["hosts", "hosts_file", "hosts_command"];

/// All fleets.
pub(crate) fn fleets(
    root: &Node,
    folder: &Path,
    world: &dyn Surroundings,
) -> Result<BTreeMap<String, Fleet>, Fault> {
    let mut fleets = BTreeMap::new();
    for (fleet_name, node) in by_name(root, "fleet") {
        name(fleet_name, node)?;
        if by_name(root, "deployment").iter().any(|(other, _)| *other == fleet_name) {
            let problem = format!("`{fleet_name}` is a deployment already");
            let fix = Fix::rename(&node.path, &format!("{fleet_name}-fleet"));
            return Err(fault(node, problem, fix));
        }
        one_source(node)?;
        budgets(node)?;
        let merged = with_template(root, node)?;
        let kind = deployment(fleet_name, &node.path, &merged, folder, world)?.kind;
        let hosts = hosts(fleet_name, &merged, folder, world)?;
        fleets.insert(fleet_name.to_owned(), Fleet { name: fleet_name.to_owned(), kind, hosts });
    }
    Ok(fleets)
}

fn one_source(node: &Node) -> Result<(), Fault> {
    let given: Vec<&Node> = SOURCES.iter().filter_map(|key| node.get(key)).collect();
    match given[..] {
        [_] => Ok(()),
        [] => {
            let path = below(&node.path, &["hosts"]);
            let problem = "is missing: a fleet has hosts, hosts_file or hosts_command".to_owned();
            let fix = Fix::set(&path, toml_edit::Array::new());
            Err(Fault { path, start: node.start, problem, fix })
        }
        [_, second, ..] => {
            let problem = "hosts come from one of hosts, hosts_file and hosts_command".to_owned();
            Err(fault(second, problem, Fix::unset(&second.path)))
        }
    }
}

fn budgets(node: &Node) -> Result<(), Fault> {
    if let Some(ratio) = node.get("max_failure_ratio") {
        if node.get("max_failures").is_some() {
            let problem = "stands beside max_failures; one budget is enough".to_owned();
            return Err(fault(ratio, problem, Fix::unset(&ratio.path)));
        }
        let part = match ratio.data {
            Data::Float(part) => (0.0..=1.0).contains(&part),
            Data::Integer(part) => part == 0 || part == 1,
            _ => false,
        };
        if !part {
            let problem = "is a part of the hosts, from 0 to 1".to_owned();
            return Err(fault(ratio, problem, Fix::set(&ratio.path, 0.1)));
        }
    }
    let waves = node.get("waves");
    for (index, wave) in waves.map_or(&[][..], Node::elements).iter().enumerate() {
        if let Some(text) = wave.text() {
            let percent = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
            if !percent.is_some_and(|percent| (1..=100).contains(&percent)) {
                let problem = format!("`{text}` is not a percentage from 1% to 100%");
                let list = waves.unwrap_or(wave);
                let fix = Fix::replace_element(list, index, &["100%".into()]);
                return Err(Fault { path: list.path.clone(), ..fault(wave, problem, fix) });
            }
        }
    }
    Ok(())
}

fn hosts(
    fleet: &str,
    merged: &Node,
    folder: &Path,
    world: &dyn Surroundings,
) -> Result<Vec<String>, Fault> {
    let list = merged.get("hosts");
    let mut names: Vec<String> = Vec::new();
    for (index, element) in list.map_or(&[][..], Node::elements).iter().enumerate() {
        let host = element.text().or_else(|| element.get("host").and_then(Node::text));
        let problem = match host {
            Some("") | None => "has no `host`".to_owned(),
            Some(host) if names.iter().any(|other| other == host) => {
                format!("host `{host}` is named twice")
            }
            Some(host) => {
                names.push(host.to_owned());
                // A host that is only named is the fleet's own table, which has been checked.
                if matches!(element.data, Data::Table(_)) {
                    let over = merge(merged, element);
                    deployment(&format!("{fleet}/{host}"), &element.path, &over, folder, world)?;
                }
                continue;
            }
        };
        let list = list.unwrap_or(element);
        let fix = Fix::replace_element(list, index, &[]);
        return Err(Fault { path: list.path.clone(), ..fault(element, problem, fix) });
    }
    Ok(names)
}
