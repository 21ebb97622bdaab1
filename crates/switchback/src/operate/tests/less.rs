//! What takes part in a transaction, less one protection.
//!
//! Each protection is here for a reason, and a sweep that cannot see it missing is worth nothing.

use std::cell::Cell;

use switchback_core::{
    Before, Driver, Force, HealthGate, Journal, JournalError, Millis, Plan, PlanError, Record,
    Seen, Target, TargetError,
};
use switchback_targets::container::{
    change::{Change, Receipt},
    driver::ContainerDriver,
    gate::ContainerGate,
};

use crate::operate::{connect::Fact, journal::TwinJournal};

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Missing {
    /// Nothing: what ships.
    #[default]
    Nothing,
    /// Nobody looks at what stands there before a step.
    Look,
    /// Nobody waits for an effect whose caller has left.
    Barrier,
    /// An intent is written only together with the end of its step.
    Intent,
    /// What the records do not say is taken for not done.
    Observation,
    /// Whoever finds a name given back already takes that for a failure.
    Repeating,
    /// Every version is taken to be well.
    Gate,
    /// The data stays what the new version has made of it.
    Data,
}

thread_local! {
    static MISSING: Cell<Missing> = const { Cell::new(Missing::Nothing) };
}

/// From now on this is missing in every transaction of this thread.
pub(super) fn take_away(what: Missing) {
    MISSING.set(what);
}

fn lacks(what: Missing) -> bool {
    MISSING.get() == what
}

/// Something that takes part, less what is missing.
#[derive(Debug)]
pub(in super::super) struct Less<T> {
    inner: T,
    withheld: Vec<Fact>,
}

impl<T> Less<T> {
    pub(in super::super) fn of(inner: T) -> Self {
        Self { inner, withheld: Vec::new() }
    }
}

impl Target for Less<&ContainerDriver> {
    type Observed = <ContainerDriver as Target>::Observed;
    type Desired = <ContainerDriver as Target>::Desired;
    type Change = Change;

    async fn inspect(&self) -> Result<Self::Observed, TargetError> {
        self.inner.inspect().await
    }

    fn plan(at: &Self::Observed, to: &Self::Desired) -> Result<Plan<Change>, PlanError> {
        <ContainerDriver as Target>::plan(at, to)
    }

    fn is_irreversible(change: &Change) -> bool {
        ContainerDriver::is_irreversible(change)
    }
}

impl Driver for Less<&ContainerDriver> {
    type Receipt = Receipt;

    async fn precheck(&self, change: &Change) -> Result<Before, TargetError> {
        if lacks(Missing::Look) {
            return Ok(match ContainerDriver::presumed(change) {
                Before::Present => Before::Absent,
                before => before,
            });
        }
        self.inner.precheck(change).await
    }

    async fn apply(&self, change: &Change) -> Result<Receipt, TargetError> {
        self.inner.apply(change).await
    }

    async fn settle(
        &self,
        change: &Change,
        patience: Millis,
        force: Force,
    ) -> Result<(), TargetError> {
        if lacks(Missing::Barrier) {
            return Ok(());
        }
        self.inner.settle(change, patience, force).await
    }

    async fn undo(
        &self,
        change: &Change,
        before: &Before,
        receipt: Option<&Receipt>,
    ) -> Result<(), TargetError> {
        if lacks(Missing::Observation) && receipt.is_none() {
            return Ok(());
        }
        if lacks(Missing::Data) && matches!(change, Change::HandOverData { .. }) {
            return Ok(());
        }
        if lacks(Missing::Repeating)
            && let Change::Rename { .. } = change
            && self.inner.precheck(change).await != Ok(Before::Present)
        {
            return Err(TargetError::failed("undo_failed", "rename back", "it is back already"));
        }
        self.inner.undo(change, before, receipt).await
    }

    fn recall(&self, change: &Change, receipt: &Receipt) {
        self.inner.recall(change, receipt);
    }

    fn presumed(change: &Change) -> Before {
        ContainerDriver::presumed(change)
    }

    async fn revive(&self, change: &Change) -> Result<(), TargetError> {
        self.inner.revive(change).await
    }
}

impl HealthGate for Less<&ContainerGate> {
    async fn probe(&self) -> Seen {
        let mut seen = self.inner.probe().await;
        if lacks(Missing::Gate) {
            for probe in &mut seen.probes {
                probe.ready = true;
            }
        }
        seen
    }
}

impl Journal<Fact> for Less<&mut TwinJournal<'_>> {
    async fn append(&mut self, record: &Fact) -> Result<(), JournalError> {
        if lacks(Missing::Intent) && matches!(record, Record::StepStarted { .. }) {
            self.withheld.push(record.clone());
            return Ok(());
        }
        for withheld in std::mem::take(&mut self.withheld) {
            self.inner.append(&withheld).await?;
        }
        self.inner.append(record).await
    }

    fn load(&self) -> Result<Vec<Fact>, JournalError> {
        self.inner.load()
    }
}
