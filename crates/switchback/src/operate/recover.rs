//! Finishes or undoes what was interrupted: our own at once, another store's once its lease has
//! gone unrenewed.

use switchback_core::{Outcome, Record};
use switchback_targets::{
    container::{
        change::{Change, DataMount},
        driver::{ContainerDriver, DriverSetup},
        gate::ShortLooks,
        members::data_of,
        observe::observe,
    },
    keeper::lease::{self, Held, TargetLease},
};

use super::{
    Answer, Request, Surroundings,
    conclude::other_user,
    connect::{Connected, Fact, Kept},
    decisions,
    execute::{Ended, give_back, is_closed, is_over, lease_after, owner},
    journal::{self, TwinJournal},
    now, prepare, report, take_in,
    transact::{Course, Transaction},
    who::{has_ended, is_alive},
};
use crate::{
    error::{CommandError, locked},
    store::Lookup,
};

/// A transaction that was left half-way, or stuck.
#[derive(Debug)]
pub struct Interrupted {
    /// The operation.
    pub operation: String,
    /// What was written of it: all, or only up to the last border if another store ran it.
    pub records: Vec<Fact>,
    /// Whether another store ran it.
    pub is_foreign: bool,
    /// The lease that is still there.
    pub held: Option<Held>,
    /// Whether it may still be worked on although its lease is gone: somebody has removed that, and
    /// its holder goes by its own clock for a while.
    pub is_unwatched: bool,
}

impl Interrupted {
    /// Whether it has ended so that a person must look: no command but `recover` touches it then.
    pub fn is_stuck(&self) -> bool {
        matches!(self.records.last(), Some(Record::Closed { outcome: Outcome::Stuck { .. } }))
    }

    /// Whether it has come to its end already, and only the history does not say so.
    pub fn has_ended(&self) -> bool {
        end_of(&self.records).is_some()
    }
}

/// What to do with what was left half-way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Finish or undo it.
    Finish,
    /// The same, of all that is there: somebody who looks after a stuck one may have stopped its
    /// container on purpose, so that stays stopped.
    FinishAll,
    /// What runs is right.
    AcceptCurrent,
}

/// Looks for a transaction that is not at its end.
pub async fn find(
    around: &Surroundings<'_>,
    connected: &Connected,
    kept: &Kept,
) -> Answer<Option<Interrupted>> {
    let held = lease::look(&connected.engine, connected.target()).await?;
    let ours = around.store.open_operations()?;
    let ours = ours.into_iter().find(|it| it.begun.target_key == connected.target_key());
    if let Some(ours) = ours {
        let records = journal::load(around.store, &ours.begun.id)?;
        let is_theirs = kept.operation.as_ref().is_some_and(|it| *it != ours.begun.id);
        let was_finished_elsewhere =
            kept.operation.as_ref() == Some(&ours.begun.id) && is_closed(&kept.journal);
        let may_work = ours.begun.host != around.who.host || is_alive(ours.begun.pid);
        // Another store's that we have copied stays that: we may have died right after the copy, before we
        // took every step as started that its store may have started since.
        let is_foreign = other_user(&records, &ours.begun).is_some();
        let operation = ours.begun.id;
        // Its end is known, and was not written into the history: we died in between.
        let known = if was_finished_elsewhere { &kept.journal } else { &records };
        if !may_work && end_of(known).is_some() {
            let held = held.filter(|it| it.holder.operation == operation);
            let (records, is_unwatched) = (known.clone(), false);
            return Ok(Some(Interrupted { operation, records, is_foreign, held, is_unwatched }));
        }
        if !(is_theirs || was_finished_elsewhere) {
            let is_unwatched = held.is_none() && may_work;
            // The target hears first of what goes forward, and we may have died before we wrote it here;
            // or another store has gone on with it since.
            let is_ahead = kept.operation.as_ref() == Some(&operation)
                && journal::is_ahead(&kept.journal, &records);
            let records = if is_ahead { kept.journal.clone() } else { records };
            let is_foreign = is_foreign || is_ahead;
            return Ok(Some(Interrupted { operation, records, is_foreign, held, is_unwatched }));
        }
        if !may_work {
            // Whoever has written to the target since has brought it to an end.
            super::conclude::over_elsewhere(around, &operation)?;
        }
    }
    if let Some(operation) = ended_since(around, kept)? {
        let (records, is_unwatched) = (kept.journal.clone(), false);
        let is_foreign = false;
        return Ok(Some(Interrupted { operation, records, is_foreign, held, is_unwatched }));
    }
    let is_open = !kept.journal.is_empty() && !is_closed(&kept.journal);
    match (&kept.operation, is_open) {
        (Some(operation), true) => {
            let known = journal::load(around.store, operation)?;
            // We know its end; only the engine did not hear of it. Nothing is left to be done, and
            // taking it back again would take back what was written since.
            if !known.is_empty() && is_closed(&known) {
                return Ok(lone_lease(held));
            }
            let is_foreign = journal::is_ahead(&kept.journal, &known);
            let records = if is_foreign { kept.journal.clone() } else { known };
            // What is stuck waits for a person, and nobody works on it.
            let is_unwatched =
                held.is_none() && !matches!(records.last(), Some(Record::Closed { .. }));
            let operation = operation.clone();
            Ok(Some(Interrupted { operation, records, is_foreign, held, is_unwatched }))
        }
        _ => Ok(lone_lease(held)),
    }
}

