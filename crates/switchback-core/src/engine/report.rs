//! From records to events.

use std::fmt::Display;

use tokio::sync::mpsc::UnboundedSender;

use super::{Engine, Fact, StateOf};
use crate::{
    Before, Clock, Driver, HealthGate, Journal, Lease, Millis, Outcome, Record, Step, StepId,
    event::{Event, EventKind, PhaseName, StepState},
    state::Phase,
};

/// Sends the events of one operation to whoever watches. Unwatched updates go on.
///
/// The channel has no bound of its own: what is sent is bounded by the plan, and whoever sends
/// progress sends at most ten a second.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// Where the events go.
    pub sender: UnboundedSender<Event>,
    /// The id of the operation.
    pub operation: String,
    /// The deployment it belongs to.
    pub deployment: String,
}

impl Reporter {
    /// Sends one event.
    pub fn send(&self, at: Millis, kind: EventKind) {
        let Self { sender, operation, deployment } = self;
        let (operation, deployment) = (operation.clone(), deployment.clone());
        // A closed channel means that nobody watches any more.
        drop(sender.send(Event { at, operation, deployment, kind }));
    }
}

impl<D: Driver, G: HealthGate, K: Clock, J: Journal<Fact<D>>, L: Lease> Engine<'_, D, G, K, J, L> {
    /// Reports a record that is on disk. `state` is the one before it.
    pub(super) fn report(&self, state: &StateOf<D>, fact: &Fact<D>) {
        if let Some(phase) = begins(state, fact) {
            self.send(EventKind::Phase { phase });
        }
        let (step, step_state, message) = match fact {
            Record::StepStarted { step, before, .. } if *before != Before::Present => {
                (*step, StepState::Started, None)
            }
            Record::StepApplied { step, receipt } => {
                let is_done = receipt.is_some();
                (*step, if is_done { StepState::Done } else { StepState::Skipped }, None)
            }
            Record::StepAbandoned { step, error } => {
                (*step, StepState::Abandoned, Some(error.to_string()))
            }
            Record::StepUndone { step } => (*step, StepState::Undone, None),
            Record::RollbackStarted { cause } => {
                let message = format!("Going back: {cause}");
                self.failed_step(state, cause);
                return self.send(EventKind::Warning { code: cause.code().to_owned(), message });
            }
            Record::StepStarted { .. }
            | Record::Opened { .. }
            | Record::Verified { .. }
            | Record::Interrupted
            | Record::Retried
            | Record::Accepted
            | Record::Committed
            | Record::Closed { .. } => return,
        };
        self.step(state, step, step_state, message);
    }

    pub(super) fn report_undo(&self, state: &StateOf<D>, step: &Step<D::Change>) {
        self.step(state, step.id, StepState::Undoing, None);
    }

    fn failed_step(&self, state: &StateOf<D>, cause: &crate::Cause) {
        if let crate::Cause::Step { step, error } = cause {
            self.step(state, *step, StepState::Failed, Some(error.to_string()));
        }
    }

    fn step(&self, state: &StateOf<D>, id: StepId, step: StepState, message: Option<String>) {
        let Some((part, found)) = state.plan().steps().find(|(_, it)| it.id == id) else { return };
        let (phase, title) = (part.phase(), title(&found.change));
        self.send(EventKind::Step { step: id.0, phase, title, state: step, message });
    }

    fn send(&self, kind: EventKind) {
        self.reporter.send(self.clock.now(), kind);
    }
}

fn title(change: &impl Display) -> String {
    change.to_string()
}

/// The phase that a record leads into, if it is another one.
fn begins<C: Clone, R: Clone>(
    state: &crate::State<C, R>,
    fact: &Record<C, R>,
) -> Option<PhaseName> {
    let is_first_of_the_switch =
        |step: &StepId| state.plan().apply.first().is_some_and(|it| it.id == *step);
    let is_last_of_the_switch =
        |step: &StepId| state.plan().apply.last().is_some_and(|it| it.id == *step);
    match fact {
        Record::Opened { .. } => Some(PhaseName::Staging),
        Record::StepStarted { step, .. } if is_first_of_the_switch(step) => {
            Some(PhaseName::Switching)
        }
        Record::StepApplied { step, .. } if is_last_of_the_switch(step) => {
            Some(PhaseName::Verifying)
        }
        Record::RollbackStarted { .. } | Record::Retried
            if !matches!(state.phase(), Phase::Backward { .. }) =>
        {
            Some(PhaseName::RollingBack)
        }
        Record::Committed => Some(PhaseName::Retiring),
        Record::Closed { outcome: Outcome::Stuck { .. } } => Some(PhaseName::Stuck),
        Record::Closed { .. } | Record::Accepted => Some(PhaseName::Idle),
        Record::StepStarted { .. }
        | Record::StepApplied { .. }
        | Record::StepAbandoned { .. }
        | Record::StepUndone { .. }
        | Record::Verified { .. }
        | Record::Interrupted
        | Record::RollbackStarted { .. }
        | Record::Retried => None,
    }
}
