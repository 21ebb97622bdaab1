//! One line a step, for logs and for terminals that cannot redraw.

use std::collections::BTreeMap;

use jiff::Timestamp;
use switchback_core::Millis;
use switchback_core::event::{Event, EventKind, PhaseName, StepState};

use super::text;
use super::view::View;
use crate::printer::Stream;

/// Silence in a long pull is broken after this long, so that a CI system that ends silent jobs
/// (the shortest default known is ten minutes) and the person who reads along see that it lives.
const PROGRESS_EVERY_MS: Millis = 30_000;

/// Writes events as lines.
#[derive(Debug)]
pub struct Lines {
    stream: Stream,
    verbose: bool,
    /// The running operations and when each last said something.
    operations: BTreeMap<String, (View, Millis)>,
}

impl Lines {
    /// Writes to that stream; with `verbose` each line has its time, and phases and probes show.
    pub fn new(stream: Stream, verbose: bool) -> Self {
        Self { stream, verbose, operations: BTreeMap::new() }
    }

    /// Writes what there is to say of an event.
    pub fn on_event(&mut self, event: &Event) {
        let fresh = || (View::default(), event.at);
        let (view, spoken_at) =
            self.operations.entry(event.operation.clone()).or_insert_with(fresh);
        let is_due = event.at.saturating_sub(*spoken_at) >= PROGRESS_EVERY_MS;
        let words = words(view, event, self.verbose);
        view.fold(event);
        let waits = matches!(event.kind, EventKind::Progress { .. } | EventKind::Probe { .. });
        let words = words.or_else(|| (waits && is_due).then(|| still_at_it(view)).flatten());
        if let Some(words) = words {
            *spoken_at = event.at;
            let line = line(view, &words, self.verbose.then_some(event.at));
            self.stream.line(&line);
        }
        if matches!(event.kind, EventKind::Finished { .. }) {
            self.operations.remove(&event.operation);
        }
    }
}

/// The words as a line: the time if asked for, the component, the words. Hosts of a fleet run side
/// by side, so each line says whose it is; plain deployments run one after another.
fn line(view: &View, words: &str, at: Option<Millis>) -> String {
    let time = at.map_or_else(String::new, |at| rfc3339(at) + " ");
    let action = if view.action.is_empty() { "switchback" } else { &view.action };
    let whose = if view.deployment.contains('/') {
        format!(" {}", text::one_line(&view.deployment))
    } else {
        String::new()
    };
    format!("{time}[{action}{whose}] {words}")
}

/// Milliseconds since the epoch as RFC 3339 in UTC.
pub(super) fn rfc3339(at: Millis) -> String {
    i64::try_from(at)
        .ok()
        .and_then(|at| Timestamp::from_millisecond(at).ok())
        .map_or_else(|| "unknown time".to_owned(), |at| format!("{at:.3}"))
}

/// What to say of an event that comes on top of what is known; nothing of most.
fn words(before: &View, event: &Event, verbose: bool) -> Option<String> {
    match &event.kind {
        EventKind::Started { steps, .. } => {
            let deployment = text::one_line(&event.deployment);
            Some(match steps.len() {
                0 => deployment,
                number => format!("{deployment}: {}", text::count(number, "step")),
            })
        }
        EventKind::Phase { phase } => phase_words(before, *phase, event.at, verbose),
        EventKind::Step { step, phase, title, state, message } => {
            let step = before.find(*phase, *step);
            let was = step.and_then(|step| step.state);
            let took_ms = step.map(|step| event.at.saturating_sub(step.since));
            Some(step_words(was, took_ms, title, *state, message.as_deref()))
        }
        EventKind::Probe { ready, message, .. } if verbose => {
            let verdict = if *ready { "good" } else { "not ready" };
            Some(format!("  {verdict}: {}", text::one_line(message)))
        }
        EventKind::Warning { message, .. } => Some(format!("Warning: {}", text::brief(message))),
        EventKind::Progress { .. }
        | EventKind::Probe { .. }
        | EventKind::Finished { .. }
        | EventKind::Unknown => None,
    }
}

fn phase_words(before: &View, phase: PhaseName, at: Millis, verbose: bool) -> Option<String> {
    let waited = before.gate.as_ref().map(|gate| {
        let waited = text::milliseconds(at.saturating_sub(gate.since));
        (waited, text::brief(&gate.message))
    });
    match (phase, waited) {
        (PhaseName::Verifying, _) => Some("Waiting until the service proves itself...".to_owned()),
        (PhaseName::RollingBack, Some((waited, seen))) => {
            let seen = if seen.is_empty() { seen } else { format!(": {seen}") };
            Some(format!("  the service did not prove itself within {waited}{seen}"))
        }
        (PhaseName::RollingBack, None) => Some("Going back".to_owned()),
        (PhaseName::Interrupted | PhaseName::Stuck, _) => None,
        (_, Some((waited, _))) => Some(format!("  the service proved itself after {waited}")),
        (_, None) => verbose.then(|| format!("Phase: {}", super::phase_word(phase))),
    }
}

