//! Ports are reserved only when a container starts, so a conflict would show in the switch.

use serde_json::Value;

use super::Check;
use crate::container::{goal::Desired, members::listed_name, observe::Observed, run::create_body};

/// An address of the engine's host that a container publishes.
type Address = (String, u16, String);

pub(super) fn checks(at: &Observed, to: &Desired) -> Vec<Check> {
    let wanted = match (&to.settings.run, at.target()) {
        (Some(run), _) => {
            let body = serde_json::to_value(create_body(run, "")).unwrap_or(Value::Null);
            published(&body["HostConfig"]["PortBindings"])
        }
        (None, Some(target)) => published(&target.inspect["HostConfig"]["PortBindings"]),
        (None, None) => Vec::new(),
    };
    if wanted.is_empty() {
        return vec![Check::skipped("ports", "no port of the host is published")];
    }
    for other in &at.others {
        if other["State"] != "running" {
            continue;
        }
        let taken = other["Ports"].as_array().into_iter().flatten().filter_map(listed);
        for address in taken {
            if let Some(wanted) = wanted.iter().find(|it| overlap(it, &address)) {
                let name = listed_name(other);
                let message = format!("port {} of the host is taken by container {name}", wanted.1);
                return vec![
                    Check::failed("ports", "preflight_failed", message)
                        .hint(format!("docker port {name}")),
                ];
            }
        }
    }
    vec![Check::passed("ports", "no other container has the published ports")]
}

fn published(bindings: &Value) -> Vec<Address> {
    let all = bindings.as_object().into_iter().flatten();
    all.flat_map(|(port, hosts)| {
        let protocol = port.rsplit('/').next().unwrap_or("tcp").to_owned();
        hosts.as_array().into_iter().flatten().filter_map(move |it| {
            let number = it["HostPort"].as_str()?.parse().ok().filter(|it| *it != 0)?;
            Some((it["HostIp"].as_str().unwrap_or_default().to_owned(), number, protocol.clone()))
        })
    })
    .collect()
}

fn listed(port: &Value) -> Option<Address> {
    let number = u16::try_from(port["PublicPort"].as_u64()?).ok()?;
    let word = |key: &str| port[key].as_str().unwrap_or_default().to_owned();
    Some((word("IP"), number, word("Type")))
}

fn overlap(one: &Address, other: &Address) -> bool {
    let is_any = |ip: &str| matches!(ip, "" | "0.0.0.0" | "::");
    one.1 == other.1 && one.2 == other.2 && (one.0 == other.0 || is_any(&one.0) || is_any(&other.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_overlap_by_port_protocol_and_interface() {
        let at = |ip: &str, port: u16| (ip.to_owned(), port, "tcp".to_owned());
        assert!(overlap(&at("", 80), &at("127.0.0.1", 80)));
        assert!(!overlap(&at("127.0.0.2", 80), &at("127.0.0.1", 80)));
        assert!(!overlap(&at("", 80), &at("", 81)));
    }

    #[test]
    fn a_port_that_the_engine_chooses_conflicts_with_nothing() {
        let bindings = json!({"80/tcp": [{"HostIp": "", "HostPort": ""}], "81/tcp": [{"HostIp": "::", "HostPort": "8081"}]});
        assert_eq!(published(&bindings), [("::".to_owned(), 8081, "tcp".to_owned())]);
    }
}
