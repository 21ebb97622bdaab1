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
pub mod view;
pub mod warning;

use indicatif::MultiProgress;
use switchback_core::event::{Event, PhaseName};

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
            Self::Lines(lines) => lines.on_event(event),
            Self::Live(live) => live.on_event(event),
            Self::Ndjson(ndjson) => ndjson.on_event(event),
            Self::Silent => {}
        }
    }
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
