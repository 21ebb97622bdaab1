//! The networks a container is attached to.

use serde_json::{Map, Value};

use super::RunError;
use super::words::{Words, only, scalar};

/// One network and what the container is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkAttachment {
    /// The network's name on the engine.
    pub name: String,
    /// Further names that others resolve there.
    pub aliases: Vec<String>,
    /// A fixed address.
    pub ipv4_address: Option<String>,
    /// A fixed address.
    pub ipv6_address: Option<String>,
    /// A fixed hardware address.
    pub mac_address: Option<String>,
}

impl NetworkAttachment {
    /// Whether a person made this network, so that names, aliases and addresses mean something.
    pub fn is_user_defined(&self) -> bool {
        !matches!(self.name.as_str(), "bridge" | "host" | "none" | "default")
    }
}

const KEYS: &[&str] = &["aliases", "ipv4_address", "ipv6_address", "mac_address", "priority"];

/// `networks` as a list of names or a table; the highest `priority` first, else in their order.
pub(super) fn parse_networks(words: Words<'_>) -> Result<Vec<NetworkAttachment>, RunError> {
    let Some(Value::Object(table)) = words.get("networks") else {
        let named = |name| NetworkAttachment { name, ..NetworkAttachment::default() };
        return Ok(words.texts("networks")?.into_iter().map(named).collect());
    };
    let mut networks = Vec::new();
    for (name, value) in table {
        let empty = Map::new();
        let options = match value {
            Value::Null => &empty,
            Value::Object(options) => options,
            _ => return Err(below(name, None, "must be a table".to_owned())),
        };
        only(&["networks", name], options, KEYS)?;
        let priority = options.get("priority").and_then(Value::as_i64).unwrap_or(0);
        networks.push((priority, attachment(name, options)?));
    }
    networks.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    Ok(networks.into_iter().map(|(_, network)| network).collect())
}

fn attachment(name: &str, options: &Map<String, Value>) -> Result<NetworkAttachment, RunError> {
    let text = |key: &str| options.get(key).and_then(scalar);
    let network = NetworkAttachment {
        name: name.to_owned(),
        aliases: Words(options)
            .texts("aliases")
            .map_err(|error| below(name, Some("aliases"), error.problem))?,
        ipv4_address: text("ipv4_address"),
        ipv6_address: text("ipv6_address"),
        mac_address: text("mac_address"),
    };
    check_address::<std::net::Ipv4Addr>(name, "ipv4_address", network.ipv4_address.as_deref())?;
    check_address::<std::net::Ipv6Addr>(name, "ipv6_address", network.ipv6_address.as_deref())?;
    match &network.mac_address {
        Some(mac) if !is_mac(mac) => {
            Err(below(name, Some("mac_address"), format!("`{mac}` is not a hardware address")))
        }
        _ => Ok(network),
    }
}

fn check_address<A>(network: &str, key: &str, text: Option<&str>) -> Result<(), RunError>
where
    A: std::str::FromStr<Err: std::fmt::Display>,
{
    match text.map(str::parse::<A>) {
        Some(Err(error)) => {
            Err(below(network, Some(key), format!("`{}`: {error}", text.unwrap_or_default())))
        }
        _ => Ok(()),
    }
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 6
        && parts.iter().all(|part| part.len() == 2 && u8::from_str_radix(part, 16).is_ok())
}

fn below(name: &str, key: Option<&str>, problem: String) -> RunError {
    let path = ["networks", name].into_iter().chain(key).map(str::to_owned).collect();
    RunError { path, problem, replacement: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(networks: &Value) -> Result<Vec<NetworkAttachment>, RunError> {
        let table = json!({ "networks": networks });
        parse_networks(Words(table.as_object().unwrap()))
    }

    #[test]
    fn a_list_keeps_its_order_and_a_table_its_priorities() {
        let names = |networks: Vec<NetworkAttachment>| -> Vec<String> {
            networks.into_iter().map(|network| network.name).collect()
        };
        assert_eq!(names(parsed(&json!(["b", "a"])).unwrap()), ["b", "a"]);
        let table = json!({ "b": null, "a": { "priority": 10 }, "c": {} });
        assert_eq!(names(parsed(&table).unwrap()), ["a", "b", "c"]);
    }

    #[test]
    fn addresses_are_checked() {
        let good = json!({ "a": { "aliases": ["web"], "ipv4_address": "10.1.0.2",
            "ipv6_address": "fd00::2", "mac_address": "02:42:ac:11:65:43" } });
        assert_eq!(parsed(&good).unwrap()[0].aliases, ["web"]);
        for (key, value) in
            [("ipv4_address", "fd00::2"), ("ipv6_address", "10.1.0.2"), ("mac_address", "02:42")]
        {
            let error = parsed(&json!({ "a": { key: value } })).unwrap_err();
            assert_eq!(error.path, ["networks", "a", key]);
        }
    }
}
