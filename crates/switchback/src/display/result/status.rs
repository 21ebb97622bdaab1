//! What runs. A row a deployment.

use jiff::Timestamp;
use serde_json::Value;

use super::facts::{label, list, name, seconds, word};
use crate::display::table::Table;
use crate::display::text;

/// The text of the document of `status`, read at `now`.
pub fn status(document: &Value, now: Timestamp) -> String {
    let deployments = list(document, "deployments");
    if deployments.is_empty() {
        return "No deployments\nNext: switchback init\n".to_owned();
    }
    let mut table = Table::new(&[
        "NAME",
        "STATE",
        "VERSION",
        "RELEASE",
        "HEALTH",
        "UPTIME",
        "MEMORY",
        "LAST UPDATE",
        "SEEN",
        "NOTES",
    ]);
    for deployment in deployments {
        let release = word(deployment, "release").map(text::one_line);
        let memory = deployment.get("memory_usage_mb").and_then(Value::as_f64);
        let seen = word(deployment, "observed_at").map(|seen| text::ago_of(seen, now));
        table.push(vec![
            name(deployment),
            state(deployment),
            label(deployment, "current").unwrap_or_default(),
            release.unwrap_or_default(),
            health(deployment).to_owned(),
            seconds(deployment, "uptime_seconds").unwrap_or_default(),
            memory.map_or_else(String::new, |memory| format!("{memory:.0} MiB")),
            last_update(deployment, now),
            seen.unwrap_or_default(),
            notes(deployment).join("; "),
        ]);
    }
    table.render() + &advice(deployments)
}

/// The phase while something is going on, else what the container does.
fn state(deployment: &Value) -> String {
    let state = match word(deployment, "phase") {
        None | Some("idle") => word(deployment, "container_state").unwrap_or_else(|| {
            let was_seen = deployment.get("observed_at").is_some();
            if was_seen { "unknown" } else { "never seen" }
        }),
        Some(phase) => phase,
    };
    text::one_line(state).replace('_', " ")
}

/// Without evidence there is no verdict.
fn health(deployment: &Value) -> &'static str {
    match deployment.get("healthy").and_then(Value::as_bool) {
        Some(true) => "healthy",
        Some(false) => "unhealthy",
        None => "unknown",
    }
}

fn last_update(deployment: &Value, now: Timestamp) -> String {
    let outcome = word(deployment, "last_outcome").map(text::one_line);
    let outcome = outcome.map(|outcome| outcome.replace('_', " "));
    let at = word(deployment, "last_update_at").map(|at| text::ago_of(at, now));
    outcome.into_iter().chain(at).collect::<Vec<_>>().join(", ")
}

fn notes(deployment: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(target) = label(deployment, "target")
        && label(deployment, "current").as_ref() != Some(&target)
    {
        notes.push(format!("newer: {target}"));
    }
    match (deployment.get("held"), word(deployment, "held_at")) {
        (_, Some(held)) => notes.push(format!("held at {}", text::brief(held))),
        (Some(Value::Bool(true)), None) => notes.push("held".to_owned()),
        _ => {}
    }
    match deployment.get("drift") {
        Some(Value::String(drift)) => notes.push(format!("drift: {}", text::brief(drift))),
        Some(Value::Array(drift)) if !drift.is_empty() => {
            notes.push(format!("{} drifted", text::count(drift.len(), "setting")));
        }
        Some(Value::Bool(true)) => notes.push("drifted".to_owned()),
        _ => {}
    }
    notes.extend(deployment.get("locked_by").and_then(holder));
    if let (Some(release), Some(rung)) =
        (word(deployment, "previous_release"), word(deployment, "way_back"))
    {
        notes.push(format!("way back: {} ({})", text::one_line(release), text::one_line(rung)));
    }
    if let Some(reason) = deployment.pointer("/error/message").and_then(Value::as_str) {
        notes.push(format!("not looked at: {}", text::brief(reason)));
    }
    notes
}

/// `in use by alice@laptop (pid 7)`.
fn holder(holder: &Value) -> Option<String> {
    let user = text::one_line(word(holder, "user")?);
    let host =
        word(holder, "host").map_or_else(String::new, |host| format!("@{}", text::one_line(host)));
    let pid = holder.get("pid").and_then(Value::as_u64);
    let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    Some(format!("in use by {user}{host}{pid}"))
}

/// What to type where something was left open.
fn advice(deployments: &[Value]) -> String {
    deployments
        .iter()
        .filter(|deployment| matches!(word(deployment, "phase"), Some("interrupted" | "stuck")))
        .map(|deployment| super::next(&format!("switchback recover {}", name(deployment))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn now() -> Timestamp {
        "2026-01-10T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn each_deployment_has_a_row_and_the_stuck_one_a_command() {
        let document = json!({"deployments": [
            {"deployment": "web", "phase": "idle", "container_state": "running",
             "current_label": "2.0.0", "target_version": "sha256:bb", "release": "r2",
             "healthy": true, "uptime_seconds": 7500, "memory_usage_mb": 120.4,
             "last_outcome": "rolled_back", "last_update_at": "2026-01-10T11:57:00Z",
             "held": true, "held_at": "web:2", "previous_release": "r1",
             "way_back": "kept", "drift": ["env", "ports"]},
            {"deployment": "db", "phase": "stuck", "healthy": false,
             "locked_by": {"user": "alice", "host": "laptop", "pid": 7}},
            {"deployment": "new"},
        ]});
        insta::assert_snapshot!(status(&document, now()), @r"
        NAME   STATE        VERSION   RELEASE   HEALTH      UPTIME      MEMORY    LAST UPDATE              NOTES
        web    running      2.0.0     r2        healthy     2 h 5 min   120 MiB   rolled back, 3 min ago   newer: bb; held at web:2; 2 settings drifted; way back: r1 (kept)
        db     stuck                            unhealthy                                                  in use by alice@laptop (pid 7)
        new    never seen                       unknown
        Next: switchback recover db
        ");
    }

    #[test]
    fn without_evidence_nothing_is_healthy() {
        assert_eq!(health(&json!({"healthy": null})), "unknown");
        assert_eq!(health(&json!({})), "unknown");
    }

    #[test]
    fn an_empty_house_says_how_to_begin() {
        let text = status(&json!({"deployments": []}), now());
        assert_eq!(text, "No deployments\nNext: switchback init\n");
    }
}