/// An operation that is stuck in our history, and that another store has brought to its end since.
fn ended_since(around: &Surroundings<'_>, kept: &Kept) -> Answer<Option<String>> {
    let Some(operation) = kept.operation.as_ref().filter(|_| end_of(&kept.journal).is_some())
    else {
        return Ok(None);
    };
    let Lookup::Found(known) = around.store.operation(operation)? else { return Ok(None) };
    let is_stuck = known.finished.is_some_and(|it| it.outcome == "stuck");
    Ok(is_stuck.then(|| operation.clone()))
}

/// A lease without a transaction: its holder works, or died before it began anything.
fn lone_lease(held: Option<Held>) -> Option<Interrupted> {
    held.map(|it| Interrupted {
        operation: it.holder.operation.clone(),
        records: Vec::new(),
        is_foreign: true,
        held: Some(it),
        is_unwatched: false,
    })
}

/// Whether the holder of a lease is known to be gone: a process of ours, in this very place, that has
/// ended. Whatever leaves a doubt is waited for until it has expired.
pub fn is_gone(around: &Surroundings<'_>, held: &Held) -> bool {
    let holder = &held.holder;
    // A copy of this store would find our id and perhaps our host's name, but not what we have claimed.
    let is_ours = holder.store == around.store.id() && around.store.is_abandoned(&holder.operation);
    is_ours && has_ended(holder)
}

/// Refuses, without waiting, what somebody seems to work on. A lease that seems to have expired is
/// not refused here: whoever takes it up watches it first.
pub fn refuse_busy(
    around: &Surroundings<'_>,
    interrupted: &Interrupted,
    deployment: &str,
) -> Answer<()> {
    match &interrupted.held {
        Some(held) if !is_gone(around, held) && !held.seems_expired(now()) => {
            Err(locked(held, deployment, now()))
        }
        _ => Ok(()),
    }
}

/// How a journal ended, if it did; one that is stuck has not.
fn end_of(records: &[Fact]) -> Option<Outcome> {
    match records.last()? {
        Record::Closed { outcome: Outcome::Stuck { .. } } => None,
        Record::Closed { outcome } => Some(outcome.clone()),
        Record::Accepted => Some(Outcome::Accepted),
        _ => None,
    }
}

/// Brings a transaction to its end.
pub async fn recover(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    mut interrupted: Interrupted,
    way: Way,
) -> Answer<Option<Ended>> {
    let started_at = now();
    let mut patience_ms = if interrupted.is_unwatched { lease::TERM } else { 0 };
    if let Some(held) = &interrupted.held {
        let is_gone = is_gone(around, held);
        if !is_gone && !lease::has_expired(&connected.engine, connected.target(), held).await? {
            return Err(locked(held, &connected.name, now()));
        }
        lease::take_away(&connected.engine, held).await?;
        // A holder that renewed in the very moment of the removal notices it at its next renewal.
        patience_ms = if is_gone { 0 } else { lease::TERM / 3 + 1_000 };
    }
    if interrupted.records.is_empty() {
        around.store.drop_claim(&interrupted.operation);
        return Ok(None);
    }
    if let Some(outcome) = end_of(&interrupted.records) {
        super::told::tell_target(around, connected, request, &interrupted).await?;
        let (operation, records) = (interrupted.operation, interrupted.records);
        return Ok(Some(Ended {
            operation,
            outcome: Ok(outcome),
            records,
            evidence: None,
            killed: Vec::new(),
            started_at,
        }));
    }
    let data = data(connected, &interrupted.records).await?;
    let before = interrupted.held.as_ref().map(|it| &it.holder);
    let operation = &interrupted.operation;
    let lease = lease_after(around, connected, request, operation, &data, before).await?;
    let renewing = lease.keep_renewing();
    if patience_ms > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(patience_ms)).await;
        // Whoever worked on it may have come to its end meanwhile.
        let (records, has_more) = match latest(around, connected, &interrupted).await {
            Ok((records, has_more)) if !is_closed(&records) => (records, has_more),
            // Nothing was begun: it is over, or still lies there for the next recovery.
            other => {
                drop(renewing);
                give_back(around, &lease).await;
                return other.map(|_| None);
            }
        };
        interrupted.records = records;
        // What another store has added is taken into ours: nothing can be written after a gap.
        interrupted.is_foreign |= has_more;
    }
    let ended =
        Box::pin(run(around, connected, request, &interrupted, way, &lease, started_at)).await;
    if let Ok(ended) = &ended {
        decisions::judge(around, connected, &lease.keeper(), ended).await;
    }
    drop(renewing);
    if ended.as_ref().is_ok_and(is_over) {
        give_back(around, &lease).await;
    } else {
        around.store.keep_claim(&interrupted.operation);
    }
    ended.map(Some)
}

