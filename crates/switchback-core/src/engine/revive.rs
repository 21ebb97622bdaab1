//! The old version, found where somebody else has left a way back.

use super::{Engine, Fact, LEASE_HORIZON, StateOf, UNDO_LIMIT_MIN, UNDO_PAUSES};
use crate::{
    Cause, Clock, Driver, Fenced, HealthGate, Journal, Lease, Step, TargetError, event::EventKind,
    state::Phase,
};

impl<D: Driver, G: HealthGate, K: Clock, J: Journal<Fact<D>>, L: Lease> Engine<'_, D, G, K, J, L> {
    /// Starts the old version that was started before, and has ended without having proven itself. No
    /// record is needed: whoever comes next finds the same journal and does the same.
    pub(super) async fn revive(&self, state: &StateOf<D>) -> Result<Result<(), Cause>, Fenced> {
        if !matches!(state.phase(), Phase::Backward { verified: false, .. }) {
            return Ok(Ok(()));
        }
        for (step, _) in state.undone() {
            let Err(error) = self.revived(step).await? else { continue };
            if !state.plan().gate.proves_the_way_back() {
                // Nobody would look whether it runs.
                return Ok(Err(Cause::Step { step: step.id, error }));
            }
            // Whether it runs in the end is for the gate to say, which has more patience.
            let (code, message) = (error.code().to_owned(), error.to_string());
            self.reporter.send(self.clock.now(), EventKind::Warning { code, message });
        }
        Ok(Ok(()))
    }

    async fn revived(&self, step: &Step<D::Change>) -> Result<Result<(), TargetError>, Fenced> {
        let after = step.limit.max(UNDO_LIMIT_MIN);
        let mut pauses = UNDO_PAUSES.into_iter();
        loop {
            self.lease.hold(LEASE_HORIZON).await?;
            let tried = self.within(after, self.driver.revive(&step.change)).await;
            match (tried.unwrap_or(Err(TargetError::TimedOut { after })), pauses.next()) {
                (Err(_), Some(pause)) => self.clock.sleep(pause).await,
                (tried, _) => return Ok(tried),
            }
        }
    }
}
