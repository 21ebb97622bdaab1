//! Templates: what several deployments share, merged so that the deployment wins.

use super::document::{Data, Node};

/// A deployment over its template: tables are merged key by key, everything else is the
/// deployment's where it has it. Every value keeps the place where it is written.
pub(crate) fn merge(template: &Node, deployment: &Node) -> Node {
    let (Data::Table(below), Data::Table(above)) = (&template.data, &deployment.data) else {
        return deployment.clone();
    };
    let kept = below.iter().filter(|(key, _)| !gives_way(key, deployment)).map(|(key, node)| {
        let merged = deployment.get(key).map_or_else(|| node.clone(), |own| merge(node, own));
        (key.clone(), merged)
    });
    let mut entries: Vec<(String, Node)> = kept.collect();
    let added = above.iter().filter(|(key, _)| template.get(key).is_none());
    entries.extend(added.cloned());
    Node { data: Data::Table(entries), ..deployment.clone() }
}

/// Keys that cannot stand together: one of a deployment takes the others of its template away.
const ALTERNATIVES: &[&[&str]] =
    &[&["engine", "host"], &["http", "tcp", "exec", "probe"], &["networks", "network_mode"]];
/// Keys that belong to one of the alternatives above and mean nothing beside another.
const OF_HTTP: &[&str] = &["json", "version", "headers", "status"];

fn gives_way(key: &str, deployment: &Node) -> bool {
    let has = |other: &&str| deployment.get(other).is_some();
    let others = ALTERNATIVES.iter().find(|group| group.contains(&key));
    let replaced = |group: &&&[&str]| group.iter().filter(|other| **other != key).any(has);
    if others.as_ref().is_some_and(replaced) && !has(&key) {
        return true;
    }
    OF_HTTP.contains(&key) && ["tcp", "exec", "probe"].iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::super::document::parse;
    use super::*;

    fn merged(template: &str, deployment: &str) -> String {
        let node = merge(&parse(template).unwrap(), &parse(deployment).unwrap());
        node.to_toml().to_string()
    }

    #[test]
    fn tables_are_merged_and_the_deployment_wins() {
        assert_eq!(
            merged(
                "a = 1\nrun = { ports = [1], labels = { x = 1 } }",
                "b = 2\nrun = { ports = [2], labels = { y = 2 } }"
            ),
            "{ a = 1, run = { ports = [2], labels = { x = 1, y = 2 } }, b = 2 }"
        );
    }

    #[test]
    fn an_alternative_of_the_deployment_takes_the_templates_away() {
        assert_eq!(
            merged(
                "health = { http = \"x\", version = \"/v\", timeout = 1 }",
                "health = { tcp = \"y\" }"
            ),
            "{ health = { timeout = 1, tcp = \"y\" } }"
        );
        assert_eq!(merged("host = \"a\"", "engine = \"b\""), "{ engine = \"b\" }");
    }
}
