//! The one place where a container's transaction is put together and carried out.

use switchback_core::{Engine, Interrupt, Outcome, Plan, Reporter, engine::RecoverError};
use switchback_targets::{
    container::{change::Change, driver::ContainerDriver, gate::ContainerGate},
    keeper::lease::TargetLease,
};

use super::{journal::TwinJournal, recover::Way, report::WallClock};

/// Everything that takes part in a transaction.
#[derive(Debug)]
pub(super) struct Transaction<'a, 'j> {
    pub(super) driver: &'a ContainerDriver,
    pub(super) gate: &'a ContainerGate,
    pub(super) journal: &'a mut TwinJournal<'j>,
    pub(super) lease: &'a TargetLease,
    pub(super) interrupt: Interrupt,
    pub(super) reporter: Reporter,
}

/// Where it begins.
#[derive(Debug)]
pub(super) enum Course {
    /// At its beginning.
    New(Box<Plan<Change>>),
    /// Where it was left.
    Left {
        way: Way,
        /// Whether another store ran it.
        is_foreign: bool,
    },
}

impl Transaction<'_, '_> {
    /// Carries it to its end.
    pub(super) async fn carry_out(self, course: Course) -> Result<Outcome, RecoverError> {
        let Self { driver, gate, journal, lease, interrupt, reporter } = self;
        // Tests see what each protection is good for by taking it away.
        #[cfg(test)]
        let (driver, gate, journal) = (
            &super::tests::Less::of(driver),
            &super::tests::Less::of(gate),
            &mut super::tests::Less::of(journal),
        );
        let clock = &WallClock;
        let mut engine = Engine { driver, gate, clock, journal, lease, interrupt, reporter };
        // On the heap: the caller of the library may be a thread with a stack of 2 MiB, and unoptimised
        // code keeps several copies of what it waits for.
        match course {
            Course::New(plan) => {
                Ok(Box::pin(engine.execute(*plan, lease.holder().to_string())).await?)
            }
            Course::Left { way: Way::AcceptCurrent, .. } => Box::pin(engine.accept()).await,
            Course::Left { is_foreign: true, .. } => Box::pin(engine.recover_foreign()).await,
            Course::Left { .. } => Box::pin(engine.recover()).await,
        }
    }
}
