//! Published and exposed ports, in the short and the long syntax.

use std::fmt;
use std::net::IpAddr;

use serde_json::Value;

use super::RunError;
use super::words::{only, scalar};

/// One port of the container that is reachable from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMapping {
    /// The host's address it is bound to. None: all of them.
    pub host_ip: Option<IpAddr>,
    /// The host's port.
    pub published: Published,
    /// The container's port.
    pub target: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// Which port of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The engine picks a free one.
    Any,
    /// This one.
    Port(u16),
    /// The engine picks a free one from here to there.
    Between(u16, u16),
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A port that is declared without being published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expose {
    /// The container's port.
    pub target: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// The short syntax.
impl fmt::Display for PortMapping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_ip {
            Some(IpAddr::V6(address)) => write!(formatter, "[{address}]:")?,
            Some(IpAddr::V4(address)) => write!(formatter, "{address}:")?,
            None => {}
        }
        match self.published {
            Published::Any if self.host_ip.is_some() => formatter.write_str(":")?,
            Published::Any => {}
            Published::Port(port) => write!(formatter, "{port}:")?,
            Published::Between(from, to) => write!(formatter, "{from}-{to}:")?,
        }
        write!(formatter, "{}", self.target)?;
        if self.protocol == Protocol::Tcp {
            Ok(())
        } else {
            write!(formatter, "/{}", self.protocol)
        }
    }
}

impl PortMapping {
    /// Whether both cannot be bound at once.
    pub fn collides(&self, other: &Self) -> bool {
        let (Published::Port(own), Published::Port(theirs)) = (self.published, other.published)
        else {
            return false;
        };
        own == theirs && self.protocol == other.protocol && overlap(self.host_ip, other.host_ip)
    }

    /// Whether more than this machine reaches it.
    pub fn is_exposed(&self) -> bool {
        !self.host_ip.is_some_and(|address| address.is_loopback())
    }
}

/// Whether two addresses have one in common; none stands for all.
fn overlap(left: Option<IpAddr>, right: Option<IpAddr>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => {
            let either_all = left.is_unspecified() || right.is_unspecified();
            left == right || (either_all && left.is_ipv4() == right.is_ipv4())
        }
        _ => true,
    }
}

/// All of `ports`.
pub(super) fn parse_ports(value: Option<&Value>) -> Result<Vec<PortMapping>, RunError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| RunError::at("ports", "must be a list"))?;
    let mut ports = Vec::new();
    for (index, element) in list.iter().enumerate() {
        let parsed = match element {
            Value::Object(table) => {
                only(&["ports", &index.to_string()], table, LONG)?;
                long(table)
            }
            element => scalar(element)
                .ok_or_else(|| "must be a string".to_owned())
                .and_then(|text| short(&text)),
        };
        ports.extend(parsed.map_err(|problem| {
            let guess = scalar(element).and_then(|text| suggestion(&text));
            RunError::at_index("ports", index, problem).or_rather(guess)
        })?);
    }
    Ok(ports)
}

/// All of `expose`.
pub(super) fn parse_expose(texts: &[String]) -> Result<Vec<Expose>, RunError> {
    let mut exposed = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let at = |problem: String| RunError::at_index("expose", index, problem);
        let (range, protocol) = split_protocol(text).map_err(at)?;
        let (first, last) = parse_range(range).map_err(at)?;
        exposed.extend((first..=last).map(|target| Expose { target, protocol }));
    }
    Ok(exposed)
}

const LONG: &[&str] =
    &["target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"];

fn long(table: &serde_json::Map<String, Value>) -> Result<Vec<PortMapping>, String> {
    let text = |key: &str| table.get(key).and_then(scalar);
    let target = text("target").ok_or("needs a `target`, the port in the container")?;
    let protocol = text("protocol").map_or(Ok(Protocol::Tcp), |word| parse_protocol(&word))?;
    let host_ip = text("host_ip").map_or(Ok(None), |word| parse_address(&word))?;
    if text("mode").is_some_and(|mode| mode != "host" && mode != "ingress") {
        return Err("`mode` is host or ingress".to_owned());
    }
    expand(host_ip, text("published").as_deref().unwrap_or(""), &target, protocol)
}

