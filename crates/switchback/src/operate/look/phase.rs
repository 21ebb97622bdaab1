//! Where a transaction is, from its records and from who holds the lease.

use switchback_core::{Outcome, Part, Record, event::PhaseName};
use switchback_targets::keeper::lease::Held;

use crate::operate::{connect::Fact, who::is_alive};

/// What is known of a transaction from outside.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    /// What was written of it.
    pub(crate) records: &'a [Fact],
    /// The lease, if somebody has it.
    pub(crate) held: Option<&'a Held>,
    /// The process of the operation that our store has begun and not ended.
    pub(crate) our_pid: Option<u32>,
    /// Our store, and this host.
    pub(crate) us: (&'a str, &'a str),
}

/// The phase that the last record leads into.
pub(crate) fn phase_of(records: &[Fact]) -> PhaseName {
    let Some(Record::Opened { plan, .. }) = records.first() else { return PhaseName::Planning };
    match records.last() {
        Some(Record::Closed { outcome: Outcome::Stuck { .. } }) => return PhaseName::Stuck,
        Some(Record::Closed { .. } | Record::Accepted) => return PhaseName::Idle,
        _ => {}
    }
    let has = |wanted: fn(&Fact) -> bool| records.iter().any(wanted);
    if has(|it| matches!(it, Record::Committed)) {
        return PhaseName::Retiring;
    }
    if has(|it| matches!(it, Record::RollbackStarted { .. } | Record::Interrupted)) {
        return PhaseName::RollingBack;
    }
    let is_end_of_switch = |record: &Fact| {
        matches!(record, Record::StepApplied { step, .. }
            if plan.apply.last().is_some_and(|it| it.id == *step))
    };
    match records.last() {
        Some(Record::Verified { .. }) => PhaseName::Verifying,
        Some(record) if is_end_of_switch(record) => PhaseName::Verifying,
        Some(record) => {
            let part = record.step().and_then(|it| plan.part(it)).unwrap_or(Part::Stage);
            part.phase()
        }
        None => PhaseName::Planning,
    }
}

/// The phase as it is to be shown: what nobody is at work on is interrupted.
pub(crate) fn situation(at: &Situation<'_>) -> PhaseName {
    let phase = phase_of(at.records);
    if phase == PhaseName::Stuck {
        return phase;
    }
    let is_open = !at.records.is_empty() && phase != PhaseName::Idle;
    let is_held = at.held.is_some_and(|it| {
        let holder = &it.holder;
        let is_ours = (holder.store.as_str(), holder.host.as_str()) == at.us;
        !is_ours || holder.pid == std::process::id() || is_alive(holder.pid)
    });
    let works = |pid: u32| pid == std::process::id() || is_alive(pid);
    match (is_open, is_held, at.our_pid) {
        (true, true, _) => phase,
        (true, false, Some(pid)) if works(pid) => phase,
        (true, false, _) => PhaseName::Interrupted,
        (false, true, _) => PhaseName::Planning,
        (false, false, Some(pid)) if works(pid) => PhaseName::Planning,
        (false, false, Some(_)) => PhaseName::Interrupted,
        (false, false, None) if at.held.is_some() => PhaseName::Interrupted,
        (false, false, None) => PhaseName::Idle,
    }
}
