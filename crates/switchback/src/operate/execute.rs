//! Takes the lease, looks again, and runs the transaction.

use switchback_core::{
    Outcome, Record,
    event::{EventKind, StepTitle},
    lease::Holder,
};
use switchback_targets::{
    container::{
        change::{Change, DataMount},
        document::Owner,
        driver::{ContainerDriver, DriverSetup, Evidence},
        gate::ShortLooks,
        killed::Killed,
        members::data_of,
    },
    keeper::{
        lease::{LeaseError, TargetLease, acquire},
        programs,
    },
    registry::EngineLogin,
};

use super::{
    Answer, Request, Surroundings,
    connect::{Connected, Fact, refuse_strangers},
    decisions,
    journal::TwinJournal,
    now,
    prepare::{self, Prepared},
    report,
    transact::{Course, Transaction},
};
use crate::{
    error::{CommandError, locked},
    operate::who::new_operation,
    store::NewOperation,
};

/// What became of a transaction.
#[derive(Debug)]
pub struct Ended {
    /// The operation.
    pub operation: String,
    /// How it ended; an error where the lease went to somebody else.
    pub outcome: Result<Outcome, CommandError>,
    /// Everything that was written.
    pub records: Vec<Fact>,
    /// What was kept of a version that was taken back.
    pub evidence: Option<Evidence>,
    /// Containers that did not end when they were asked to.
    pub killed: Vec<Killed>,
    /// When it began, in milliseconds since the epoch.
    pub started_at: u64,
}

/// Runs a prepared operation. Its id is the one that it was prepared with.
pub async fn execute(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    prepared: &Prepared,
) -> Answer<Ended> {
    let started_at = now();
    let operation = prepared.desired.operation.clone();
    let data = data_of(&prepared.observed.members);
    let lease = lease(around, connected, request, &operation, &data).await?;
    let renewing = lease.keep_renewing();
    let again = match Box::pin(ready(around, connected, request, prepared, &lease)).await {
        Ok(again) => again,
        Err(error) => {
            drop(renewing);
            give_back(around, &lease).await;
            return Err(error);
        }
    };
    let ended = Box::pin(run(around, connected, request, &again, &lease, started_at)).await;
    if let Ok(ended) = &ended {
        decisions::judge(around, connected, &lease.keeper(), ended).await;
    }
    drop(renewing);
    // An error here is one from before the transaction began.
    if ended.as_ref().map_or(true, is_over) {
        give_back(around, &lease).await;
    } else {
        around.store.keep_claim(&operation);
    }
    ended
}

/// Gives the lease back. What was done is done, even if the engine does not take it: the next
/// command finds a lease whose holder is gone.
pub async fn give_back(around: &Surroundings<'_>, lease: &TargetLease) {
    if let Err(error) = lease.release().await {
        around.store.keep_claim(&lease.holder().operation);
        tracing::warn!(%error, "the lease was not given back");
    }
}

/// A stuck transaction keeps its volumes held and its lease, so that nobody plans over it.
pub fn is_over(ended: &Ended) -> bool {
    matches!(&ended.outcome, Ok(outcome) if !matches!(outcome, Outcome::Stuck { .. }))
}

/// Asks for the lease, and waits as long as was asked for whoever holds it.
pub async fn lease(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    operation: &str,
    data: &[DataMount],
) -> Answer<TargetLease> {
    lease_after(around, connected, request, operation, data, None).await
}

