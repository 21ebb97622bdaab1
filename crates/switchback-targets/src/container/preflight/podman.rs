//! What Podman does not tell, and what therefore cannot be carried over there.

use crate::container::{
    goal::{Desired, Goal},
    members::Member,
    observe::Observed,
};

use super::Check;

/// Podman shows addresses, and does not say which of them somebody asked for. An address that was
/// only given must not be asked for: another container may have it by the time of the next start.
pub(super) fn addresses(at: &Observed, to: &Desired) -> Option<Check> {
    let is_cloned = matches!(to.goal, Goal::Update(_)) && to.settings.run.is_none();
    if !at.engine.is_podman || !is_cloned {
        return None;
    }
    let found: Vec<String> = at.members.iter().flat_map(shown).collect();
    if found.is_empty() {
        return Some(Check::passed("addresses", "nobody can have asked for an address"));
    }
    let message = format!(
        "Podman does not tell whether somebody asked for {}: the new container has the same networks \
         and aliases, and an address of Podman's choice. Whoever reaches it by its name is not concerned",
        found.join(", ")
    );
    Some(Check::warned("addresses", message))
}

/// Addresses on networks that a person made.
fn shown(member: &Member) -> Vec<String> {
    let networks = member.inspect["NetworkSettings"]["Networks"].as_object();
    let own = networks
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "bridge" | "host" | "none"));
    own.filter_map(|(name, endpoint)| {
        let address = endpoint["IPAddress"].as_str().filter(|it| !it.is_empty())?;
        Some(format!("{address} of {} on {name}", member.name()))
    })
    .collect()
}