/// `[[ADDRESS:]PORT[-PORT]:]PORT[-PORT][/PROTOCOL]`, an IPv6 address in brackets.
fn short(text: &str) -> Result<Vec<PortMapping>, String> {
    let (rest, protocol) = split_protocol(text)?;
    let (address, published, target) = split_short(rest)?;
    expand(parse_address(address)?, published, target, protocol)
}

fn split_short(rest: &str) -> Result<(&str, &str, &str), String> {
    if let Some(bracketed) = rest.strip_prefix('[') {
        let (address, ports) =
            bracketed.split_once("]:").ok_or("a bracket is not closed by `]:`")?;
        let (published, target) = ports.split_once(':').ok_or("needs a port of the container")?;
        return Ok((address, published, target));
    }
    let Some((before, target)) = rest.rsplit_once(':') else { return Ok(("", "", rest)) };
    let (address, published) = before.rsplit_once(':').unwrap_or(("", before));
    Ok((address, published, target))
}

fn split_protocol(text: &str) -> Result<(&str, Protocol), String> {
    match text.rsplit_once('/') {
        None => Ok((text, Protocol::Tcp)),
        Some((rest, word)) => Ok((rest, parse_protocol(word)?)),
    }
}

fn parse_protocol(word: &str) -> Result<Protocol, String> {
    match word.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "sctp" => Ok(Protocol::Sctp),
        _ => Err(format!("`{word}` is not a protocol; it is tcp, udp or sctp")),
    }
}

/// An empty address is none; `localhost` is taken for 127.0.0.1, which the engine itself does not.
fn parse_address(text: &str) -> Result<Option<IpAddr>, String> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match inner {
        "" => Ok(None),
        "localhost" => Ok(Some(IpAddr::from([127, 0, 0, 1]))),
        other => other.parse().map(Some).map_err(|error| format!("`{other}`: {error}")),
    }
}

fn expand(
    host_ip: Option<IpAddr>,
    published: &str,
    target: &str,
    protocol: Protocol,
) -> Result<Vec<PortMapping>, String> {
    let (first, last) = parse_range(target)?;
    let one = |target, published| PortMapping { host_ip, published, target, protocol };
    if published.is_empty() || published == "0" {
        return Ok((first..=last).map(|target| one(target, Published::Any)).collect());
    }
    let (from, to) = parse_range(published)?;
    if first == last && from != to {
        return Ok(vec![one(first, Published::Between(from, to))]);
    }
    if last - first != to - from {
        return Err(format!("the ranges {published} and {target} are not of the same length"));
    }
    let pairs = (first..=last).zip(from..=to);
    Ok(pairs.map(|(target, port)| one(target, Published::Port(port))).collect())
}

fn parse_range(text: &str) -> Result<(u16, u16), String> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (parse_port(from)?, parse_port(to)?);
    if from > to { Err(format!("the range {text} runs backwards")) } else { Ok((from, to)) }
}

