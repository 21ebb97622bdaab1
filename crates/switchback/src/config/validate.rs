//! What the deployments of a configuration must not be together, and what is probably not meant.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, hash_map::Entry};
use std::net::{IpAddr, SocketAddr, TcpListener};

use serde_json::json;
use switchback_targets::container::run::{PortMapping, Published, RunSettings};

use super::deployment::{Deployment, fault, tidy_name};
use super::document::Node;
use super::error::Fault;
use super::fix::Fix;
use super::template::merge;

/// The entries of a table at the root, by name: the order of every check and report.
pub(crate) fn by_name<'a>(root: &'a Node, key: &str) -> Vec<(&'a str, &'a Node)> {
    let mut entries: Vec<(&str, &Node)> = root
        .get(key)
        .map_or(&[][..], Node::entries)
        .iter()
        .map(|(name, node)| (name.as_str(), node))
        .collect();
    entries.sort_by_key(|(name, _)| *name);
    entries
}

/// A name has to be one word that commands and paths can carry.
pub(crate) fn name(name: &str, node: &Node) -> Result<(), Fault> {
    let plain = |letter: char| letter.is_alphanumeric() || "_.-".contains(letter);
    let starts_well = name.chars().next().is_some_and(char::is_alphanumeric);
    if starts_well && name.chars().all(plain) && name.len() <= MOST_LETTERS {
        return Ok(());
    }
    let problem = format!("`{name}` cannot be a name: letters, digits, `.`, `-` and `_` can");
    let short: String = tidy_name(name).chars().take(MOST_LETTERS).collect();
    Err(Fault {
        start: node.key_span.clone().map(|span| span.start),
        ..fault(node, problem, Fix::rename(&node.path, &short))
    })
}

/// Names of temporary containers are made from it, and file systems take 255 bytes.
const MOST_LETTERS: usize = 100;

/// The table over the template that it names.
pub(crate) fn with_template<'a>(root: &Node, node: &'a Node) -> Result<Cow<'a, Node>, Fault> {
    let Some(named) = node.get("template") else { return Ok(Cow::Borrowed(node)) };
    let wanted = named.text().unwrap_or_default();
    let templates = by_name(root, "template");
    if let Some((_, template)) = templates.iter().find(|(name, _)| *name == wanted) {
        return Ok(Cow::Owned(merge(template, node)));
    }
    let fix = match super::check::nearest(wanted, templates.iter().map(|(name, _)| *name)) {
        Some(near) => Fix::set(&named.path, near),
        None => Fix::unset(&named.path),
    };
    Err(fault(named, format!("there is no template `{wanted}`"), fix))
}

/// One published port, and the element of the list that says it.
struct Said<'a> {
    deployment: &'a Deployment,
    list: &'a Node,
    index: usize,
    mapping: PortMapping,
}

