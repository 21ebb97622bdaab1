//! What runs. A row a deployment.

use jiff::Timestamp;
use serde_json::Value;

use super::facts::word;
use super::row::{Fact, Row};
use crate::display::table::Table;
use crate::display::text;

/// The text of the rows of `status`, read at `now`.
pub fn status(deployments: &[Row<'_>], now: Timestamp) -> String {
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
        let release = deployment.word("release").map(text::one_line);
        let memory = number(deployment, "memory_usage_mb");
        let uptime = number(deployment, "uptime_seconds").map(text::seconds);
        let seen = deployment.word("observed_at").map(|seen| text::ago_of(seen, now));
        table.push(vec![
            name(deployment),
            state(deployment),
            label(deployment, "current_label", "current_version").unwrap_or_default(),
            release.unwrap_or_default(),
            health(deployment).to_owned(),
            uptime.unwrap_or_default(),
            memory.map_or_else(String::new, |memory| format!("{memory:.0} MiB")),
            last_update(deployment, now),
            seen.unwrap_or_default(),
            notes(deployment).join("; "),
        ]);
    }
    table.render() + &advice(deployments)
}

fn name(deployment: &Row<'_>) -> String {
    deployment.word("deployment").map_or_else(|| "?".to_owned(), text::one_line)
}

fn number(deployment: &Row<'_>, key: &str) -> Option<f64> {
    deployment.other(key).and_then(Value::as_f64)
}

/// What people call a version: its label, else the short form of the version itself.
fn label(deployment: &Row<'_>, label: &str, version: &str) -> Option<String> {
    let short = || deployment.word(version).map(text::version);
    deployment.word(label).map(text::brief).or_else(short)
}

/// The phase while something is going on, else what the container does.
fn state(deployment: &Row<'_>) -> String {
    let state = match deployment.word("phase") {
        None | Some("idle") => deployment.word("container_state").unwrap_or_else(|| {
            let was_seen = deployment.get("observed_at").is_some();
            if was_seen { "unknown" } else { "never seen" }
        }),
        Some(phase) => phase,
    };
    text::one_line(state).replace('_', " ")
}

/// Without evidence there is no verdict.
fn health(deployment: &Row<'_>) -> &'static str {
    match deployment.other("healthy").and_then(Value::as_bool) {
        Some(true) => "healthy",
        Some(false) => "unhealthy",
        None => "unknown",
    }
}

fn last_update(deployment: &Row<'_>, now: Timestamp) -> String {
    let outcome = deployment.word("last_outcome").map(text::one_line);
    let outcome = outcome.map(|outcome| outcome.replace('_', " "));
    let at = deployment.word("last_update_at").map(|at| text::ago_of(at, now));
    outcome.into_iter().chain(at).collect::<Vec<_>>().join(", ")
}

fn notes(deployment: &Row<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(target) = label(deployment, "target_label", "target_version")
        && label(deployment, "current_label", "current_version").as_ref() != Some(&target)
    {
        notes.push(format!("newer: {target}"));
    }
    match (deployment.other("held"), deployment.word("held_at")) {
        (_, Some(held)) => notes.push(format!("held at {}", text::brief(held))),
        (Some(Value::Bool(true)), None) => notes.push("held".to_owned()),
        _ => {}
    }
    match deployment.get("drift") {
        Some(Fact::Text(drift)) => notes.push(format!("drift: {}", text::brief(drift))),
        Some(Fact::Other(Value::Array(drift))) if !drift.is_empty() => {
            notes.push(format!("{} drifted", text::count(drift.len(), "setting")));
        }
        Some(Fact::Other(Value::Bool(true))) => notes.push("drifted".to_owned()),
        _ => {}
    }
    notes.extend(deployment.other("locked_by").and_then(holder));
    if let (Some(release), Some(rung)) =
        (deployment.word("previous_release"), deployment.word("way_back"))
    {
        notes.push(format!("way back: {} ({})", text::one_line(release), text::one_line(rung)));
    }
    if let Some(reason) = deployment.other("error").and_then(|it| word(it, "message")) {
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
fn advice(deployments: &[Row<'_>]) -> String {
    deployments
        .iter()
        .filter(|deployment| matches!(deployment.word("phase"), Some("interrupted" | "stuck")))
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
        let rows: Vec<Row<'_>> =
            document["deployments"].as_array().unwrap().iter().map(Row::of).collect();
        insta::assert_snapshot!(status(&rows, now()), @r"
        NAME   STATE        VERSION   RELEASE   HEALTH      UPTIME      MEMORY    LAST UPDATE              NOTES
        web    running      2.0.0     r2        healthy     2 h 5 min   120 MiB   rolled back, 3 min ago   newer: bb; held at web:2; 2 settings drifted; way back: r1 (kept)
        db     stuck                            unhealthy                                                  in use by alice@laptop (pid 7)
        new    never seen                       unknown
        Next: switchback recover db
        ");
    }

    #[test]
    fn without_evidence_nothing_is_healthy() {
        assert_eq!(health(&Row::of(&json!({"healthy": null}))), "unknown");
        assert_eq!(health(&Row::default()), "unknown");
    }

    #[test]
    fn an_empty_house_says_how_to_begin() {
        let text = status(&[], now());
        assert_eq!(text, "No deployments\nNext: switchback init\n");
    }
}
