//! The facts of a transaction folded, and their grammar.

use std::collections::BTreeMap;

use crate::{
    Before, Cause, JournalError, Millis, Outcome, Part, Plan, Record, Step, StepId, record::FORMAT,
};

/// The journal, folded. A fresh run and a recovery both start from here.
#[derive(Debug, Clone)]
pub struct State<C, R> {
    plan: Plan<C>,
    phase: Phase,
    steps: BTreeMap<StepId, Entry<R>>,
}

/// Where a transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Staging, switching, and up to the gate.
    Forward,
    /// The gate has opened; what makes it final on the target is under way.
    Sealing,
    /// Nobody watched for a while, so only the target's own confirmation still leads forward.
    InDoubt,
    /// Everything goes back.
    Backward {
        /// Why.
        cause: Cause,
        /// Whether the old version has proven itself again.
        verified: bool,
    },
    /// Committed; what no kept release needs goes.
    Retiring,
    /// The end.
    Ended(Outcome),
}

/// A step that was started, and what is known of it.
#[derive(Debug, Clone)]
pub struct Entry<R> {
    /// What stood there.
    pub before: Before,
    /// When its effect will have happened, in milliseconds since the epoch.
    pub settles_by: Millis,
    /// Whether nobody knows that it was started.
    pub presumed: bool,
    /// The ids of what it made.
    pub receipt: Option<R>,
    /// How far it is.
    pub progress: Progress,
}

/// How far a step is. `Over` is undone or abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Its effect may or may not be there.
    Started,
    /// Its effect is there.
    Applied,
    /// Undone, or abandoned.
    Over,
}

/// A started step with its entry.
pub type Job<'a, C, R> = (&'a Step<C>, &'a Entry<R>);

impl<C: Clone, R: Clone> State<C, R> {
    /// The state before the first record.
    pub fn open(plan: Plan<C>) -> Self {
        Self { plan, phase: Phase::Forward, steps: BTreeMap::new() }
    }

    /// Folds a journal, and refuses one that breaks the grammar.
    pub fn fold(records: &[Record<C, R>]) -> Result<Self, JournalError> {
        let Some(Record::Opened { plan, .. }) = records.first() else {
            return Err(JournalError::Illegal);
        };
        let mut state = Self::open(plan.clone());
        records.iter().try_for_each(|it| state.record(it))?;
        Ok(state)
    }

    /// The plan that is being carried out.
    pub fn plan(&self) -> &Plan<C> {
        &self.plan
    }

    /// Where the transaction is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What is known of a step that was started.
    pub fn entry(&self, id: StepId) -> Option<&Entry<R>> {
        self.steps.get(&id)
    }

    /// The whole grammar of the journal: the phase that a record leads to, if it is legal.
    #[rustfmt::skip] // One rule a line.
    pub fn after(&self, record: &Record<C, R>) -> Option<Phase> {
        use Part::{Apply, Retire, Seal, Stage};
        use Phase::{Backward, Ended, Forward, InDoubt, Retiring, Sealing};
        use Progress::{Applied, Started};
        use Record::{Accepted, Closed, Committed, Interrupted, Opened, Retried, RollbackStarted, Verified};
        use Record::{StepAbandoned, StepApplied, StepStarted, StepUndone};
        let part = record.step().and_then(|it| self.plan.part(it));
        let step = record.step().and_then(|it| self.steps.get(&it)).map(|it| it.progress);
        let back = |cause: &Cause, verified| Backward { cause: cause.clone(), verified };
        Some(match (record, &self.phase, part, step) {
            (Opened { format: FORMAT, .. }, Forward, ..) if self.steps.is_empty() => Forward,
            (StepStarted { .. }, Forward, Some(Stage | Apply), None)
            | (StepStarted { .. }, Sealing, Some(Seal), None)
            | (StepStarted { .. }, Retiring, Some(Retire), None)
            | (StepApplied { .. }, Forward | Sealing | Retiring, _, Some(Started))
            | (StepAbandoned { .. }, Retiring, Some(Retire), None | Some(Started))
            | (StepAbandoned { .. }, Backward { .. }, Some(Stage), Some(Started | Applied))
            | (StepUndone { .. }, Backward { .. }, _, Some(Started | Applied))
            | (Interrupted, Backward { .. } | Retiring, ..) => self.phase.clone(),
            (Interrupted, Forward | Sealing | InDoubt, ..) => InDoubt,
            (Retried, Ended(Outcome::Stuck { cause: Cause::Interrupted, .. }), ..)
                if self.is_whole() => InDoubt,
            (Verified { .. }, Forward, ..) if self.all_applied(Apply) => Sealing,
            (StepApplied { .. }, InDoubt, Some(Seal), Some(Started | Applied)) => Sealing,
            (Committed, Sealing, ..) if self.all_applied(Seal) => Retiring,
            (RollbackStarted { cause }, Forward | Sealing | InDoubt, ..)
            | (Retried, Ended(Outcome::Stuck { cause, .. }), ..) => back(cause, false),
            (Verified { .. }, Backward { cause, .. }, ..) if self.is_switched_back() => back(cause, true),
            (Accepted, Forward | Sealing | InDoubt | Backward { .. } | Ended(Outcome::Stuck { .. }), ..)
                => Ended(Outcome::Accepted),
            (Closed { outcome: it @ Outcome::Committed }, Retiring, ..)
            | (Closed { outcome: it @ Outcome::Stuck { .. } }, InDoubt | Backward { .. }, ..)
                => Ended(it.clone()),
            (Closed { outcome: it @ Outcome::Stuck { .. } }, Forward, ..)
                if !self.plan.auto_rollback && self.all_applied(Apply) => Ended(it.clone()),
            (Closed { outcome: it }, Backward { cause, .. }, ..)
                if self.to_undo().is_none() && *it == self.went_back(cause) => Ended(it.clone()),
            _ => return None,
        })
    }