/// Mistakes between deployments; then the warnings about each.
pub(crate) fn together(built: &[(Deployment, Cow<'_, Node>)]) -> Result<Vec<Fault>, Fault> {
    same_container(built)?;
    let said: Vec<Said<'_>> = built.iter().flat_map(|(made, node)| published(made, node)).collect();
    for (at, later) in said.iter().enumerate() {
        let earlier = said[..at].iter().find(|earlier| {
            same_engine(earlier.deployment, later.deployment)
                && earlier.mapping.collides(&later.mapping)
        });
        if let Some(earlier) = earlier {
            let problem = format!(
                "port {} is already published by {} as {}",
                later.mapping, earlier.deployment.name, earlier.mapping
            );
            let fix = rewritten(later.list, &said, later.index, |mapping| {
                if *mapping == later.mapping { moved(mapping, &said) } else { mapping.clone() }
            });
            return Err(fault(later.list, problem, fix));
        }
    }
    Ok(built.iter().flat_map(|(made, _)| warnings(made, &said)).collect())
}

fn same_engine(left: &Deployment, right: &Deployment) -> bool {
    left.engine == right.engine && left.host == right.host
}

fn same_container(built: &[(Deployment, Cow<'_, Node>)]) -> Result<(), Fault> {
    let container = |made: &Deployment| made.container.as_ref().map(|own| own.container.clone());
    // Looked up and not compared with each other: a file may have thousands of deployments.
    let mut first: HashMap<(&Option<String>, &Option<String>, &str), &Deployment> = HashMap::new();
    for (later, node) in built {
        let Some(own) = &later.container else { continue };
        let name = &own.container;
        let earlier = match first.entry((&later.engine, &later.host, name)) {
            Entry::Vacant(free) => {
                let _first = free.insert(later);
                continue;
            }
            Entry::Occupied(taken) => *taken.get(),
        };
        let path = super::deployment::below(&node.path, &["container"]);
        let problem = format!("container `{name}` is already that of {}", earlier.name);
        let taken: BTreeSet<String> =
            built.iter().filter_map(|(made, _)| container(made)).collect();
        // Of one more name than there are containers one is free.
        let free = (2..taken.len() + 3)
            .map(|number| format!("{name}-{number}"))
            .find(|name| !taken.contains(name));
        let fix = Fix::set(&path, free.unwrap_or_else(|| name.clone()));
        let start = node.get("container").unwrap_or(node).start;
        return Err(Fault { path, start, problem, fix });
    }
    Ok(())
}

fn published<'a>(deployment: &'a Deployment, node: &'a Node) -> Vec<Said<'a>> {
    let Some(list) = node.find(&["run", "ports"]) else { return Vec::new() };
    let elements = list.elements().iter().enumerate();
    elements
        .flat_map(|(index, element)| {
            let said = move |mapping| Said { deployment, list, index, mapping };
            mappings(element).into_iter().map(said)
        })
        .collect()
}

fn mappings(element: &Node) -> Vec<PortMapping> {
    let words = json!({ "ports": [element.to_json()] });
    let parsed =
        words.as_object().map(|words| RunSettings::parse(words, std::path::Path::new("/")));
    parsed.and_then(Result::ok).map(|run| run.ports).unwrap_or_default()
}

/// Sets the list to itself with the mappings of one element changed.
fn rewritten(
    list: &Node,
    said: &[Said<'_>],
    index: usize,
    change: impl Fn(&PortMapping) -> PortMapping,
) -> Fix {
    let own = said.iter().filter(|said| std::ptr::eq(said.list, list) && said.index == index);
    let changed: Vec<toml_edit::Value> =
        own.map(|said| change(&said.mapping).to_string().into()).collect();
    Fix::replace_element(list, index, &changed)
}

/// The same mapping at a port of the host that no deployment names and everybody may bind.
fn moved(mapping: &PortMapping, said: &[Said<'_>]) -> PortMapping {
    let Published::Port(port) = mapping.published else { return mapping.clone() };
    let taken: BTreeSet<u16> = said
        .iter()
        .filter_map(|said| match said.mapping.published {
            Published::Port(port) => Some(port),
            Published::Any | Published::Between(..) => None,
        })
        .collect();
    let from = if port < FIRST_UNPRIVILEGED { port + 8000 } else { port };
    let free = (from..=u16::MAX).chain(FIRST_UNPRIVILEGED..from).find(|port| !taken.contains(port));
    PortMapping { published: free.map_or(Published::Any, Published::Port), ..mapping.clone() }
}

/// Below it only root, or who has the capability, may listen.
const FIRST_UNPRIVILEGED: u16 = 1024;

fn warnings(made: &Deployment, said: &[Said<'_>]) -> Vec<Fault> {
    let own: Vec<&Said<'_>> =
        said.iter().filter(|said| said.deployment.name == made.name).collect();
    let mut warnings = Vec::new();
    for said_here in &own {
        if matches!(said_here.mapping.published, Published::Port(port) if port < FIRST_UNPRIVILEGED)
        {
            let problem = format!(
                "Port must be >= 1024 (non-privileged) unless the engine may bind lower ones: {}",
                said_here.mapping
            );
            let fix = rewritten(said_here.list, said, said_here.index, |mapping| {
                if *mapping == said_here.mapping { moved(mapping, said) } else { mapping.clone() }
            });
            warnings.push(fault(said_here.list, problem, fix));
        }
    }
    let accounts = made.container.as_ref().is_some_and(|own| !own.accounts.is_empty());
    let exposed = own.iter().find(|said| said.mapping.is_exposed());
    if let Some(exposed) = exposed.filter(|_| !accounts && !made.allow_unauthenticated_network) {
        let problem = format!("Network exposed without authentication: {}", exposed.mapping);
        warnings.push(fault(exposed.list, problem, behind_loopback(exposed.list)));
    }
    warnings
}

/// The whole list, with everything that is exposed bound to this machine alone.
fn behind_loopback(list: &Node) -> Fix {
    let mut values = toml_edit::Array::new();
    for element in list.elements() {
        let all = mappings(element);
        if all.iter().any(PortMapping::is_exposed) {
            values.extend(all.into_iter().map(|mapping| {
                let host_ip = Some(IpAddr::from([127, 0, 0, 1]));
                let mapping =
                    if mapping.is_exposed() { PortMapping { host_ip, ..mapping } } else { mapping };
                toml_edit::Value::from(mapping.to_string())
            }));
        } else {
            values.push(element.to_toml());
        }
    }
    Fix::set(&list.path, values)
}

/// Whether somebody listens at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortUse {
    /// Nobody does.
    Free,
    /// Somebody does.
    InUse,
    /// It could not be found out; most often the port is privileged and we are not.
    Unknown,
}

/// Looks whether a TCP port of this machine is taken. Not to be asked about a port that the
/// deployment's own container has.
pub(crate) fn port_in_use(address: SocketAddr) -> PortUse {
    match TcpListener::bind(address) {
        Ok(_closed_at_once) => PortUse::Free,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => PortUse::InUse,
        Err(_) => PortUse::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_listens_at_is_in_use() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(port_in_use(address), PortUse::InUse);
        drop(listener);
        assert_eq!(port_in_use(address), PortUse::Free);
    }

    #[test]
    fn an_address_of_another_machine_is_unknown() {
        assert_eq!(port_in_use("192.0.2.1:80".parse().unwrap()), PortUse::Unknown);
    }
}
