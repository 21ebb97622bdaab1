//! What happens next, also when something fails: the whole policy of a transaction. Pure and total.

use std::error::Error as _;

use crate::{
    Cause, JournalError, Outcome, Part, Record, State, Step, StepId, TargetError,
    state::{Job, Phase, Progress},
};

/// The next move.
#[derive(Debug)]
#[must_use]
pub enum Next<'a, C, R> {
    /// Look at what stands there, and write the intent down.
    Start(&'a Step<C>),
    /// Act.
    Apply(Job<'a, C, R>),
    /// Let the new version prove itself, or on the way back the old one.
    Verify,
    /// Act after the commit, where a failure stops nothing.
    Retire(Job<'a, C, R>),
    /// Ask the target whether the last seal has made the update final.
    Ask(Job<'a, C, R>),
    /// Take a step back.
    Undo(Job<'a, C, R>),
    /// Only write a fact.
    Write(Record<C, R>),
    /// The end.
    Done(Outcome),
}

/// Decides the next move.
pub fn next<C: Clone, R: Clone>(state: &State<C, R>) -> Next<'_, C, R> {
    let close = |outcome| Next::Write(Record::Closed { outcome });
    match state.phase() {
        Phase::Forward => forward(state, Part::Apply).unwrap_or(Next::Verify),
        Phase::Sealing => forward(state, Part::Seal).unwrap_or(Next::Write(Record::Committed)),
        Phase::Retiring => {
            forward(state, Part::Retire).unwrap_or_else(|| close(Outcome::Committed))
        }
        Phase::InDoubt => {
            let last = state.plan().seal.last();
            let seal = last.and_then(|it| Some((it, state.entry(it.id)?)));
            let back = Next::Write(Record::RollbackStarted { cause: Cause::Interrupted });
            seal.filter(|(_, it)| it.progress != Progress::Over).map_or(back, Next::Ask)
        }
        Phase::Backward { cause, verified } => {
            let proves = state.plan().gate.proves_the_way_back();
            let unproven = state.was_switched() && proves && !verified;
            match state.to_undo() {
                _ if unproven && state.is_switched_back() => Next::Verify,
                Some((_, job)) => Next::Undo(job),
                None => close(state.went_back(cause)),
            }
        }
        Phase::Ended(outcome) => Next::Done(outcome.clone()),
    }
}

/// The first step up to `last` that is not done.
fn forward<C: Clone, R: Clone>(state: &State<C, R>, last: Part) -> Option<Next<'_, C, R>> {
    let mut steps = state.plan().steps().take_while(|(part, _)| *part <= last);
    steps.find_map(|(part, step)| match state.entry(step.id) {
        None => Some(Next::Start(step)),
        Some(it) if it.progress != Progress::Started => None,
        Some(it) if part == Part::Retire => Some(Next::Retire((step, it))),
        Some(it) => Some(Next::Apply((step, it))),
    })
}

/// What a failure means depends on the direction.
pub(crate) fn setback<C: Clone, R: Clone>(state: &State<C, R>, failure: Cause) -> Record<C, R> {
    use TargetError::{Failed, TimedOut};
    let stuck =
        |cause, undo_error| Record::Closed { outcome: Outcome::Stuck { cause, undo_error } };
    let is_staged = |step: StepId| state.plan().part(step) == Some(Part::Stage);
    match (state.phase(), failure) {
        (Phase::Retiring, Cause::Step { step, error }) => Record::StepAbandoned { step, error },
        (Phase::Backward { .. }, Cause::Step { step, error }) if is_staged(step) => {
            Record::StepAbandoned { step, error }
        }
        (Phase::Backward { cause, .. }, undo_error) => stuck(cause.clone(), undo_error),
        // "Unknown" decides nothing: whether the target has confirmed must be asked again.
        (Phase::InDoubt, unknown @ Cause::Step { error: Failed { .. } | TimedOut { .. }, .. }) => {
            stuck(Cause::Interrupted, unknown)
        }
        (Phase::Forward, verdict) if !state.plan().auto_rollback && is_of_the_gate(&verdict) => {
            stuck(verdict, Cause::Requested)
        }
        (_, cause) => Record::RollbackStarted { cause },
    }
}

fn is_of_the_gate(cause: &Cause) -> bool {
    match cause {
        Cause::NeverReady { .. }
        | Cause::Restarted { .. }
        | Cause::Exited { .. }
        | Cause::Beside { .. }
        | Cause::VersionMismatch { .. }
        | Cause::Vanished
        | Cause::Unobserved { .. } => true,
        Cause::Interrupted | Cause::Step { .. } | Cause::JournalLost { .. } | Cause::Requested => {
            false
        }
    }
}

/// What happens instead of a record that cannot be written. Forward needs the record before the
/// effect; back does not, since an undo can be repeated; and retiring can wait. What the target has made
/// final stays final: whoever comes next asks the target, and finds the same.
pub(crate) fn unwritten<C: Clone, R: Clone>(
    state: &State<C, R>,
    record: Record<C, R>,
    error: &JournalError,
) -> Record<C, R> {
    let last = state.plan().seal.last().map(|it| it.id);
    match (state.phase(), record) {
        (Phase::Retiring, _) => Record::Closed { outcome: Outcome::Committed },
        (Phase::Backward { .. } | Phase::Ended(_), record)
        | (_, record @ (Record::RollbackStarted { .. } | Record::Accepted | Record::Interrupted)) => {
            record
        }
        (_, record @ Record::StepApplied { step, .. }) if last == Some(step) => record,
        (_, record @ Record::Committed) if state.is_final() => record,
        // The cause itself says that the journal cannot be written.
        _ => {
            let error = error.source().map_or_else(|| error.to_string(), chain);
            Record::RollbackStarted { cause: Cause::JournalLost { error } }
        }
    }
}

/// An error with all its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
