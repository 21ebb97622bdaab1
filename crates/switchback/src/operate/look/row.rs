//! A row of `status`: from a look, and as last seen.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use switchback_core::event::PhaseName;
use switchback_targets::{
    container::{
        members::Member,
        plan::{label_of, version_of},
    },
    engine_api::EngineError,
    keeper::lease::{self, Held},
};

use super::{EngineView, Looked, Looker, Situation, healthy, memory_mb, situation, uptime_seconds};
use crate::{
    config::Deployment,
    display::{phase_word, result::Row},
    operate::{
        Answer,
        connect::{Connected, Kept},
        decisions, journal, service_url,
    },
    store::{Observation, Operation},
};

/// The row of a deployment that was just looked at.
pub(crate) async fn row(
    looker: &Looker<'_>,
    view: &EngineView,
    connected: &Connected,
    kept: &Kept,
    seen_now: &Looked,
) -> Answer<Value> {
    let name = &connected.name;
    let held = match view.has_lease(connected.target()) {
        true => match lease::look(&connected.engine, connected.target()).await {
            // It is said where it matters: by what would need the name.
            Err(EngineError::NameTaken { .. }) => None,
            held => held?,
        },
        false => None,
    };
    let last = looker.store.history(Some(name), 1, None)?.into_iter().next();
    let phase = phase(looker, kept, held.as_ref(), last.as_ref())?;
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            row.insert(key.to_owned(), value);
        }
    };
    put("deployment", json!(name));
    put("kind", json!("container"));
    put("host", json!(connected.engine.location().url));
    put("phase", json!(phase_word(phase)));
    put("container_state", json!(container_state(seen_now)));
    put("healthy", json!(healthy(seen_now)));
    put("health_detail", json!(seen_now.seen.as_ref().map(switchback_core::Seen::summary)));
    put("memory_usage_mb", json!(seen_now.memory_bytes.map(memory_mb)));
    put("observed_at", json!(time(seen_now.at)));
    put("locked_by", held.as_ref().map_or(Value::Null, |it| locked_by(&it.holder)));
    if let Some(member) = &seen_now.member {
        put("current_version", json!(version_of(member)));
        put("current_label", json!(label_of(member)));
        put("uptime_seconds", json!(uptime_seconds(member, seen_now.at)));
        put(
            "url",
            json!(service_url::service_url(
                &connected.settings,
                &connected.engine.location().url,
                &member.inspect
            )),
        );
    }
    let version = seen_now.seen.as_ref().and_then(|it| it.version.clone());
    put("reported_version", json!(version));
    let mut row = Value::Object(row);
    add_releases(looker, view, name, kept, seen_now, &mut row)?;
    add_history(&mut row, last.as_ref());
    add_wishes(looker, name, &mut row)?;
    Ok(row)
}

fn phase(
    looker: &Looker<'_>,
    kept: &Kept,
    held: Option<&Held>,
    last: Option<&Operation>,
) -> Answer<PhaseName> {
    let open = last.filter(|it| it.finished.is_none());
    let ours = match open {
        Some(open) => journal::load(looker.store, &open.begun.id)?,
        None => Vec::new(),
    };
    let records = if ours.is_empty() { &kept.journal } else { &ours };
    let us = (looker.store.id(), looker.host.as_str());
    let our_pid = open.map(|it| it.begun.pid);
    Ok(situation(&Situation { records, held, our_pid, us }))
}

/// What the engine says that it does.
fn container_state(seen_now: &Looked) -> &str {
    let state = seen_now.member.as_ref().map(|it| it.inspect["State"]["Status"].as_str());
    match state {
        None => "missing",
        Some(word) => word.unwrap_or("unknown"),
    }
}

/// Which release runs, whether it is the one that was recorded, and the way back.
fn add_releases(
    looker: &Looker<'_>,
    view: &EngineView,
    name: &str,
    kept: &Kept,
    seen_now: &Looked,
    row: &mut Value,
) -> Answer<()> {
    let Some(state) = &kept.state else {
        row["drift"] = json!(false);
        return Ok(());
    };
    let running = state.running();
    let is_recorded = |member: &Member| {
        running.is_some_and(|it| it.container == member.id() && it.image == member.image_id())
    };
    let drifted = running.is_some() && !seen_now.member.as_ref().is_some_and(is_recorded);
    row["drift"] = json!(drifted);
    if state.current > 0 {
        row["release"] = json!(format!("r{}", state.current));
    }
    if state.owner.store != looker.store.id() {
        row["owned_by"] = json!(format!("{}@{}", state.owner.user, state.owner.host));
    }
    let decided = decisions::known(looker.store, name, Some(state))?;
    if let Some(previous) = super::way_back(state, &decided) {
        row["previous_release"] = json!(format!("r{}", previous.release.number));
        row["previous_version"] = json!(previous.release.version);
        if let Some(label) = &previous.release.label {
            row["previous_label"] = json!(label);
        }
        row["way_back"] = json!(super::rung_word(super::rung(view, state, previous)));
    }
    Ok(())
}