fn parse_port(text: &str) -> Result<u16, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{text}` is not a port"));
    }
    text.parse::<u16>()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("port {text} is out of range; ports go from 1 to 65535"))
}

/// What was probably meant: the ports that can be read, bound to this machine alone.
fn suggestion(text: &str) -> Option<String> {
    let rest = text.split('/').next()?;
    let mut words = rest.rsplit(':');
    let (first, last) = words.next().and_then(|target| parse_range(target).ok())?;
    let target = if first == last { first.to_string() } else { format!("{first}-{last}") };
    let published = words.next().filter(|word| parse_range(word).is_ok());
    let above = |port: u16| if port < 1024 { port + 8000 } else { port };
    let fallback = if first == last { above(first).to_string() } else { target.clone() };
    let candidate = |published: &str| format!("127.0.0.1:{published}:{target}");
    let likely = published.map(candidate).filter(|text| short(text).is_ok());
    likely.or_else(|| Some(candidate(&fallback)).filter(|text| short(text).is_ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(value: &Value) -> Vec<PortMapping> {
        parse_ports(Some(value)).unwrap()
    }

    fn mapping(host_ip: &str, published: Published, target: u16) -> PortMapping {
        let host_ip = if host_ip.is_empty() { None } else { Some(host_ip.parse().unwrap()) };
        PortMapping { host_ip, published, target, protocol: Protocol::Tcp }
    }

    #[test]
    fn the_short_syntax_says_address_host_port_and_port() {
        let all =
            json!(["80", 81, "8080:80", "127.0.0.1:3000:4096", "[::1]:9000:90", "127.0.0.1::5"]);
        assert_eq!(
            parsed(&all),
            [
                mapping("", Published::Any, 80),
                mapping("", Published::Any, 81),
                mapping("", Published::Port(8080), 80),
                mapping("127.0.0.1", Published::Port(3000), 4096),
                mapping("::1", Published::Port(9000), 90),
                mapping("127.0.0.1", Published::Any, 5),
            ]
        );
    }

    #[test]
    fn ranges_are_taken_apart_or_left_to_the_engine() {
        assert_eq!(
            parsed(&json!(["3000-3001:80-81"])),
            [mapping("", Published::Port(3000), 80), mapping("", Published::Port(3001), 81),]
        );
        assert_eq!(
            parsed(&json!(["3000-3005:80"])),
            [mapping("", Published::Between(3000, 3005), 80)]
        );
    }

    #[test]
    fn the_long_syntax_says_the_same_with_names() {
        let long =
            json!([{ "target": 80, "published": "8080", "host_ip": "::1", "protocol": "udp" }]);
        let expected =
            PortMapping { protocol: Protocol::Udp, ..mapping("::1", Published::Port(8080), 80) };
        assert_eq!(parsed(&long), [expected]);
    }

    #[test]
    fn localhost_is_this_machine_and_all_addresses_are_exposed() {
        assert!(!parsed(&json!(["localhost:80:80"]))[0].is_exposed());
        assert!(!parsed(&json!(["[::1]:80:80"]))[0].is_exposed());
        for all in ["80:80", "0.0.0.0:80:80", "[::]:80:80", "192.0.2.1:80:80"] {
            assert!(parsed(&json!([all]))[0].is_exposed(), "{all}");
        }
    }

    #[test]
    fn a_mapping_is_shown_in_the_short_syntax() {
        for text in [
            "80",
            "8080:80/udp",
            "127.0.0.1:3000:80",
            "[::1]:3000:80",
            "127.0.0.1::80",
            "3000-3005:80",
        ] {
            assert_eq!(parsed(&json!([text]))[0].to_string(), text);
        }
    }

    #[test]
    fn ports_collide_where_their_addresses_overlap() {
        let collide = |left: &str, right: &str| {
            parsed(&json!([left]))[0].collides(&parsed(&json!([right]))[0])
        };
        assert!(collide("80:80", "127.0.0.1:80:81"));
        assert!(collide("0.0.0.0:80:80", "127.0.0.1:80:81"));
        assert!(!collide("127.0.0.1:80:80", "127.0.0.2:80:80"));
        assert!(!collide("0.0.0.0:80:80", "[::1]:80:80"));
        assert!(!collide("80:80", "80:80/udp"));
        assert!(!collide("80", "80"));
    }

    #[test]
    fn a_bad_port_is_refused_with_something_better() {
        let cases = [
            ("not-an-ip:3000:80", "invalid IP address syntax", "127.0.0.1:3000:80"),
            ("127.0.0.1:70000:80", "out of range", "127.0.0.1:8080:80"),
            ("3000-3003:80-81", "same length", "127.0.0.1:80-81:80-81"),
            ("80:80/quic", "tcp, udp or sctp", "127.0.0.1:80:80"),
        ];
        for (text, problem, better) in cases {
            let error = parse_ports(Some(&json!([text]))).unwrap_err();
            assert!(error.problem.contains(problem), "{error}");
            assert_eq!(error.path, ["ports", "0"]);
            assert_eq!(error.replacement, Some(json!(better)));
        }
    }
}
