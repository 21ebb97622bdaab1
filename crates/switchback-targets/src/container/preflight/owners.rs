//! Containers that somebody else makes and unmakes: whatever we did would be undone, or undo theirs.

use serde_json::{Value, json};

use super::Check;
use crate::container::{
    members::Member,
    observe::Observed,
    settings::{ContainerSettings, key_of},
};

/// A label by which an owner is known, who that is, and the owner's own command for an update.
const OWNERS: [(&str, &str, &str); 9] = [
    (
        "com.docker.swarm.service.name",
        "Docker Swarm",
        "docker service update --image IMAGE SERVICE",
    ),
    ("io.kubernetes.pod.name", "Kubernetes", "kubectl set image deployment/NAME CONTAINER=IMAGE"),
    (
        "io.kubernetes.container.name",
        "Kubernetes",
        "kubectl set image deployment/NAME CONTAINER=IMAGE",
    ),
    ("com.hashicorp.nomad.alloc_id", "Nomad", "nomad job run JOB"),
    ("com.amazonaws.ecs.task-arn", "Amazon ECS", "aws ecs update-service --force-new-deployment"),
    ("io.hass.type", "Home Assistant", "ha supervisor update"),
    ("io.balena.service-name", "balena", "balena push FLEET"),
    ("io.balena.supervised", "balena", "balena push FLEET"),
    ("PODMAN_SYSTEMD_UNIT", "systemd (a Podman unit)", "podman auto-update"),
];

/// The label that says "hands off".
const OPT_OUT: &str = "switchback.enable";

pub(super) fn checks(at: &Observed, settings: &ContainerSettings) -> Vec<Check> {
    let mut all: Vec<Check> = at.members.iter().filter_map(|it| owned(it, settings)).collect();
    if all.is_empty() && !at.members.is_empty() {
        all.push(Check::passed("owner", "nobody else manages the container"));
    }
    all
}

fn owned(member: &Member, settings: &ContainerSettings) -> Option<Check> {
    let name = member.name();
    if member.label(OPT_OUT) == Some("false") {
        let message = format!("container {name} has the label {OPT_OUT}=false");
        return Some(Check::failed("owner", "not_permitted", message));
    }
    // Ours through and through, unless it runs from a systemd unit that would make it again.
    if let Some(project) = member.label("com.docker.compose.project") {
        let message = format!("container {name} belongs to the compose project {project}");
        let hint = format!(
            "docker compose --project-name {project} pull && docker compose --project-name {project} up -d   # or declare: switchback config set {} compose",
            key_of(&settings.deployment, ".kind")
        );
        return Some(Check::failed("owner", "not_permitted", message).hint(hint));
    }
    let by_label = OWNERS.iter().find(|(label, ..)| member.label(label).is_some());
    let (_, owner, command) = by_label.or_else(|| by_name(member))?;
    let message = format!("container {name} is managed by {owner}");
    Some(Check::failed("owner", "not_permitted", message).hint(*command))
}

/// Who makes and unmakes a container, in a sentence with what to do; none where nobody else does.
pub fn owner_of(inspect: &Value) -> Option<String> {
    let member = Member {
        inspect: inspect.clone(),
        image: Value::Null,
        written: Vec::new(),
        files: Vec::new(),
    };
    if let Some(project) = member.label("com.docker.compose.project") {
        return Some(format!(
            "it belongs to the compose project {project}: docker compose --project-name {project} pull, then up -d"
        ));
    }
    let by_label = OWNERS.iter().find(|(label, ..)| member.label(label).is_some());
    let (_, owner, command) = by_label.or_else(|| by_name(&member))?;
    Some(format!("it is managed by {owner}: {command}"))
}

/// Podman passes the unit's name in the environment of what it annotates, too.
fn by_name(member: &Member) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let annotated = &member.inspect["HostConfig"]["Annotations"]["PODMAN_SYSTEMD_UNIT"];
    (*annotated != Value::Null && *annotated != json!("")).then(|| &OWNERS[8])
}
