//! Events as JSON lines, with the keys of the contract.

use serde_json::{Map, Value, json};
use switchback_core::event::{Event, EventKind, StepState};

use super::lines::rfc3339;
use super::phase_word;
use crate::printer::Stream;

/// Writes one event a line.
#[derive(Debug)]
pub struct Ndjson {
    stream: Stream,
}

impl Ndjson {
    /// Writes to that stream.
    pub fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// Writes an event.
    pub fn on_event(&mut self, event: &Event) {
        if let Some(object) = object(event) {
            self.stream.line(&object.to_string());
        }
    }
}

/// The object of the contract: `{"time","event","operation","deployment","phase","step","state",
/// "message","done","total"}`, in which absent facts are absent keys. `started` also carries its
/// `action` and `steps`, `step` its `title`, `progress` its `item` and `unit`, `warning` its
/// `code`, `finished` the `result`. A kind that this version does not know has no object.
pub fn object(event: &Event) -> Option<Value> {
    let mut object = Map::new();
    object.insert("time".into(), rfc3339(event.at).into());
    object.insert("event".into(), word(&event.kind)?.into());
    object.insert("operation".into(), event.operation.clone().into());
    object.insert("deployment".into(), event.deployment.clone().into());
    if let Value::Object(facts) = facts(&event.kind) {
        object.extend(facts.into_iter().filter(|(_, fact)| !fact.is_null()));
    }
    Some(Value::Object(object))
}

fn word(kind: &EventKind) -> Option<&'static str> {
    Some(match kind {
        EventKind::Started { .. } => "started",
        EventKind::Phase { .. } => "phase",
        EventKind::Step { .. } => "step",
        EventKind::Progress { .. } => "progress",
        EventKind::Probe { .. } => "probe",
        EventKind::Warning { .. } => "warning",
        EventKind::Finished { .. } => "finished",
        EventKind::Unknown => return None,
    })
}

/// What an event says beyond who and when; null is absent.
fn facts(kind: &EventKind) -> Value {
    match kind {
        EventKind::Started { action, steps } => json!({ "action": action, "steps": steps }),
        EventKind::Phase { phase } => json!({ "phase": phase_word(*phase) }),
        EventKind::Step { step, phase, title, state, message } => json!({
            "phase": phase_word(*phase), "step": step, "title": title,
            "state": state_word(*state), "message": message,
        }),
        EventKind::Progress { item, message, done, total, unit } => json!({
            "item": item, "message": message, "done": done, "total": total, "unit": unit,
        }),
        EventKind::Probe { ready, message, streak, streak_needed } => json!({
            "state": if *ready { "ready" } else { "not_ready" }, "message": message,
            "done": streak, "total": streak_needed,
        }),
        EventKind::Warning { code, message } => json!({ "code": code, "message": message }),
        EventKind::Finished { result } => json!({ "result": result }),
        EventKind::Unknown => Value::Null,
    }
}

fn state_word(state: StepState) -> &'static str {
    match state {
        StepState::Started => "started",
        StepState::Done => "done",
        StepState::Skipped => "skipped",
        StepState::Failed => "failed",
        StepState::Undoing => "undoing",
        StepState::Undone => "undone",
        StepState::Abandoned => "abandoned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::script;

    #[test]
    fn an_update_as_events() {
        let events = script::committed_update();
        let chosen = [0, 1, 2, 3, 5, 12, 13, 14, 18];
        let lines: Vec<_> =
            chosen.iter().map(|at| object(&events[*at]).unwrap().to_string()).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"time":"2026-01-10T12:00:00.000Z","event":"started","operation":"01OP","deployment":"web","action":"update","steps":[{"step":1,"phase":"staging","title":"Pulling latest image"},{"step":2,"phase":"switching","title":"Stopping service"},{"step":3,"phase":"switching","title":"Starting new container"}]}
        {"time":"2026-01-10T12:00:00.000Z","event":"phase","operation":"01OP","deployment":"web","phase":"staging"}
        {"time":"2026-01-10T12:00:00.010Z","event":"step","operation":"01OP","deployment":"web","phase":"staging","step":1,"title":"Pulling latest image","state":"started"}
        {"time":"2026-01-10T12:00:00.500Z","event":"progress","operation":"01OP","deployment":"web","item":"a1b2c3","message":"downloading","done":1000000,"total":4000000,"unit":"bytes"}
        {"time":"2026-01-10T12:00:02.110Z","event":"step","operation":"01OP","deployment":"web","phase":"staging","step":1,"title":"Pulling latest image","state":"done"}
        {"time":"2026-01-10T12:00:02.920Z","event":"warning","operation":"01OP","deployment":"web","code":"no_probe","message":"no probe is configured, only time can tell"}
        {"time":"2026-01-10T12:00:03.420Z","event":"probe","operation":"01OP","deployment":"web","state":"not_ready","message":"connection refused","done":0,"total":3}
        {"time":"2026-01-10T12:00:03.920Z","event":"probe","operation":"01OP","deployment":"web","state":"ready","message":"HTTP 200","done":1,"total":3}
        {"time":"2026-01-10T12:00:05.000Z","event":"finished","operation":"01OP","deployment":"web","result":{"deployment":"web","outcome":"committed"}}
        "#);
    }

    #[test]
    fn a_kind_from_the_future_has_no_line() {
        assert_eq!(object(&script::event(0, EventKind::Unknown)), None);
    }
}
