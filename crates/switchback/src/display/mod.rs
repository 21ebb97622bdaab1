//! Showing operations and results. A display is a function of the events; none of them asks the
//! engine anything.

pub mod error;
pub mod lines;
pub mod live;
pub mod ndjson;
pub mod result;
#[cfg(test)]
pub(crate) mod script;
pub mod table;
pub mod text;
pub(crate) mod typed;
pub mod view;
pub mod warning;

use indicatif::MultiProgress;
use switchback_core::event::{Event, EventKind, PhaseName};

use crate::printer::Stream;

/// What shows the events of operations. The printer chooses which.
#[derive(Debug)]
pub enum Display {
    /// One line a step.
    Lines(lines::Lines),
    /// Redrawn in place.
    Live(live::Live),
    /// One JSON object a line.
    Ndjson(ndjson::Ndjson),
    /// Nothing.
    Silent,
}

impl Display {
    /// One line a step on that stream.
    pub fn lines(stream: Stream, verbose: bool) -> Self {
        Self::Lines(lines::Lines::new(stream, verbose))
    }

    /// Redrawn in place on that terminal.
    pub fn live(terminal: MultiProgress, colors: bool) -> Self {
        Self::Live(live::Live::new(terminal, colors))
    }

    /// One JSON object a line on that stream.
    pub fn ndjson(stream: Stream) -> Self {
        Self::Ndjson(ndjson::Ndjson::new(stream))
    }

    /// Shows an event.
    pub fn on_event(&mut self, event: &Event) {
        match self {
            Self::Lines(lines) => lines.on_event(&plain(event)),
            Self::Live(live) => live.on_event(&plain(event)),
            Self::Ndjson(ndjson) => ndjson.on_event(event),
            Self::Silent => {}
        }
    }
}

/// The event without the deployment's own name in the titles of its steps: whose operation it is
/// was said at its beginning.
fn plain(event: &Event) -> Event {
    let mut event = event.clone();
    let name = event.deployment.clone();
    match &mut event.kind {
        EventKind::Started { steps, .. } => {
            for step in steps {
                step.title = plain_title(&step.title, &name).to_owned();
            }
        }
        EventKind::Step { title, .. } => *title = plain_title(title, &name).to_owned(),
        _ => {}
    }
    event
}

/// `Stopping service web` of deployment `web` is `Stopping service`.
fn plain_title<'a>(title: &'a str, deployment: &str) -> &'a str {
    let rest = title.strip_suffix(deployment).and_then(|it| it.strip_suffix(' '));
    rest.filter(|it| it.ends_with(" service") || it.ends_with(" container")).unwrap_or(title)
}

/// The word of a phase in the contract.
pub fn phase_word(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Idle => "idle",
        PhaseName::Planning => "planning",
        PhaseName::Staging => "staging",
        PhaseName::Switching => "switching",
        PhaseName::Verifying => "verifying",
        PhaseName::Retiring => "retiring",
        PhaseName::RollingBack => "rolling_back",
        PhaseName::Interrupted => "interrupted",
        PhaseName::Stuck => "stuck",
    }
}

#[cfg(test)]
mod tests {
    use super::plain_title;

    #[test]
    fn a_step_names_the_service_only_where_it_is_another_one() {
        assert_eq!(plain_title("Stopping service web", "web"), "Stopping service");
        assert_eq!(plain_title("Recreating container web", "web"), "Recreating container");
        assert_eq!(plain_title("Stopping service web-db", "web"), "Stopping service web-db");
        assert_eq!(plain_title("Renaming web-new to web", "web"), "Renaming web-new to web");
    }
}
