//! An operation of the store as an object of the contract: its result, and who, when, from where.

use serde_json::{Value, json};

use super::{look::time, result::without_transaction, who::is_alive};
use crate::store::Operation;

/// The object of `update` with `started_at`, `finished_at`, `user`, `host`, `command_line`. What has
/// not ended is `running` while its process lives on `host`, and else `interrupted`.
pub(crate) fn document(operation: &Operation, host: &str) -> Value {
    let begun = &operation.begun;
    let result =
        operation.finished.as_ref().and_then(|it| serde_json::from_str(&it.result_json).ok());
    let mut object: Value = result.unwrap_or_else(|| without_result(operation, host));
    object["operation"] = json!(begun.id);
    object["deployment"] = json!(begun.deployment);
    if object.get("action").is_none() {
        object["action"] = json!(begun.action);
    }
    object["trigger"] = json!(begun.trigger);
    object["started_at"] = json!(time(begun.started_at));
    if let Some(finished) = &operation.finished {
        object["finished_at"] = json!(time(finished.finished_at));
    }
    // What was taken over from another store says itself who began it.
    if object.get("user").is_none() {
        object["user"] = json!(begun.user);
        object["host"] = json!(begun.host);
        object["pid"] = json!(begun.pid);
        object["command_line"] = json!(begun.command_line);
    }
    if let Some(related) = &operation.related {
        object["related"] = json!(related);
    }
    object
}

fn without_result(operation: &Operation, host: &str) -> Value {
    let begun = &operation.begun;
    let outcome = match &operation.finished {
        Some(finished) => finished.outcome.as_str(),
        // A process of another host cannot be seen from here; its store is ours, so it says itself
        // how it ends.
        None if begun.host != host || is_alive(begun.pid) => "running",
        None => "interrupted",
    };
    without_transaction(&begun.deployment, &begun.action, outcome, None)
}