/// The same after it was taken away from a holder, whose successor it will name.
pub async fn lease_after(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    operation: &str,
    data: &[DataMount],
    before: Option<&Holder>,
) -> Answer<TargetLease> {
    let generation = before.map_or(1, |it| it.generation + 1);
    around.store.claim(operation);
    let deadline =
        tokio::time::Instant::now() + std::time::Duration::from_millis(request.lock_timeout_ms);
    loop {
        let holder = around.who.holder(around.store.id(), operation, now(), generation);
        match acquire(&connected.engine, connected.target(), holder, data).await {
            Ok(lease) => return Ok(lease),
            Err(LeaseError::Held(held)) if tokio::time::Instant::now() >= deadline => {
                return Err(locked(&held, &connected.name, now()));
            }
            Err(LeaseError::Held(_)) => {
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
            Err(LeaseError::Engine(error)) => return Err(error.into()),
        }
    }
}

/// Looks again under the lease: the plan has to be the one that was shown.
async fn ready(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    prepared: &Prepared,
    lease: &TargetLease,
) -> Answer<Prepared> {
    let again = prepare::again(around, connected, request, prepared).await?;
    // Another store may have taken it while we waited for the lease.
    refuse_strangers(again.observed.state.as_ref(), around.store.id(), &connected.name)?;
    if again.fingerprint != prepared.fingerprint || again.planned.is_none() {
        let message = format!("{} has changed since the plan was made", connected.name);
        return Err(CommandError::new("plan_stale", message)
            .hint(format!("switchback plan {}", connected.name)));
    }
    if again.takes_snapshot() {
        room_for_snapshot(connected, &again, lease).await?;
    }
    Ok(again)
}

/// The worst moment holds the snapshot and, on the way back, what the failed version wrote.
async fn room_for_snapshot(
    connected: &Connected,
    prepared: &Prepared,
    lease: &TargetLease,
) -> Answer<()> {
    let steps = prepared.planned.iter().flat_map(|it| &it.plan.apply);
    let data = steps.into_iter().find_map(|it| match &it.change {
        Change::TakeSnapshot { data } => Some(data),
        _ => None,
    });
    let Some(data) = data else { return Ok(()) };
    let usage = programs::usage(&connected.engine, &lease.keeper(), data).await;
    let usage = usage.map_err(|it| CommandError::new(it.code(), it.to_string()))?;
    let needed: u64 = usage.bytes.values().sum::<u64>().saturating_mul(2);
    match usage.free_bytes.filter(|it| *it < needed) {
        None => Ok(()),
        Some(free) => {
            let mebibytes = |it: u64| it >> 20;
            let message = format!(
                "a snapshot of {} and the way back take up to {} MiB, but only {} MiB are free",
                connected.name,
                mebibytes(needed),
                mebibytes(free)
            );
            Err(CommandError::new("no_space", message).hint("switchback gc"))
        }
    }
}

async fn run(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    prepared: &Prepared,
    lease: &TargetLease,
    started_at: u64,
) -> Answer<Ended> {
    let Some(planned) = &prepared.planned else {
        return Err(CommandError::new("internal", "there is no plan to run"));
    };
    let operation = &prepared.desired.operation;
    begin(around, connected, request, operation, started_at)?;
    let reporter = report::reporter(around, operation, &connected.name);
    let titles = planned.plan.steps().map(|(part, step)| StepTitle {
        step: step.id.0,
        phase: part.phase(),
        title: step.change.to_string(),
    });
    let action = request.goal.action().to_owned();
    reporter.send(now(), EventKind::Started { action, steps: titles.collect() });
    let login = login(around, prepared).await;
    let setup = setup(around, connected, prepared, lease, login, reporter.clone());
    let is_cloned = connected.settings.run.is_none();
    let driver = ContainerDriver::new(setup).with_plan(planned, &prepared.observed, is_cloned);
    let mut gate = prepare::gate(connected);
    gate.short_looks = ShortLooks::after_starts();
    gate.beside.clone_from(&planned.plan.gate.expect.beside);
    let mut journal = TwinJournal::new(around.store, operation, Vec::new(), lease);
    let transaction = Transaction {
        driver: &driver,
        gate: &gate,
        journal: &mut journal,
        lease,
        interrupt: around.interrupt.clone(),
        reporter,
    };
    let outcome =
        Box::pin(transaction.carry_out(Course::New(Box::new(planned.plan.clone())))).await;
    let outcome = outcome.map_err(CommandError::from);
    let (operation, records) = (operation.clone(), journal.records().to_vec());
    let (evidence, killed) = (driver.take_evidence(), driver.take_killed());
    Ok(Ended { operation, outcome, records, evidence, killed, started_at })
}

/// Writes down that an operation begins, before anything of it happens.
pub fn begin(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    operation: &str,
    started_at: u64,
) -> Answer<()> {
    let who = &around.who;
    around.store.reserve()?;
    known(around, connected)?;
    Ok(around.store.begin(&NewOperation {
        id: operation.to_owned(),
        deployment: connected.name.clone(),
        target_key: connected.target_key(),
        action: request.goal.action().to_owned(),
        trigger: request.trigger().to_owned(),
        user: who.user.clone(),
        host: who.host.clone(),
        pid: who.pid,
        command_line: who.command_line.clone(),
        started_at,
    })?)
}

/// Writes the deployment down.
pub fn known(around: &Surroundings<'_>, connected: &Connected) -> Answer<()> {
    let target = serde_json::json!({ "container": connected.target() }).to_string();
    let new = crate::store::NewDeployment {
        name: &connected.name,
        kind: "container",
        engine: &connected.engine.location().url,
        target_key: &connected.target_key(),
        target_json: &target,
    };
    Ok(around.store.put_deployment(new, now())?)
}

async fn login(around: &Surroundings<'_>, prepared: &Prepared) -> Option<EngineLogin> {
    let reference = prepared.reference.as_ref()?;
    let login = around.registry.login_for(reference).await;
    login.to_engine_header_parts(reference.login_server())
}

fn setup(
    around: &Surroundings<'_>,
    connected: &Connected,
    prepared: &Prepared,
    lease: &TargetLease,
    login: Option<EngineLogin>,
    reporter: switchback_core::Reporter,
) -> DriverSetup {
    DriverSetup {
        engine: lease.guarded_engine(),
        target: connected.target().to_owned(),
        keeper: lease.keeper(),
        deployment: connected.name.clone(),
        owner: owner(around),
        login,
        reference: prepared
            .reference
            .as_ref()
            .map(switchback_targets::registry::Reference::familiar),
        state: prepared.observed.state.clone(),
        reporter,
        now,
    }
}

/// Us, as the owner of a target.
pub fn owner(around: &Surroundings<'_>) -> Owner {
    Owner {
        store: around.store.id().to_owned(),
        user: around.who.user.clone(),
        host: around.who.host.clone(),
        since: now(),
    }
}

/// The id that an operation will have.
pub fn id() -> String {
    new_operation(now())
}

/// Whether a journal has come to its end.
pub fn is_closed(records: &[Fact]) -> bool {
    match records.last() {
        None | Some(Record::Accepted) => true,
        Some(Record::Closed { outcome }) => !matches!(outcome, Outcome::Stuck { .. }),
        Some(_) => false,
    }
}