    /// Advances by one record, and refuses any that is illegal in this state.
    pub fn record(&mut self, record: &Record<C, R>) -> Result<(), JournalError> {
        self.phase = self.after(record).ok_or(JournalError::Illegal)?;
        let Some(step) = record.step() else { return Ok(()) };
        let (receipt, progress) = (None, Progress::Started);
        let new =
            Entry { before: Before::Absent, settles_by: 0, presumed: false, receipt, progress };
        let entry = self.steps.entry(step).or_insert(new);
        match record {
            Record::StepStarted { before, settles_by, presumed, .. } => {
                (entry.before, entry.settles_by) = (before.clone(), *settles_by);
                entry.presumed = *presumed;
            }
            Record::StepApplied { receipt, .. } => {
                (entry.receipt, entry.progress) = (receipt.clone(), Progress::Applied);
            }
            _ => entry.progress = Progress::Over,
        }
        Ok(())
    }

    /// Steps of the part under way that another controller may have started without our knowing.
    pub fn may_have_started(&self) -> Vec<StepId> {
        let switched = self.was_switched();
        let part = match self.phase {
            Phase::Forward if switched => Part::Apply,
            Phase::Forward => Part::Stage,
            Phase::Sealing => Part::Seal,
            Phase::InDoubt | Phase::Backward { .. } | Phase::Retiring | Phase::Ended(_) => {
                return Vec::new();
            }
        };
        let steps = self.plan.steps().filter(|(it, _)| *it == part).map(|(_, it)| it.id);
        steps.filter(|it| !self.steps.contains_key(it)).collect()
    }

    /// The latest change of ours that may still be there.
    pub fn to_undo(&self) -> Option<(Part, Job<'_, C, R>)> {
        self.plan.steps().rev().find_map(|(part, step)| {
            let entry = self.steps.get(&step.id)?;
            let may_be_there = matches!(entry.progress, Progress::Started | Progress::Applied);
            (may_be_there && entry.before != Before::Present).then_some((part, (step, entry)))
        })
    }

    /// What was taken back, the latest first.
    pub fn undone(&self) -> impl Iterator<Item = Job<'_, C, R>> {
        let was_undone =
            |it: &&Entry<R>| it.progress == Progress::Over && it.before != Before::Present;
        let steps = self.plan.steps().rev();
        steps.filter_map(move |(_, it)| Some((it, self.entry(it.id).filter(was_undone)?)))
    }

    /// Whether the running version was disturbed.
    pub fn was_switched(&self) -> bool {
        self.plan.apply.iter().any(|it| self.steps.contains_key(&it.id))
    }

    /// Whether all that disturbed the running version is taken back.
    pub fn is_switched_back(&self) -> bool {
        self.to_undo().is_none_or(|(part, _)| part == Part::Stage)
    }

    /// The outcome of a way back that is complete.
    pub fn went_back(&self, cause: &Cause) -> Outcome {
        let cause = cause.clone();
        match self.plan.gate.baseline {
            Some(_) if self.was_switched() => Outcome::RolledBack { cause },
            _ => Outcome::Failed { cause },
        }
    }

    /// Whether the last seal has made the update final on the target.
    pub fn is_final(&self) -> bool {
        let seal = self.plan.seal.last().and_then(|it| self.steps.get(&it.id));
        seal.is_some_and(|it| it.progress == Progress::Applied)
    }

    /// Whether nothing was taken back yet. Once something was, no confirmation leads forward.
    fn is_whole(&self) -> bool {
        self.steps.values().all(|it| it.progress != Progress::Over)
    }

    fn all_applied(&self, last: Part) -> bool {
        let applied = |id| self.steps.get(&id).is_some_and(|it| it.progress == Progress::Applied);
        self.plan.steps().take_while(|(part, _)| *part <= last).all(|(_, it)| applied(it.id))
    }
}
