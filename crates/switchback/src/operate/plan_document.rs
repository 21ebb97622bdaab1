//! The document of `plan`: what an update would do, before anybody agrees to it.

use std::time::Duration;

use serde_json::{Map, Value, json};
use switchback_core::{Part, event::PhaseName};
use switchback_targets::container::{
    change::Change,
    goal::{Goal, IncomingImage},
    killed::Killed,
    members::{Doing, Member, data_of},
    plan::{digest_of, label_of, version_of},
    preflight::{Check, CheckResult, checks},
};

use super::{connect::Connected, prepare::Prepared};
use crate::error::CommandError;

/// What an engine takes from a stop to a start when nothing is slow, in seconds; measured at 0.5 to
/// 0.6 s, and the gate needs a look to see it.
const SWITCH_SECONDS: f64 = 1.0;

/// The document of `plan`.
pub fn document(connected: &Connected, prepared: &Prepared) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            object.insert(key.to_owned(), value);
        }
    };
    let target = prepared.observed.target();
    put("deployment", json!(connected.name));
    put("kind", json!("container"));
    put("host", json!(connected.engine.location().url));
    let has_plan = prepared.planned.is_some();
    let refused = prepared.refused.as_ref();
    let wanted = wanted(prepared).filter(|_| !has_plan && refused.is_some());
    let is_other = wanted.is_some_and(|it| target.map(version_of).as_ref() != Some(&it.version()));
    put("status", json!(if has_plan || is_other { "available" } else { "up_to_date" }));
    put("current_version", json!(target.map(version_of)));
    put("current_label", json!(target.and_then(label_of)));
    if let Some(wanted) = wanted {
        put("target_version", json!(wanted.version()));
        put("target_label", json!(wanted.label));
    }
    if let Some(planned) = &prepared.planned {
        put("target_version", json!(planned.release.version));
        put("target_label", json!(planned.release.label));
        put("release", json!(format!("r{}", planned.release.number)));
        // What would be refused cannot be asked for.
        put("fingerprint", json!(Some(&prepared.fingerprint).filter(|_| refused.is_none())));
        let steps = planned.plan.steps().map(|(part, step)| {
            json!({ "step": step.id.0, "phase": word(part.phase(), part), "title": step.change.to_string() })
        });
        put("steps", json!(steps.collect::<Vec<_>>()));
        put("changes", changes(connected, prepared));
    }
    put("uptime_seconds", json!(target.and_then(uptime_seconds)));
    let (preserved, lost) = data(prepared);
    put("preserved", json!(preserved));
    put("not_preserved", json!(lost));
    let all = failed_first(checks(&prepared.observed, &prepared.desired));
    let mut warnings = prepared.warnings.clone();
    let warned = all.iter().filter(|it| it.result == CheckResult::Warned);
    warnings.extend(warned.map(|it| it.message.clone()));
    put("checks", json!(all));
    if has_plan {
        put("downtime_estimate_seconds", json!(estimate(prepared)));
    }
    put("warnings", json!(warnings));
    put("error", refused.map_or(Value::Null, CommandError::object));
    Value::Object(object)
}

/// The image that an update would lead to.
fn wanted(prepared: &Prepared) -> Option<&IncomingImage> {
    match &prepared.desired.goal {
        Goal::Update(image) => Some(image),
        Goal::Rollback { .. } => None,
    }
}

/// What stands in the way comes first, and else each in its place.
fn failed_first(mut checks: Vec<Check>) -> Vec<Check> {
    checks.sort_by_key(|it| it.result != CheckResult::Failed);
    checks
}

fn word(phase: PhaseName, part: Part) -> Value {
    if part == Part::Seal { json!("verifying") } else { json!(phase) }
}

fn changes(connected: &Connected, prepared: &Prepared) -> Value {
    let old = prepared.observed.target();
    let mut changes = Vec::new();
    let new = match &prepared.desired.goal {
        Goal::Update(image) => image.digest.clone().or_else(|| image.id.clone()),
        Goal::Rollback { number, .. } => {
            let state = prepared.observed.state.as_ref();
            state
                .and_then(|it| it.release(*number))
                .map(|it| it.digest.clone().unwrap_or_else(|| it.image.clone()))
        }
    };
    let now = old.map(|it| digest_of(it).unwrap_or_else(|| it.image_id().to_owned()));
    if now != new {
        changes.push(json!({ "path": "image", "old": now, "new": new }));
    }
    let recorded = prepared.observed.state.as_ref().and_then(|it| it.running());
    let planned = prepared.planned.as_ref().and_then(|it| {
        // Those that go along have specifications too, and theirs is another matter.
        let name = it.plan.stage.iter().find_map(|step| match &step.change {
            Change::CreateContainer { name, final_name, .. }
                if final_name == connected.target() =>
            {
                Some(name)
            }
            _ => None,
        })?;
        it.specifications.get(name)
    });
    if let (Some(recorded), Some(planned), true) =
        (recorded, planned, prepared.desired.settings.run.is_some())
    {
        differences("run", &recorded.specification.body, &planned.body, &mut changes);
    }
    json!(changes)
}

/// Names what differs; of what may be secret only that it does.
fn differences(path: &str, old: &Value, new: &Value, found: &mut Vec<Value>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                differences(
                    &format!("{path}.{key}"),
                    &old[key.as_str()],
                    &new[key.as_str()],
                    found,
                );
            }
        }
        _ if is_secret(path) => {
            found.push(json!({ "path": path, "old": "***", "new": "*** (changed)" }));
        }
        _ => found.push(json!({ "path": path, "old": old, "new": new })),
    }
}

/// Where passwords lie: environments, labels (a proxy's users), commands, health checks, and the
/// options of volume, network and log drivers.
fn is_secret(path: &str) -> bool {
    let mut words = path.split('.').skip(1);
    words.any(|it| {
        matches!(
            it,
            "Env"
                | "Labels"
                | "Cmd"
                | "Entrypoint"
                | "Healthcheck"
                | "LogConfig"
                | "Mounts"
                | "DriverOpts"
        )
    })
}

fn uptime_seconds(target: &Member) -> Option<f64> {
    if target.doing() != Doing::Running {
        return None;
    }
    let started = target.inspect["State"]["StartedAt"].as_str()?.parse::<jiff::Timestamp>().ok()?;
    Some(jiff::Timestamp::now().duration_since(started).as_secs_f64().max(0.0))
}

/// What stays, and what the new container starts without.
fn data(prepared: &Prepared) -> (Vec<String>, Vec<String>) {
    let mut preserved: Vec<String> = data_of(&prepared.observed.members)
        .into_iter()
        .map(|it| format!("{} ({})", it.target, it.source))
        .collect();
    if !prepared.desired.settings.accounts.is_empty() {
        preserved.push(format!("accounts: {}", prepared.desired.settings.accounts.join(", ")));
    }
    let lost = prepared.observed.target().map_or_else(Vec::new, |it| {
        switchback_targets::container::preflight::lost_paths(
            it,
            &prepared.desired.settings.accounts,
        )
    });
    (preserved, lost)
}

/// The stop may take as long as the container lets it; a snapshot takes its own time, which is
/// measured in the result.
fn estimate(prepared: &Prepared) -> f64 {
    match prepared.observed.target().map(Member::doing) {
        None | Some(Doing::Stopped | Doing::OneShot) => 0.0,
        Some(Doing::Running | Doing::Paused) => {
            let killed = Killed::expected(&prepared.observed);
            let timeout = killed.map_or(Duration::ZERO, |it| Duration::from_secs(it.timeout_s));
            SWITCH_SECONDS + timeout.as_secs_f64()
        }
    }
}
