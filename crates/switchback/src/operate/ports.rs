//! Ports of this host that another program has: a conflict would show only when the container
//! starts, in the switch.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;
use switchback_targets::container::{
    members::Member,
    run::{PortMapping, Protocol, Published},
};

use super::{Answer, connect::Connected};
use crate::{
    config::{PortUse, port_in_use},
    error::CommandError,
};

/// Refuses a declared port that another program of this host listens at. Ports that the container
/// itself has are its own; an engine elsewhere cannot be asked.
pub(crate) fn refuse_taken(connected: &Connected, target: Option<&Member>) -> Answer<()> {
    let is_here = connected.engine.location().url.starts_with("unix://");
    let Some(run) = connected.settings.run.as_ref().filter(|_| is_here) else { return Ok(()) };
    let own = target.map(own_ports).unwrap_or_default();
    for (port, address) in run.ports.iter().filter_map(fixed) {
        if !own.contains(&port) && port_in_use(address) == PortUse::InUse {
            let message = format!("port {port} of this host is in use by another program");
            return Err(CommandError::new("preflight_failed", message)
                .hint(format!("ss --listening --tcp --processes 'sport = :{port}'")));
        }
    }
    Ok(())
}

fn fixed(mapping: &PortMapping) -> Option<(u16, SocketAddr)> {
    let Published::Port(port) = mapping.published else { return None };
    let ip = mapping.host_ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    (mapping.protocol == Protocol::Tcp).then(|| (port, SocketAddr::new(ip, port)))
}

fn own_ports(target: &Member) -> Vec<u16> {
    let bindings = target.inspect["HostConfig"]["PortBindings"].as_object().into_iter().flatten();
    let hosts = bindings.flat_map(|(_, hosts)| hosts.as_array().into_iter().flatten());
    hosts.filter_map(|it: &Value| it["HostPort"].as_str()?.parse().ok()).collect()
}