fn step_words(
    was: Option<StepState>,
    took_ms: Option<Millis>,
    title: &str,
    state: StepState,
    message: Option<&str>,
) -> String {
    let title = text::one_line(title);
    let title = title.trim_end_matches('.');
    let took = |preposition: &str| {
        let words = |took_ms| format!(" {preposition} {}", text::milliseconds(took_ms));
        took_ms.map_or_else(String::new, words)
    };
    let why = message.map_or_else(String::new, |why| format!(": {}", text::brief(why)));
    // Whoever comes in late has not read the step's name yet.
    let name = if was.is_none() { format!("{title}:") } else { " ".to_owned() };
    match state {
        StepState::Started => format!("{title}...{}", why.trim_start_matches(':')),
        StepState::Undoing => format!("Undoing: {title}...{}", why.trim_start_matches(':')),
        StepState::Done => format!("{name} done{}{why}", took("in")),
        StepState::Skipped => format!("{name} skipped{why}"),
        StepState::Failed => format!("{name} failed{}{why}", took("after")),
        StepState::Undone => format!("{name} undone{}{why}", took("in")),
        StepState::Abandoned => format!("{name} left as it is{why}"),
    }
}

/// A sign of life from a step or a wait that takes long.
fn still_at_it(view: &View) -> Option<String> {
    if let Some(gate) = &view.gate {
        let waited = text::milliseconds(view.now.saturating_sub(gate.since));
        return Some(format!("  still waiting after {waited}: {}", text::one_line(&gate.message)));
    }
    let (done, total) = view.bytes()?;
    Some(format!("  {} of {}", text::bytes(done), text::bytes(total)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::script;
    use crate::printer::Captured;

    fn shown(events: &[Event], verbose: bool) -> String {
        let captured = Captured::default();
        let mut lines = Lines::new(captured.stream(), verbose);
        for event in events {
            lines.on_event(event);
        }
        assert!(lines.operations.is_empty(), "an operation that ended is forgotten");
        captured.text()
    }

    #[test]
    fn an_update_that_goes_well() {
        insta::assert_snapshot!(shown(&script::committed_update(), false), @r"
        [update] web: 3 steps
        [update] Pulling latest image...
        [update]   done in 2.1 s
        [update] Stopping service...
        [update]   done in 0.5 s
        [update] Starting new container...
        [update]   done in 0.3 s
        [update] Waiting until the service proves itself...
        [update] Warning: no probe is configured, only time can tell
        [update]   the service proved itself after 2 s
        ");
    }

    #[test]
    fn an_update_that_goes_back() {
        insta::assert_snapshot!(shown(&script::rolled_back_update(), false), @r"
        [update] web: 3 steps
        [update] Pulling latest image...
        [update]   done in 2.1 s
        [update] Stopping service...
        [update]   done in 0.5 s
        [update] Starting new container...
        [update]   done in 0.3 s
        [update] Waiting until the service proves itself...
        [update]   the service did not prove itself within 1 min: connection refused
        [update] Undoing: Starting new container...
        [update]   left as it is: it is gone already
        [update] Undoing: Stopping service...
        [update]   undone in 0.5 s
        ");
    }

    #[test]
    fn with_verbose_every_line_has_its_time_and_probes_show() {
        insta::assert_snapshot!(shown(&script::committed_update()[6..], true), @r"
        2026-01-10T12:00:02.110Z [switchback] Phase: switching
        2026-01-10T12:00:02.120Z [switchback] Stopping service...
        2026-01-10T12:00:02.620Z [switchback]   done in 0.5 s
        2026-01-10T12:00:02.620Z [switchback] Starting new container...
        2026-01-10T12:00:02.920Z [switchback]   done in 0.3 s
        2026-01-10T12:00:02.920Z [switchback] Waiting until the service proves itself...
        2026-01-10T12:00:02.920Z [switchback] Warning: no probe is configured, only time can tell
        2026-01-10T12:00:03.420Z [switchback]   not ready: connection refused
        2026-01-10T12:00:03.920Z [switchback]   good: HTTP 200
        2026-01-10T12:00:04.420Z [switchback]   good: HTTP 200
        2026-01-10T12:00:04.920Z [switchback]   good: HTTP 200
        2026-01-10T12:00:04.920Z [switchback]   the service proved itself after 2 s
        ");
    }

    #[test]
    fn a_host_of_a_fleet_is_named_on_every_line() {
        let events = script::committed_update()
            .into_iter()
            .map(|event| Event { deployment: "tenants/vps1".into(), ..event });
        let shown = shown(&events.collect::<Vec<_>>(), false);
        assert!(shown.lines().all(|line| line.starts_with("[update tenants/vps1] ")), "{shown}");
    }

    #[test]
    fn a_long_pull_gives_a_sign_of_life_twice_a_minute_and_no_more() {
        let pulling = script::step(1, PhaseName::Staging, "Pulling", StepState::Started);
        let mut events = vec![script::event(0, pulling)];
        for second in 1..=65 {
            let layer = script::layer("a1b2c3", second * 1_000_000, Some(100_000_000));
            events.push(script::event(second * 1000, layer));
        }
        let result = Box::new(serde_json::Value::Null);
        events.push(script::event(66_000, EventKind::Finished { result }));
        insta::assert_snapshot!(shown(&events, false), @r"
        [switchback] Pulling...
        [switchback]   30.0 MB of 100.0 MB
        [switchback]   60.0 MB of 100.0 MB
        ");
    }

    #[test]
    fn a_step_that_was_never_started_says_its_name_when_it_is_skipped() {
        let skipped = step_words(None, None, "Copying users", StepState::Skipped, Some("none"));
        assert_eq!(skipped, "Copying users: skipped: none");
    }
}
