//! What of the data goes back, what stays, and what would be lost.

use serde_json::{Value, json};

use super::{Check, sharing};
use crate::{
    container::{
        goal::{Desired, Goal},
        members::{Member, data_of, listed_name},
        observe::Observed,
        settings::{DataPolicy, key_of},
    },
    keeper,
};

/// Paths of a container's own layer that nobody would miss.
const DISPOSABLE: [&str; 8] =
    ["/tmp", "/var/tmp", "/run", "/var/run", "/var/cache", "/var/log", "/dev", "/root/.cache"];

pub(super) fn checks(at: &Observed, to: &Desired) -> Vec<Check> {
    let mut all = vec![snapshot(at, to)];
    if let Some(target) = at.target() {
        all.push(written_layer(target, to));
        all.push(covered(target, to));
    }
    all.extend(at.members.iter().skip(1).filter_map(|it| written_beside(it, at)));
    all.extend(super::with_data::check(at, to));
    all
}

fn snapshot(at: &Observed, to: &Desired) -> Check {
    let data = data_of(&at.members);
    match to.settings.data.policy {
        DataPolicy::Keep => {
            return Check::skipped(
                "data",
                "data stays where it is; a way back does not take it back",
            );
        }
        DataPolicy::Command => return Check::passed("data", "your commands back up and restore"),
        DataPolicy::Snapshot if data.is_empty() => {
            return Check::skipped("data", "there is no volume or folder that could be written");
        }
        DataPolicy::Snapshot => {}
    }
    if at.engine.architecture != keeper::ARCHITECTURE {
        let message =
            format!("no snapshot can be taken on an engine for {}", at.engine.architecture);
        return Check::failed("data", "preflight_failed", message).hint(format!(
            "switchback config set {} keep",
            key_of(&to.settings.deployment, ".data.policy")
        ));
    }
    // The words of a list. Podman's `stopping` still writes.
    let is_up = |it: &&Value| {
        matches!(it["State"].as_str(), Some("running" | "paused" | "restarting" | "stopping"))
    };
    for other in at.others.iter().filter(is_up) {
        let shared = sharing::shared(&data, &to.settings.data.exclude, other);
        let is_ours = other["Labels"].get(keeper::ROLE_LABEL).is_some();
        if let Some(shared) = shared.filter(|_| !is_ours) {
            let name = listed_name(other);
            let message = format!(
                "{shared} is used by the running container {name} too: a copy of it would not be \
                 consistent, and a way back would take {name}'s data back as well"
            );
            return Check::failed("data", "data_at_risk", message)
                .hint(format!("docker stop {name}"));
        }
    }
    let sources: Vec<&str> = data.iter().map(|it| it.source.as_str()).collect();
    Check::passed("data", format!("a snapshot of {} is taken in the switch", sources.join(", ")))
}

/// Whatever was written beside the volumes does not reach the new container, with any tool.
fn written_layer(target: &Member, to: &Desired) -> Check {
    let lost = lost_paths(target, &to.settings.accounts);
    if lost.is_empty() {
        return Check::passed(
            "layer",
            format!("{} has written nothing outside of volumes", target.name()),
        );
    }
    Check::warned("layer", written_outside(target, &lost))
}

/// The same for one that goes along, where there is something.
fn written_beside(dependent: &Member, at: &Observed) -> Option<Check> {
    let lost = lost_paths(dependent, &[]);
    let message = format!(
        "{} (it goes along with {}; the old one is kept, stopped, until the update after this one)",
        written_outside(dependent, &lost),
        at.name
    );
    (!lost.is_empty()).then(|| Check::warned("layer", message))
}

fn written_outside(member: &Member, lost: &[String]) -> String {
    let shown: Vec<&str> = lost.iter().take(5).map(String::as_str).collect();
    let more = lost.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "{} has written outside of its volumes; the new container starts without: {}{more} \
         (the old one keeps it until the update after this one)",
        member.name(),
        shown.join(", ")
    )
}

/// The deepest paths that were written and that no mount, disposable folder or carried account
/// covers.
pub fn lost_paths(target: &Member, accounts: &[String]) -> Vec<String> {
    let mounts: Vec<&str> = {
        let all = target.inspect["Mounts"].as_array().into_iter().flatten();
        let tmpfs = target.inspect["HostConfig"]["Tmpfs"].as_object().into_iter().flatten();
        let named = all.filter_map(|it| it["Destination"].as_str());
        named.chain(tmpfs.map(|it| it.0.as_str())).collect()
    };
    let below = |path: &str, folder: &str| {
        path == folder || path.strip_prefix(folder).is_some_and(|it| it.starts_with('/'))
    };
    let carried = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"];
    // The engine makes the working directory itself; whatever is written in it is listed below it.
    let folder = target.inspect["Config"]["WorkingDir"].as_str().unwrap_or_default();
    let is_lost = |path: &String| {
        let is_folder_of_another =
            target.written.iter().any(|it| it.len() > path.len() && below(it, path));
        // The init that an engine brings along is mounted where no list of mounts shows it.
        let is_made = below(folder, path) || path == "/usr/sbin/docker-init";
        let is_mount_point = mounts.iter().any(|it| below(path, it) || below(it, path));
        let is_disposable = DISPOSABLE.iter().any(|it| below(path, it));
        let is_carried = !accounts.is_empty()
            && carried.iter().any(|it| path.trim_end_matches('-') == *it || path == "/etc");
        !is_folder_of_another && !is_made && !is_mount_point && !is_disposable && !is_carried
    };
    target.written.iter().filter(|it| is_lost(it)).cloned().collect()
}

/// A new image may declare a volume over a path that the old container has written.
fn covered(target: &Member, to: &Desired) -> Check {
    let Goal::Update(image) = &to.goal else {
        return Check::skipped("volumes", "the release has its own volumes");
    };
    let mounted = |path: &str| {
        let mut all = target.inspect["Mounts"].as_array().into_iter().flatten();
        all.any(|it| it["Destination"] == json!(path))
    };
    let declared: Vec<&String> = match &image.config["Volumes"] {
        Value::Object(volumes) => volumes.keys().filter(|it| !mounted(it)).collect(),
        _ => Vec::new(),
    };
    let lost = lost_paths(target, &[]);
    let covered =
        declared.iter().find(|volume| lost.iter().any(|it| it.starts_with(volume.as_str())));
    match covered {
        Some(volume) if !to.accept_loss => {
            let message = format!(
                "the new image declares {volume} as a volume, and {} has written there outside of any: \
                 the new version would start with an empty {volume}",
                target.name()
            );
            Check::failed("volumes", "data_at_risk", message).hint(format!(
                "docker cp {}:{volume} .   # save it, put it into a volume; or accept the loss: --accept-loss",
                target.name()
            ))
        }
        Some(volume) => Check::warned("volumes", format!("what was written to {volume} is lost")),
        None if declared.is_empty() => {
            Check::passed("volumes", "the new image declares no new volume")
        }
        None => {
            let names: Vec<&str> = declared.iter().map(|it| it.as_str()).collect();
            Check::warned(
                "volumes",
                format!("the new image declares new volumes: {}", names.join(", ")),
            )
        }
    }
}
