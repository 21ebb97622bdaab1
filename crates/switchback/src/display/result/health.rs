//! Is it well? A row a deployment, and what was seen wrong.

use serde_json::Value;

use super::facts::{seconds, word};
use crate::display::table::Table;
use crate::display::text;

/// The text of the documents of `health`, each under its deployment's name.
pub fn health(results: &[(&str, &Value)]) -> String {
    if results.is_empty() {
        return "No deployments\nNext: switchback init\n".to_owned();
    }
    let mut table =
        Table::new(&["NAME", "HEALTH", "STATE", "VERSION", "UPTIME", "MEMORY", "REASON"]);
    for (name, result) in results {
        let plain = |key| word(result, key).map(text::brief).unwrap_or_default();
        let memory = result.get("memory_usage_mb").and_then(Value::as_f64);
        let health = match result.get("healthy").and_then(Value::as_bool) {
            Some(true) => "healthy",
            Some(false) => "unhealthy",
            None => "unknown",
        };
        table.push(vec![
            text::one_line(name),
            health.to_owned(),
            plain("container_state"),
            plain("version"),
            seconds(result, "uptime_seconds").unwrap_or_default(),
            memory.map_or_else(String::new, |memory| format!("{memory:.0} MiB")),
            plain("reason"),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_deployment_has_a_verdict_and_what_is_wrong_a_reason() {
        let web = json!({"healthy": true, "version": "1.4.2", "container_state": "running",
            "uptime_seconds": 7500, "memory_usage_mb": 120.4});
        let db = json!({"healthy": false, "container_state": "running", "reason": "HTTP 500"});
        let bare = json!({"container_state": "running", "reason": "nothing is probed"});
        insta::assert_snapshot!(health(&[("web", &web), ("db", &db), ("bare", &bare)]), @r"
        NAME   HEALTH      STATE     VERSION   UPTIME      MEMORY    REASON
        web    healthy     running   1.4.2     2 h 5 min   120 MiB
        db     unhealthy   running                                   HTTP 500
        bare   unknown     running                                   nothing is probed
        ");
    }
}
