//! The only place where deciding meets acting.
//!
//! One turn is one record: it is written, published, folded, and then acted upon. Recovery is the
//! same loop on a half-full journal.

mod interrupt;
mod report;
mod revive;
mod verify;
mod write;

use std::future::Future;

pub use self::{interrupt::Interrupt, report::Reporter};
use crate::{
    Before, Cause, Clock, Driver, Fenced, Force, HealthGate, Journal, JournalError, Lease, Millis,
    Next, Outcome, Part, Plan, Record, State, Step, Target, TargetError,
    clock::stood_still,
    decide::setback,
    next,
    record::FORMAT,
    state::{Job, Phase},
    target::Answer,
};

type Fact<D> = Record<<D as Target>::Change, <D as Driver>::Receipt>;
type StateOf<D> = State<<D as Target>::Change, <D as Driver>::Receipt>;
type JobOf<'a, D> = Job<'a, <D as Target>::Change, <D as Driver>::Receipt>;

/// The pauses between the tries of an undo, in milliseconds: an engine that restarts takes about
/// two seconds, so the second try comes after one and the third after six.
const UNDO_PAUSES: [Millis; 2] = [1_000, 5_000];

/// The least that an undo may take, in milliseconds. Taking back a stop is a start, which may take as
/// long as starting the new version may, while the stop itself has a limit of its own.
const UNDO_LIMIT_MIN: Millis = 120_000;

/// An effect that is sent must reach the target while the lease still lasts.
const LEASE_HORIZON: Millis = 1_000;

/// Asked before the switch, so that the lease is renewed there and not between stop and start: the
/// usual stop takes at most ten seconds, and a renewal in the middle is harmless but costs time.
const SWITCH_HORIZON: Millis = 20_000;

/// Carries one transaction to its end.
#[derive(Debug)]
pub struct Engine<'a, D: Driver, G, K, J, L> {
    /// Acts.
    pub driver: &'a D,
    /// Looks at the service.
    pub gate: &'a G,
    /// Time.
    pub clock: &'a K,
    /// Where the facts go.
    pub journal: &'a mut J,
    /// The right to change the target.
    pub lease: &'a L,
    /// Asks us to stop.
    pub interrupt: Interrupt,
    /// All that a display learns, and of steps only what is durable.
    pub reporter: Reporter,
}

