//! Operations written down as events, for the tests of the displays.

use serde_json::json;
use switchback_core::Millis;
use switchback_core::event::{Event, EventKind, PhaseName, StepState, StepTitle, Unit};

/// 2026-01-10T12:00:00Z.
const BEGIN: Millis = 1_768_046_400_000;

/// An event `after_ms` from the beginning.
pub(crate) fn event(after_ms: Millis, kind: EventKind) -> Event {
    Event { at: BEGIN + after_ms, operation: "01OP".into(), deployment: "web".into(), kind }
}

pub(crate) fn step(step: u16, phase: PhaseName, title: &str, state: StepState) -> EventKind {
    EventKind::Step { step, phase, title: title.into(), state, message: None }
}

pub(crate) fn probe(ready: bool, streak: Option<(u32, u32)>) -> EventKind {
    EventKind::Probe {
        ready,
        message: if ready { "HTTP 200" } else { "connection refused" }.into(),
        streak: streak.map(|(good, _)| good),
        streak_needed: streak.map(|(_, needed)| needed),
    }
}

pub(crate) fn layer(id: &str, done: u64, total: Option<u64>) -> EventKind {
    let message = "downloading".into();
    EventKind::Progress { item: id.into(), message, done, total, unit: Unit::Bytes }
}

pub(crate) fn phase(phase: PhaseName) -> EventKind {
    EventKind::Phase { phase }
}

fn started() -> EventKind {
    let title = |step, phase, title: &str| StepTitle { step, phase, title: title.into() };
    EventKind::Started {
        action: "update".into(),
        steps: vec![
            title(1, PhaseName::Staging, "Pulling latest image"),
            title(2, PhaseName::Switching, "Stopping service"),
            title(3, PhaseName::Switching, "Starting new container"),
        ],
    }
}

fn finished(outcome: &str) -> EventKind {
    EventKind::Finished { result: Box::new(json!({"deployment": "web", "outcome": outcome})) }
}

/// Up to the point at which the new version runs and is to prove itself.
fn switched() -> Vec<Event> {
    use {PhaseName::*, StepState::*};
    vec![
        event(0, started()),
        event(0, phase(Staging)),
        event(10, step(1, Staging, "Pulling latest image", Started)),
        event(500, layer("a1b2c3", 1_000_000, Some(4_000_000))),
        event(600, layer("d4e5f6", 2_000_000, Some(6_000_000))),
        event(2110, step(1, Staging, "Pulling latest image", Done)),
        event(2110, phase(Switching)),
        event(2120, step(2, Switching, "Stopping service", Started)),
        event(2620, step(2, Switching, "Stopping service", Done)),
        event(2620, step(3, Switching, "Starting new container", Started)),
        event(2920, step(3, Switching, "Starting new container", Done)),
        event(2920, phase(Verifying)),
    ]
}

/// An update that goes well, with a warning on its way.
pub(crate) fn committed_update() -> Vec<Event> {
    let warning = EventKind::Warning {
        code: "no_probe".into(),
        message: "no probe is configured, only time can tell".into(),
    };
    let mut events = switched();
    events.extend([
        event(2920, warning),
        event(3420, probe(false, Some((0, 3)))),
        event(3920, probe(true, Some((1, 3)))),
        event(4420, probe(true, Some((2, 3)))),
        event(4920, probe(true, Some((3, 3)))),
        event(4920, phase(PhaseName::Retiring)),
        event(5000, finished("committed")),
    ]);
    events
}

/// An update whose new version never answers, and which goes back.
pub(crate) fn rolled_back_update() -> Vec<Event> {
    use {PhaseName::*, StepState::*};
    let failed = EventKind::Step {
        step: 3,
        phase: Switching,
        title: "Starting new container".into(),
        state: Abandoned,
        message: Some("it is gone already".into()),
    };
    let mut events = switched();
    events.extend([
        event(3420, probe(false, Some((0, 3)))),
        event(63_000, phase(RollingBack)),
        event(63_000, step(3, Switching, "Starting new container", Undoing)),
        event(63_200, failed),
        event(63_200, step(2, Switching, "Stopping service", Undoing)),
        event(63_700, step(2, Switching, "Stopping service", Undone)),
        event(63_800, finished("rolled_back")),
    ]);
    events
}
