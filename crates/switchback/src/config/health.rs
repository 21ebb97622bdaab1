//! How a version proves itself: probes and times.

use std::collections::BTreeMap;

use switchback_core::Millis;
use switchback_targets::container::run::parse_duration_ms;
use switchback_targets::container::settings::{HealthSettings, ProbeSettings};

use super::deployment::{below, command_line, fault};
use super::document::Node;
use super::duration::format_duration;
use super::error::Fault;
use super::fix::Fix;

const ASKS: &[&str] = &["http", "tcp", "exec"];
const OF_HTTP: &[&str] = &["headers", "status", "json", "version"];

/// The `health` of a deployment that is written at `home`.
pub(crate) fn health(home: &[String], deployment: &Node) -> Result<HealthSettings, Fault> {
    let empty = Node::empty(below(home, &["health"]));
    let node = deployment.get("health").unwrap_or(&empty);
    let streak = node.get("healthy_streak").and_then(Node::integer);
    let settings = HealthSettings {
        probes: probes(node)?,
        interval_ms: duration(node, "interval").unwrap_or(500),
        timeout_ms: duration(node, "timeout").unwrap_or(5_000),
        healthy_streak: streak.and_then(|number| u32::try_from(number).ok()).unwrap_or(3),
        min_healthy_time_ms: duration(node, "min_healthy_time").unwrap_or(10_000),
        healthy_deadline_ms: duration(node, "healthy_deadline"),
    };
    for (_, service) in node.get("services").map_or(&[][..], Node::entries) {
        probe(service)?;
    }
    times(node, &settings)?;
    Ok(settings)
}

fn duration(node: &Node, key: &str) -> Option<Millis> {
    node.get(key).and_then(Node::text).and_then(|text| parse_duration_ms(text).ok())
}

fn probes(node: &Node) -> Result<Vec<ProbeSettings>, Fault> {
    let Some(list) = node.get("probe") else { return Ok(probe(node)?.into_iter().collect()) };
    if let Some(key) = ASKS.iter().chain(OF_HTTP).find_map(|key| node.get(key)) {
        let problem = "stands beside [[health.probe]]; a probe belongs in that list".to_owned();
        return Err(fault(key, problem, Fix::unset(&key.path)));
    }
    let mut probes = Vec::new();
    for element in list.elements() {
        let problem = || "is no probe: it needs http, tcp or exec".to_owned();
        let no_probe = || fault(element, problem(), Fix::unset(&element.path));
        probes.push(probe(element)?.ok_or_else(no_probe)?);
    }
    Ok(probes)
}

/// The one probe that a table asks for, if it asks for any.
fn probe(node: &Node) -> Result<Option<ProbeSettings>, Fault> {
    let asked: Vec<&Node> = ASKS.iter().filter_map(|key| node.get(key)).collect();
    if let [_, second, ..] = asked[..] {
        let problem = "a probe is one of http, tcp and exec; several go into [[health.probe]]";
        return Err(fault(second, problem.to_owned(), Fix::unset(&second.path)));
    }
    let of_http = OF_HTTP.iter().find_map(|key| node.get(key));
    if let Some(key) = of_http.filter(|_| node.get("http").is_none()) {
        let problem = "only a probe by http has it".to_owned();
        return Err(fault(key, problem, Fix::unset(&key.path)));
    }
    if let Some(url) = node.get("http") {
        return http(node, url).map(Some);
    }
    if let Some(address) = node.get("tcp") {
        return tcp(address).map(Some);
    }
    Ok(node.get("exec").and_then(command_line).map(|command| ProbeSettings::Exec { command }))
}

fn http(node: &Node, url: &Node) -> Result<ProbeSettings, Fault> {
    let text = url.text().unwrap_or_default();
    if !is_web_address(text) {
        let problem = "is not a URL such as http://127.0.0.1:8080/health".to_owned();
        let better = format!("http://{text}");
        let fix = if text.contains("://") || !is_web_address(&better) || has_variables(url) {
            Fix::propose(&url.path)
        } else {
            Fix::set(&url.path, better)
        };
        return Err(fault(url, problem, fix));
    }
    let table = |key: &str| node.get(key).map_or(&[][..], Node::entries);
    for (pointer, value) in table("json") {
        if !is_pointer(pointer) {
            let fix = Fix::rename(&value.path, &format!("/{pointer}"));
            return Err(fault(value, pointer_problem(pointer), fix));
        }
    }
    let version = node.get("version");
    if let Some(version) = version.filter(|node| !node.text().is_some_and(is_pointer)) {
        let text = version.text().unwrap_or_default();
        let fix = Fix::set(&version.path, format!("/{text}"));
        return Err(fault(version, pointer_problem(text), fix));
    }
    let statuses = node.get("status").map_or(&[][..], Node::elements).iter();
    Ok(ProbeSettings::Http {
        url: text.to_owned(),
        headers: table("headers")
            .iter()
            .map(|(name, value)| (name.clone(), scalar(value)))
            .collect(),
        status: statuses.filter_map(|status| status.integer()?.try_into().ok()).collect(),
        json: table("json")
            .iter()
            .map(|(pointer, value)| (pointer.clone(), value.to_json()))
            .collect::<BTreeMap<_, _>>(),
        version: version.and_then(Node::text).map(str::to_owned),
    })
}

fn tcp(address: &Node) -> Result<ProbeSettings, Fault> {
    let text = address.text().unwrap_or_default();
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_some_and(|port| port > 0) {
        return Ok(ProbeSettings::Tcp { address: text.to_owned() });
    }
    let problem = format!("`{text}` is not HOST:PORT with a port from 1 to 65535");
    Err(fault(address, problem, Fix::propose(&address.path)))
}

fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let port = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let port_is_right = port.is_none_or(|(_, port)| port.parse::<u16>().is_ok());
        !host.is_empty() && !host.starts_with(':') && port_is_right && !text.contains(' ')
    })
}

/// A fix writes down what it has: not what came out of the environment.
fn has_variables(node: &Node) -> bool {
    matches!(&node.data, super::document::Data::Text { raw, value } if raw != value)
}

fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

fn pointer_problem(text: &str) -> String {
    format!("`{text}` is not a JSON pointer: it has to begin with /")
}

fn scalar(node: &Node) -> String {
    node.text().map_or_else(|| node.to_json().to_string(), str::to_owned)
}

/// Times that cannot be kept are mistakes.
fn times(node: &Node, settings: &HealthSettings) -> Result<(), Fault> {
    for (key, value_ms) in [("interval", settings.interval_ms), ("timeout", settings.timeout_ms)] {
        if let Some(node) = node.get(key).filter(|_| value_ms == 0) {
            let problem = "has to be longer than nothing".to_owned();
            return Err(fault(node, problem, Fix::propose(&node.path)));
        }
    }
    let Some(deadline_ms) = settings.healthy_deadline_ms else { return Ok(()) };
    let looks_ms = settings.interval_ms.saturating_mul(u64::from(settings.healthy_streak) - 1);
    let (least_ms, why) = if settings.min_healthy_time_ms >= deadline_ms {
        (settings.min_healthy_time_ms, "min_healthy_time")
    } else if looks_ms >= deadline_ms {
        (looks_ms, "healthy_streak times interval")
    } else {
        return Ok(());
    };
    let Some(deadline) = node.get("healthy_deadline") else { return Ok(()) };
    let problem = format!(
        "{} is not longer than {why}, {}",
        format_duration(deadline_ms),
        format_duration(least_ms)
    );
    let longer = format_duration(least_ms.saturating_mul(2).max(1_000));
    Err(fault(deadline, problem, Fix::set(&deadline.path, longer)))
}
