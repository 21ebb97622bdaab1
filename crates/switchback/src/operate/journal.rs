//! The journal of a container's transaction: every record in the store, and with the target the
//! records up to each border between two phases.
//!
//! The copy on the target lets another store go back: it knows the plan and the phase, and takes
//! every step of that phase as possibly started.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchback_core::{
    Journal, JournalError, Part, Plan, Record, State, record::FORMAT, state::Phase,
};
use switchback_targets::{container::change::Change, keeper::lease::TargetLease};

use super::{Answer, connect::Fact};
use crate::{error::CommandError, store::Store};

/// The file with the target.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    format: u16,
    operation: String,
    records: Vec<Value>,
}

/// Reads the copy that is kept with the target.
pub fn read(bytes: &[u8]) -> Answer<(Option<String>, Vec<Fact>)> {
    let damaged = |it: serde_json::Error| {
        CommandError::new(
            "store_unusable",
            format!("the journal kept with the target is damaged: {it}"),
        )
    };
    let kept: Kept = serde_json::from_slice(bytes).map_err(damaged)?;
    if kept.format > FORMAT {
        let message =
            format!("the journal kept with the target has the newer format {}", kept.format);
        return Err(CommandError::new("store_too_new", message));
    }
    let records = kept.records.into_iter().map(serde_json::from_value);
    Ok((Some(kept.operation), records.collect::<Result<_, _>>().map_err(damaged)?))
}

/// The two places of a journal.
pub struct TwinJournal<'a> {
    store: &'a Store,
    operation: String,
    records: Vec<Fact>,
    lease: &'a TargetLease,
}

impl std::fmt::Debug for TwinJournal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TwinJournal").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl<'a> TwinJournal<'a> {
    /// A journal that goes on after `records`.
    pub fn new(
        store: &'a Store,
        operation: &str,
        records: Vec<Fact>,
        lease: &'a TargetLease,
    ) -> Self {
        Self { store, operation: operation.to_owned(), records, lease }
    }

    /// What was written, in order.
    pub fn records(&self) -> &[Fact] {
        &self.records
    }

    /// Whether another store has to know this record before anybody acts on it: with it, another
    /// part of the plan begins, or the end is decided.
    fn is_border(&self, record: &Fact) -> bool {
        let first_of = |part: Part| {
            let plan = self.plan()?;
            plan.steps().find(|(it, _)| *it == part).map(|(_, step)| step.id)
        };
        match record {
            Record::Opened { .. }
            | Record::Verified { .. }
            // Whoever held the lease before goes by this, should he find the name free again.
            | Record::Interrupted
            | Record::Retried
            | Record::Committed
            | Record::Accepted
            | Record::Closed { .. } => true,
            Record::StepStarted { step, .. } => first_of(Part::Apply) == Some(*step),
            Record::RollbackStarted { .. } | Record::StepUndone { .. } => self.lets_serve(record),
            Record::StepApplied { .. } | Record::StepAbandoned { .. } => false,
        }
    }

    /// Whether the way back starts the old version again after this record. Until then another store may
    /// take every step as started, and bring the data back once more. From then on that would take away
    /// what the old version has written since.
    fn lets_serve(&self, record: &Fact) -> bool {
        let Ok(mut state) = State::fold(&self.records) else { return false };
        let starts = |state: &State<_, _>| {
            let is_back = matches!(state.phase(), Phase::Backward { .. });
            let next = state.to_undo().filter(|_| is_back);
            next.is_some_and(|(_, (it, _))| matches!(it.change, Change::StopContainer { .. }))
        };
        let did_before = starts(&state);
        !did_before && state.record(record).is_ok() && starts(&state)
    }

    fn goes_forward(&self, record: &Fact) -> bool {
        let is_back = self.records.iter().any(|it| matches!(it, Record::RollbackStarted { .. }));
        let is_forward = match record {
            Record::Opened { .. } | Record::StepStarted { .. } | Record::Verified { .. } => true,
            // A way back needs no record before it, so nothing is lost where this cannot be written.
            _ => false,
        };
        is_forward && !is_back
    }

    fn plan(&self) -> Option<&Plan<Change>> {
        match self.records.first() {
            Some(Record::Opened { plan, .. }) => Some(plan),
            _ => None,
        }
    }

    /// Writes all that is known to the target, which may have missed the last of it.
    pub async fn tell_target(&self) -> Result<(), JournalError> {
        let records: Result<Vec<Value>, _> =
            self.records.iter().map(serde_json::to_value).collect();
        let records = records.map_err(JournalError::storage)?;
        let document = json!({ "format": FORMAT, "operation": self.operation, "records": records });
        let bytes = document.to_string().into_bytes();
        self.lease.write_journal(bytes).await.map_err(JournalError::storage)
    }
}

impl Journal<Fact> for TwinJournal<'_> {
    async fn append(&mut self, record: &Fact) -> Result<(), JournalError> {
        let text = serde_json::to_string(record).map_err(JournalError::storage)?;
        let sequence = u64::try_from(self.records.len()).map_err(JournalError::storage)?;
        let is_border = self.is_border(record);
        self.records.push(record.clone());
        // Before anything that goes forward the target hears first: a store that is lost right after
        // must not leave others believing that nothing has begun. At the end the store comes first,
        // because what is recorded with the release itself is what others go by.
        let is_needed_first = is_border && self.goes_forward(record);
        if is_needed_first && let Err(error) = self.tell_target().await {
            let _unsent = self.records.pop();
            return Err(error);
        }
        if let Err(error) = self.store.append(&self.operation, sequence, &text) {
            let _unwritten = self.records.pop();
            return Err(JournalError::storage(error));
        }
        if is_border
            && !is_needed_first
            && let Err(error) = self.tell_target().await
        {
            tracing::warn!(%error, "the end of the operation was not recorded with the target");
        }
        Ok(())
    }

    fn load(&self) -> Result<Vec<Fact>, JournalError> {
        Ok(self.records.clone())
    }
}

/// How many records two journals have in common, from the first on.
pub fn in_common(one: &[Fact], other: &[Fact]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// Whether the copy on the target tells more than what we have written: it is longer, or parts from ours
/// where another store has taken the operation up. Since then what we know is not how things stand, and
/// whoever went by it would not start what the other one has stopped.
pub fn is_ahead(there: &[Fact], here: &[Fact]) -> bool {
    let is_a_successors = |it: &Fact| {
        matches!(
            it,
            Record::Interrupted
                | Record::Retried
                | Record::Accepted
                | Record::StepStarted { presumed: true, .. }
        )
    };
    let parting = in_common(there, here);
    there.len() > here.len() || there.get(parting).is_some_and(is_a_successors)
}

/// Reads a transaction from the store.
pub fn load(store: &Store, operation: &str) -> Answer<Vec<Fact>> {
    let lines = store.load(operation)?;
    let records = lines.iter().map(|it| serde_json::from_str(it));
    records.collect::<Result<_, _>>().map_err(|it| {
        let message = format!("the journal of operation {operation} cannot be read: {it}");
        CommandError::new("store_too_new", message)
    })
}