/// How the last operation ended.
fn add_history(row: &mut Value, last: Option<&Operation>) {
    let finished = last.and_then(|it| it.finished.as_ref());
    if let Some(finished) = finished {
        row["last_outcome"] = json!(finished.outcome);
        row["last_update_at"] = json!(time(finished.finished_at));
    }
    row["update_status"] = json!(update_status(
        row["phase"].as_str().unwrap_or_default(),
        finished.map(|it| it.outcome.as_str()),
    ));
}

/// What people and the last check want of it.
fn add_wishes(looker: &Looker<'_>, name: &str, row: &mut Value) -> Answer<()> {
    let held = looker.store.hold(name)?;
    let check = looker.store.check(name)?;
    let version = row["current_version"].as_str().map(str::to_owned);
    let check = check.as_ref().map(|it| it.check_json.as_str());
    for (key, value) in wishes(version.as_deref(), held.as_deref(), check) {
        row[key] = value;
    }
    Ok(())
}

fn wishes(
    version: Option<&str>,
    held: Option<&str>,
    check: Option<&str>,
) -> Vec<(&'static str, Value)> {
    let mut wishes = vec![("held", json!(held.is_some()))];
    wishes.extend(held.map(|it| ("held_at", json!(it))));
    let check: Value = check.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
    // An answer from before the last update says nothing any more.
    if check["status"] == "available" && check["current_version"].as_str() == version {
        for key in ["target_version", "target_label"] {
            wishes.extend(check.get(key).map(|known| (key, known.clone())));
        }
    }
    wishes
}

/// The word for how updates of it stand.
fn update_status(phase: &str, last_outcome: Option<&str>) -> &'static str {
    match (phase, last_outcome) {
        ("interrupted" | "stuck", _) => "failed",
        ("idle", Some("committed")) => "success",
        ("idle", Some("rolled_back")) => "rolled_back",
        ("idle", Some("failed" | "stuck" | "interrupted")) => "failed",
        ("idle", _) => "idle",
        _ => "updating",
    }
}

fn locked_by(holder: &switchback_core::lease::Holder) -> Value {
    json!({ "user": holder.user, "host": holder.host, "pid": holder.pid,
        "operation": holder.operation, "since": time(holder.since) })
}

/// Milliseconds since the epoch as RFC 3339.
pub(crate) fn time(at: u64) -> String {
    let at = i64::try_from(at).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
    at.unwrap_or_default().to_string()
}

/// The row of a deployment as it was last seen, from our own record alone. `open` is its operation
/// that has begun and not ended, with the phase that it is in.
pub(crate) fn as_last_seen<'a>(
    deployment: &'a Deployment,
    seen: Option<&'a Observation>,
    open: Option<(PhaseName, &Operation)>,
    held: Option<&str>,
    check: Option<&str>,
) -> Row<'a> {
    let text = seen.and_then(|it| it.status_json.as_deref());
    let mut row: Row<'a> = text.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
    if row.is_empty() {
        row.put("kind", deployment.kind.word());
        row.put("phase", "idle");
        row.put("update_status", "idle");
    }
    row.put("deployment", deployment.name.as_str());
    if let (None, Some(number)) = (row.get("release"), seen.and_then(|it| it.current_release)) {
        row.put("release", format!("r{number}"));
    }
    if let Some((phase, operation)) = open {
        row.put("phase", phase_word(phase));
        row.put("update_status", update_status(phase_word(phase), None));
        if phase != PhaseName::Interrupted {
            let begun = &operation.begun;
            let by = json!({ "user": begun.user, "host": begun.host, "pid": begun.pid,
                "operation": begun.id, "since": time(begun.started_at) });
            row.put("locked_by", by);
        }
    }
    for (key, value) in wishes(row.word("current_version"), held, check) {
        row.put(key, value);
    }
    row
}