/// All that was written of a transaction by now, and whether the target knows more of it than we do.
async fn latest(
    around: &Surroundings<'_>,
    connected: &Connected,
    interrupted: &Interrupted,
) -> Answer<(Vec<Fact>, bool)> {
    let kept = connected.kept().await?;
    let here = journal::load(around.store, &interrupted.operation)?;
    let is_same = kept.operation.as_ref() == Some(&interrupted.operation);
    let there = if is_same { kept.journal } else { Vec::new() };
    let has_more = journal::is_ahead(&there, &here);
    Ok((if has_more { there } else { here }, has_more))
}

async fn run(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    interrupted: &Interrupted,
    way: Way,
    lease: &TargetLease,
    started_at: u64,
) -> Answer<Ended> {
    let operation = &interrupted.operation;
    if interrupted.is_foreign {
        take_in::take_in(around, connected, request, interrupted, started_at)?;
    }
    let kept = connected.kept().await?;
    let reporter = report::reporter(around, operation, &connected.name);
    let mut driver = ContainerDriver::new(DriverSetup {
        engine: lease.guarded_engine(),
        target: connected.target().to_owned(),
        keeper: lease.keeper(),
        deployment: connected.name.clone(),
        owner: kept.state.as_ref().map_or_else(|| owner(around), |it| it.owner.clone()),
        login: None,
        reference: None,
        state: kept.state,
        reporter: reporter.clone(),
        now,
    });
    if way == Way::FinishAll && interrupted.is_stuck() {
        driver = driver.leaving_what_has_ended();
    }
    let mut gate = prepare::gate(connected);
    gate.short_looks = ShortLooks::after_starts();
    if let Some(Record::Opened { plan, .. }) = interrupted.records.first() {
        gate.beside.clone_from(&plan.gate.expect.beside);
    }
    let records = interrupted.records.clone();
    let mut journal = TwinJournal::new(around.store, operation, records, lease);
    let transaction = Transaction {
        driver: &driver,
        gate: &gate,
        journal: &mut journal,
        lease,
        interrupt: around.interrupt.clone(),
        reporter,
    };
    let is_foreign = interrupted.is_foreign;
    let outcome = Box::pin(transaction.carry_out(Course::Left { way, is_foreign })).await;
    let outcome = outcome.map_err(CommandError::from);
    let (operation, records) = (operation.clone(), journal.records().to_vec());
    let (evidence, killed) = (driver.take_evidence(), driver.take_killed());
    Ok(Ended { operation, outcome, records, evidence, killed, started_at })
}

/// The data that the transaction is about, as its plan names it; else what the container has.
pub(super) async fn data(connected: &Connected, records: &[Fact]) -> Answer<Vec<DataMount>> {
    let planned = records.first().and_then(|it| match it {
        Record::Opened { plan, .. } => plan.steps().find_map(|(_, step)| match &step.change {
            Change::TakeSnapshot { data }
            | Change::HandOverData { data }
            | Change::RestoreData { data, .. } => Some(data.mounts.clone()),
            _ => None,
        }),
        _ => None,
    });
    match planned {
        Some(mounts) => Ok(mounts),
        None => {
            let seen = observe(&connected.engine, connected.target(), None, None).await?;
            Ok(data_of(&seen.members))
        }
    }
}
