//! For how long nothing served, folded from the events.

use std::sync::{Mutex, PoisonError};

use switchback_core::{
    Millis,
    event::{Event, EventKind, PhaseName, StepState},
};

use super::drive::Follow;

/// The time from the beginning of the first stop to the first good look at what runs then, and once
/// more for each time that it goes down again.
#[derive(Debug, Clone, Default)]
pub struct Downtime {
    since: Option<Millis>,
    sum: Millis,
}

impl Downtime {
    /// Takes one event in.
    pub fn fold(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Step { phase: PhaseName::Switching, title, state, .. } => match state {
                StepState::Started if title.starts_with("Stopping") => self.down(event.at),
                StepState::Undoing if title.starts_with("Starting") => self.down(event.at),
                _ => {}
            },
            EventKind::Probe { ready: true, .. } => self.up(event.at),
            EventKind::Finished { .. } => self.up(event.at),
            _ => {}
        }
    }

    fn down(&mut self, at: Millis) {
        let _earlier = self.since.get_or_insert(at);
    }

    fn up(&mut self, at: Millis) {
        if let Some(since) = self.since.take() {
            self.sum += at.saturating_sub(since);
        }
    }

    /// Milliseconds so far; `now` closes what is still open.
    pub fn total(&self, now: Millis) -> Millis {
        self.sum + self.since.map_or(0, |since| now.saturating_sub(since))
    }
}

/// The downtime of an operation whose events somebody passes on while it runs.
#[derive(Debug, Default)]
pub(crate) struct Folded(Mutex<Downtime>);

impl Folded {
    /// Takes one event in.
    pub(crate) fn fold(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fold(event);
    }
}

impl Follow for Folded {
    fn downtime(&self) -> Downtime {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: Millis, kind: EventKind) -> Event {
        Event { at, operation: "op".into(), deployment: "web".into(), kind }
    }

    fn step(at: Millis, title: &str, state: StepState) -> Event {
        let (phase, title) = (PhaseName::Switching, title.to_owned());
        event(at, EventKind::Step { step: 0, phase, title, state, message: None })
    }

    fn probe(at: Millis, ready: bool) -> Event {
        let (message, streak, streak_needed) = (String::new(), None, None);
        event(at, EventKind::Probe { ready, message, streak, streak_needed })
    }

    #[test]
    fn it_is_down_from_the_stop_to_the_first_good_look() {
        let mut downtime = Downtime::default();
        let events = [
            step(1_000, "Stopping service web", StepState::Started),
            step(1_500, "Starting service web", StepState::Done),
            probe(1_600, false),
            probe(2_100, true),
            probe(2_600, true),
        ];
        for it in &events {
            downtime.fold(it);
        }
        assert_eq!(downtime.total(9_000), 1_100);
    }

    #[test]
    fn a_way_back_is_down_until_the_old_one_answers() {
        let mut downtime = Downtime::default();
        let events = [
            step(1_000, "Stopping service web", StepState::Started),
            probe(2_000, true),
            step(5_000, "Starting service web", StepState::Undoing),
            probe(5_500, true),
        ];
        for it in &events {
            downtime.fold(it);
        }
        assert_eq!(downtime.total(9_000), 1_500);
    }
}