impl<D: Driver, G: HealthGate, K: Clock, J: Journal<Fact<D>>, L: Lease> Engine<'_, D, G, K, J, L> {
    /// Runs a new transaction to its end. The journal is empty.
    pub async fn execute(
        &mut self,
        plan: Plan<D::Change>,
        holder: String,
    ) -> Result<Outcome, Fenced> {
        let state = State::open(plan.clone());
        self.run(state, Record::Opened { plan, format: FORMAT, holder }).await
    }

    /// Brings a transaction to its end that was left half-way, or stuck.
    pub async fn recover(&mut self) -> Result<Outcome, RecoverError> {
        self.resume(|outcome| match outcome {
            Outcome::Stuck { .. } => Some(Record::Retried),
            _ => None,
        })
        .await
    }

    /// Ends a transaction that was left half-way or stuck where it stands: what runs is right.
    pub async fn accept(&mut self) -> Result<Outcome, RecoverError> {
        let state = self.load()?;
        match state.phase() {
            Phase::Retiring => self.recover().await,
            Phase::Ended(Outcome::Stuck { .. }) => Ok(self.run(state, Record::Accepted).await?),
            Phase::Ended(outcome) => Ok(outcome.clone()),
            _ => Ok(self.run(state, Record::Accepted).await?),
        }
    }

    /// Brings another controller's transaction to its end, of which only the plan and the phase
    /// are known: every step of the part that was under way may have been started.
    pub async fn recover_foreign(&mut self) -> Result<Outcome, RecoverError> {
        let mut state = self.load()?;
        for id in state.may_have_started() {
            let Some(step) = state.plan().step(id) else { continue };
            let (before, at) = (D::presumed(&step.change), self.clock.now());
            let settles_by = at + step.limit;
            let presumed = true;
            let started = Record::StepStarted { step: id, before, at, settles_by, presumed };
            self.journal.append(&started).await?;
            state.record(&started)?;
        }
        self.recover().await
    }

    async fn resume(
        &mut self,
        reopen: impl Fn(&Outcome) -> Option<Fact<D>>,
    ) -> Result<Outcome, RecoverError> {
        let state = self.load()?;
        let first = match state.phase() {
            Phase::Ended(outcome) => match reopen(outcome) {
                Some(record) => record,
                None => return Ok(outcome.clone()),
            },
            _ => Record::Interrupted,
        };
        Ok(self.run(state, first).await?)
    }

    fn load(&self) -> Result<StateOf<D>, JournalError> {
        let state = State::fold(&self.journal.load()?)?;
        for (_, step) in state.plan().steps() {
            if let Some(receipt) = state.entry(step.id).and_then(|it| it.receipt.as_ref()) {
                self.driver.recall(&step.change, receipt);
            }
        }
        Ok(state)
    }

    async fn run(&mut self, mut state: StateOf<D>, mut fact: Fact<D>) -> Result<Outcome, Fenced> {
        let mut late = write::Late::<D>::new();
        let mut was_left = !matches!(fact, Record::Opened { .. });
        loop {
            fact = self.write(&mut late, &state, fact).await?;
            state.record(&fact).expect("`next` leads only to legal records");
            if let Some(stop) = self.interrupted(&state) {
                fact = stop;
                continue;
            }
            if std::mem::take(&mut was_left)
                && let Err(failure) = self.revive(&state).await?
            {
                self.still_ours(true).await?;
                fact = setback(&state, failure);
                continue;
            }
            let turn = match next(&state) {
                Next::Done(outcome) => {
                    // What became of the target is the result, even where no record of it can be kept.
                    let _short = self.catch_up(&mut late).await;
                    return Ok(outcome);
                }
                Next::Write(record) => Ok(self.fact(record).await?),
                Next::Start(step) => self.start(&state, step).await?,
                Next::Apply(job) => self.apply(&state, job).await?,
                Next::Verify => self.verify(&state).await,
                Next::Retire(job) => self.retire(job).await?,
                Next::Undo(job) => self.undo(&state, job).await?,
                Next::Ask(job) => self.ask(job).await?,
            };
            self.still_ours(turn.is_err()).await?;
            fact = turn.unwrap_or_else(|failure| setback(&state, failure));
        }
    }

    /// What fails because the lease went to somebody else says nothing about the target, and what
    /// is to be made of it is theirs.
    async fn still_ours(&self, has_failed: bool) -> Result<(), Fenced> {
        if has_failed { self.lease.hold(LEASE_HORIZON).await } else { Ok(()) }
    }

    /// A commit is a claim about the target, which is ours to make only while it is ours to change.
    async fn fact(&self, record: Fact<D>) -> Result<Fact<D>, Fenced> {
        if matches!(record, Record::Committed) {
            self.lease.hold(LEASE_HORIZON).await?;
        }
        Ok(record)
    }

    /// A wish to stop takes effect between two records, and only until the target has made the
    /// update final: after a crash there, the way leads forward too.
    fn interrupted(&self, state: &StateOf<D>) -> Option<Fact<D>> {
        let is_open = match state.phase() {
            Phase::Forward => true,
            Phase::Sealing => !state.is_final(),
            Phase::InDoubt | Phase::Backward { .. } | Phase::Retiring | Phase::Ended(_) => false,
        };
        let back = Record::RollbackStarted { cause: Cause::Interrupted };
        (is_open && self.interrupt.is_asked()).then_some(back)
    }

    async fn start(
        &self,
        state: &StateOf<D>,
        step: &Step<D::Change>,
    ) -> Result<Result<Fact<D>, Cause>, Fenced> {
        let is_first = state.plan().apply.first().is_some_and(|it| it.id == step.id);
        self.lease.hold(if is_first { SWITCH_HORIZON } else { LEASE_HORIZON }).await?;
        let before = match self.in_time(step, self.driver.precheck(&step.change)).await {
            Ok(before) => before,
            Err(failure) => return Ok(Err(failure)),
        };
        let at = self.clock.now();
        let (settles_by, presumed) = (at + step.limit, false);
        Ok(Ok(Record::StepStarted { step: step.id, before, at, settles_by, presumed }))
    }

    async fn apply(
        &self,
        state: &StateOf<D>,
        (step, entry): JobOf<'_, D>,
    ) -> Result<Result<Fact<D>, Cause>, Fenced> {
        if entry.before == Before::Present {
            return Ok(Ok(Record::StepApplied { step: step.id, receipt: None }));
        }
        self.lease.hold(LEASE_HORIZON).await?;
        let work = self.in_time(step, self.driver.apply(&step.change));
        // Staging may be left at any instant, because a barrier stands before its undo. A step of
        // the switch is short, and going back from its end is simpler than from its middle.
        let done = if state.plan().part(step.id) == Some(Part::Stage) {
            tokio::select! { done = work => done, () = self.interrupt.asked() => Err(Cause::Interrupted) }
        } else {
            work.await
        };
        Ok(done.map(|receipt| {
            self.driver.recall(&step.change, &receipt);
            Record::StepApplied { step: step.id, receipt: Some(receipt) }
        }))
    }

    /// Settles first, because it may be the second try of a step whose first caller died.
    async fn retire(&self, (step, entry): JobOf<'_, D>) -> Result<Result<Fact<D>, Cause>, Fenced> {
        self.lease.hold(LEASE_HORIZON).await?;
        if let Err(failure) = self.settle((step, entry)).await {
            return Ok(Err(failure));
        }
        let done = match entry.before {
            Before::Present => Ok(None),
            _ => self.in_time(step, self.driver.apply(&step.change)).await.map(Some),
        };
        Ok(done.map(|receipt| Record::StepApplied { step: step.id, receipt }))
    }

    /// Asks the target whether the last seal has made the update final there. The barrier may use
    /// force, so this needs the lease too.
    async fn ask(&self, (step, entry): JobOf<'_, D>) -> Result<Result<Fact<D>, Cause>, Fenced> {
        self.lease.hold(LEASE_HORIZON).await?;
        if let Err(failure) = self.settle((step, entry)).await {
            return Ok(Err(failure));
        }
        let found = self.in_time(step, self.driver.precheck(&step.change)).await;
        Ok(found.map(|found| match found {
            Before::Present => {
                Record::StepApplied { step: step.id, receipt: entry.receipt.clone() }
            }
            Before::Absent | Before::Image(_) => {
                Record::RollbackStarted { cause: Cause::Interrupted }
            }
        }))
    }

    /// Tries three times, since an undo that gives up leaves nothing running.
    async fn undo(
        &self,
        state: &StateOf<D>,
        job: JobOf<'_, D>,
    ) -> Result<Result<Fact<D>, Cause>, Fenced> {
        self.report_undo(state, job.0);
        let mut pauses = UNDO_PAUSES.into_iter();
        loop {
            self.lease.hold(LEASE_HORIZON).await?;
            match (self.try_undo(job).await, pauses.next()) {
                (Err(_), Some(pause)) => self.clock.sleep(pause).await,
                (tried, _) => return Ok(tried.map(|()| Record::StepUndone { step: job.0.id })),
            }
        }
    }

    async fn try_undo(&self, (step, entry): JobOf<'_, D>) -> Result<(), Cause> {
        self.settle((step, entry)).await?;
        let after = step.limit.max(UNDO_LIMIT_MIN);
        let undo = self.driver.undo(&step.change, &entry.before, entry.receipt.as_ref());
        let late = Err(TargetError::TimedOut { after });
        self.within(after, undo).await.unwrap_or(late).map_err(|it| failed(step, it))
    }

    async fn settle(&self, (step, entry): JobOf<'_, D>) -> Result<(), Cause> {
        // A clock that was wrong when the step began never makes us wait longer than its limit.
        let mut patience = entry.settles_by.saturating_sub(self.clock.now()).min(step.limit);
        let force = if entry.presumed { Force::Forbidden } else { Force::Allowed };
        if force == Force::Forbidden {
            // In place of force, as long again.
            patience = patience.saturating_add(step.limit);
        }
        // Force takes no longer than the effect itself may.
        let after = patience.saturating_add(step.limit);
        let settled = self.within(after, self.driver.settle(&step.change, patience, force)).await;
        let late = Err(TargetError::TimedOut { after });
        settled.unwrap_or(late).map_err(|it| failed(step, it))
    }

    async fn in_time<T>(&self, step: &Step<D::Change>, work: impl Answer<T>) -> Result<T, Cause> {
        let late = Err(TargetError::TimedOut { after: step.limit });
        self.within(step.limit, work).await.unwrap_or(late).map_err(|it| failed(step, it))
    }

    /// Stops waiting after `span`, which stops nothing but the waiting. Whoever stood still
    /// meanwhile has not waited, so that the answer may lie there unread: they wait once more.
    async fn within<T>(&self, span: Millis, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, begun) = (Box::pin(work), self.clock.now());
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = self.clock.sleep(span) => {}
        }
        if stood_still(self.clock.now().saturating_sub(begun), span) == 0 {
            return None;
        }
        tokio::select! { biased; done = work => Some(done), () = self.clock.sleep(span) => None }
    }
}

/// Why a transaction could not be taken up again.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Its journal cannot be read, or not be continued.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The lease went to somebody else.
    #[error(transparent)]
    Fenced(#[from] Fenced),
}

fn failed<C>(step: &Step<C>, error: TargetError) -> Cause {
    Cause::Step { step: step.id, error }
}

#[cfg(test)]
mod tests;
