//! Facts on their way into the journal, also where it does not take them at once.

use super::{Engine, Fact, StateOf};
use crate::{
    Clock, Driver, Fenced, HealthGate, Journal, JournalError, Lease, Record, decide::unwritten,
    state::Phase,
};

/// Facts that the journal has not taken yet, in their order, each with the state before it: a journal
/// with a gap is worse than a short one.
pub(super) type Late<D> = Vec<(StateOf<D>, Fact<D>)>;

impl<D: Driver, G: HealthGate, K: Clock, J: Journal<Fact<D>>, L: Lease> Engine<'_, D, G, K, J, L> {
    /// Writes a fact down, behind those that are late. Returns the one that holds: another where it
    /// cannot be written.
    pub(super) async fn write(
        &mut self,
        late: &mut Late<D>,
        state: &StateOf<D>,
        fact: Fact<D>,
    ) -> Result<Fact<D>, Fenced> {
        let written = match self.catch_up(late).await {
            Ok(()) => self.append(state, &fact).await,
            unwritten => unwritten,
        };
        let Err(error) = written else { return Ok(fact) };
        self.still_ours(true).await?;
        if matches!(fact, Record::Opened { .. }) {
            // Nothing can be written behind a beginning that is not there.
            late.push((state.clone(), fact.clone()));
        }
        let is_end = matches!(fact, Record::Closed { .. });
        let fact = unwritten(state, fact, &error);
        // Of the retiring only its end: whoever reads the journal without one retires the rest.
        if is_end || !matches!(state.phase(), Phase::Retiring) {
            late.push((state.clone(), fact.clone()));
        }
        Ok(fact)
    }

    /// Writes what is late, and reports it: whatever kept it from being written may have passed, and who
    /// reads a journal without its end goes back once more.
    pub(super) async fn catch_up(&mut self, late: &mut Late<D>) -> Result<(), JournalError> {
        while let Some((state, fact)) = late.first() {
            self.append(state, fact).await?;
            let _written = late.remove(0);
        }
        Ok(())
    }

    async fn append(&mut self, state: &StateOf<D>, fact: &Fact<D>) -> Result<(), JournalError> {
        self.journal.append(fact).await?;
        self.report(state, fact);
        Ok(())
    }
}
