//! What was decided about a target: kept with it, and copied into the store for those who only look.
//!
//! An entry is written in both places and is taken out of both; where one of them could not be written,
//! the other one counts. Only what another store has decided replaces what is known here.

use serde_json::json;
use switchback_core::{
    Outcome, Record,
    release::{Rejected, Release, way_back},
};
use switchback_targets::{
    container::{
        change::{Change, CommitDraft},
        decisions::Decisions,
        document::TargetState,
        observe::Observed,
        plan::Planned,
        settings::ContainerSettings,
    },
    keeper::{self, Keeper, programs},
    registry::Reference,
};

use super::{
    Answer, Request, Surroundings, Wanted,
    clear::told,
    connect::{Connected, Fact, refuse_strangers},
    detect::followed_by_itself,
    execute::{Ended, give_back, id, lease, owner},
    now,
};
use crate::{error::CommandError, store::Store};

/// What the store knows of a deployment.
fn in_store(store: &Store, name: &str) -> Answer<Decisions> {
    let mut known = Decisions { held_at: store.hold(name)?, ..Decisions::default() };
    for it in store.quarantine(name)? {
        known.reject(Rejected {
            version: it.version,
            specification: it.spec_fingerprint.unwrap_or_default(),
            reason: it.reason,
            at: it.added_at,
        });
    }
    Ok(known)
}

/// What is known of a deployment, with its target and here.
pub(crate) fn known(store: &Store, name: &str, state: Option<&TargetState>) -> Answer<Decisions> {
    let recorded = state.map(|it| it.decisions.clone()).unwrap_or_default();
    Ok(recorded.with(in_store(store, name)?))
}

/// What will be decided once what is asked for is committed.
pub(crate) fn after(
    store: &Store,
    connected: &Connected,
    request: &Request,
    observed: &Observed,
    reference: Option<&Reference>,
) -> Answer<Decisions> {
    let mut decisions = known(store, &connected.name, observed.state.as_ref())?;
    if let Wanted::Update { to } = &request.goal {
        decisions.held_at = to.as_ref().and(reference).map(Reference::familiar);
    }
    let target = observed.target();
    let followed =
        followed(&connected.settings, observed.state.as_ref(), target.map(|it| &it.inspect));
    decisions.follows = followed.or(decisions.follows);
    Ok(decisions)
}

/// The reference that a deployment follows: what is configured; else what is recorded of the container
/// that runs, which may be held elsewhere; else what that was made from, less the digest.
pub(crate) fn followed(
    settings: &ContainerSettings,
    state: Option<&TargetState>,
    inspect: Option<&serde_json::Value>,
) -> Option<String> {
    let recorded = || {
        let state = state?;
        let is_it = state.running()?.container == inspect?["Id"].as_str()?;
        state.decisions.follows.clone().filter(|_| is_it)
    };
    let made_from = || followed_by_itself(inspect?["Config"]["Image"].as_str()?);
    settings.image.clone().or_else(recorded).or_else(made_from)
}

/// The release that a rollback goes to.
pub(crate) fn release_to_go_to(
    store: &Store,
    connected: &Connected,
    state: Option<&TargetState>,
    wanted: Option<u32>,
) -> Answer<u32> {
    let releases: Vec<Release> =
        state.into_iter().flat_map(|it| &it.releases).map(|it| it.release.clone()).collect();
    let known = known(store, &connected.name, state)?;
    let is_rejected = |it: &Release| known.rejection_of(&it.version, &it.specification).is_some();
    let running = state.map_or(0, |it| it.current);
    let found = way_back(&releases, running, wanted, is_rejected);
    found.map(|it| it.number).map_err(|it| {
        CommandError::new("no_previous_release", it.to_string())
            .hint(format!("switchback show {}", connected.name))
    })
}

/// What was rejected is skipped until something newer exists or a person names it.
pub(crate) fn refuse_rejected(
    store: &Store,
    connected: &Connected,
    request: &Request,
    state: Option<&TargetState>,
    planned: &Planned,
) -> Answer<()> {
    let (name, release) = (&connected.name, &planned.release);
    let known = known(store, name, state)?;
    let found = known.rejection_of(&release.version, &release.specification);
    let Some(rejected) = found.filter(|_| !request.force) else { return Ok(()) };
    let message = format!("{} was rejected: {}", release.version, rejected.reason);
    Err(CommandError::new("quarantined", message)
        .hint(format!("switchback quarantine {name} clear   # or name it: switchback update {name} --to {} --force", release.version)))
}

/// Copies what is decided into the store. What is known only here stays; each write waits for the disk,
/// so what is known already is not written again.
pub(crate) fn copy(store: &Store, name: &str, decisions: &Decisions) -> Answer<()> {
    let here = in_store(store, name)?;
    for it in decisions.rejected.iter().filter(|it| !here.rejected.contains(it)) {
        let specification = Some(it.specification.as_str()).filter(|it| !it.is_empty());
        store.add_quarantine(name, &it.version, specification, &it.reason, it.at)?;
    }
    match &decisions.held_at {
        Some(reference) if here.held_at.as_ref() != Some(reference) => {
            Ok(store.set_hold(name, reference)?)
        }
        _ => Ok(()),
    }
}

/// Makes the store's copy this one.
pub(crate) fn replace(store: &Store, name: &str, decisions: &Decisions) -> Answer<()> {
    let here = in_store(store, name)?;
    for it in here.rejected.iter().filter(|it| !decisions.rejected.contains(it)) {
        let _removed = store.clear_quarantine(name, Some(&it.version))?;
    }
    if here.held_at.is_some() && decisions.held_at.is_none() {
        let _was_held = store.release_hold(name)?;
    }
    copy(store, name, decisions)
}

/// Copies what a committed operation has decided into the store; it is with the target by then.
pub(crate) fn committed(
    around: &Surroundings<'_>,
    connected: &Connected,
    ended: &Ended,
) -> Answer<()> {
    let decided = commit_of(&ended.records).and_then(|it| it.decisions.as_ref());
    let Some(decided) = decided.filter(|_| matches!(ended.outcome, Ok(Outcome::Committed))) else {
        return Ok(());
    };
    replace(around.store, &connected.name, decided)
}

fn commit_of(records: &[Fact]) -> Option<&CommitDraft> {
    let Some(Record::Opened { plan, .. }) = records.first() else { return None };
    plan.seal.iter().find_map(|it| match &it.change {
        Change::RecordRelease { commit } => Some(&**commit),
        _ => None,
    })
}

/// What the end of an operation says about the release itself; interruptions, drift and full disks
/// say nothing. A release that was committed before is known to be good: a way back to it that failed
/// says nothing about it either.
fn verdict(ended: &Ended) -> Option<Rejected> {
    let cause = match ended.outcome.as_ref().ok()? {
        Outcome::RolledBack { cause }
        | Outcome::Failed { cause }
        | Outcome::Stuck { cause, .. } => cause,
        Outcome::Committed | Outcome::Accepted => return None,
    };
    let release = &commit_of(&ended.records)?.release;
    let is_new = release.operation.as_ref() == Some(&ended.operation);
    (cause.is_verdict() && is_new).then(|| Rejected {
        version: release.version.clone(),
        specification: release.specification.clone(),
        reason: cause.to_string(),
        at: now(),
    })
}

/// Notes the end of an operation with the target, whose lease we hold, and its verdict there and here.
/// What became of the target is the result, even where this cannot be written.
pub(crate) async fn judge(
    around: &Surroundings<'_>,
    connected: &Connected,
    keeper: &Keeper,
    ended: &Ended,
) {
    // The commit has noted its own end; what is stuck has none yet.
    let is_noted = matches!(ended.outcome, Ok(Outcome::Committed) | Err(_));
    if is_noted {
        return;
    }
    let verdict = verdict(ended);
    if let Some(rejected) = verdict.clone() {
        let decided = Decisions { rejected: vec![rejected], ..Decisions::default() };
        if let Err(error) = copy(around.store, &connected.name, &decided) {
            tracing::warn!(%error, "the verdict was not written into the store");
        }
    }
    let has_ended = !matches!(ended.outcome, Ok(Outcome::Stuck { .. }));
    let kept = keep(around, connected, keeper, verdict.is_some(), |state| {
        if let Some(rejected) = verdict {
            state.decisions.reject(rejected);
        }
        if has_ended {
            state.note_end(&ended.operation);
        }
    });
    if let Err(error) = kept.await {
        tracing::warn!(%error, "the end of the operation was not written to the target");
    }
}

/// Changes the target's record under its lease. Of a target that nobody has, it `makes` a record
/// without releases, or leaves it without one.
async fn keep(
    around: &Surroundings<'_>,
    connected: &Connected,
    keeper: &Keeper,
    makes: bool,
    change: impl FnOnce(&mut TargetState),
) -> Answer<()> {
    let before = connected.kept().await?.state;
    let fresh = || TargetState::new(&connected.name, owner(around), "");
    let Some(mut state) = before.clone().or_else(|| makes.then(fresh)) else { return Ok(()) };
    change(&mut state);
    if before.as_ref() == Some(&state) {
        return Ok(());
    }
    let path = format!("{}/state.json", keeper::target_folder(connected.target()));
    programs::put(&connected.engine, keeper, &path, state.write()).await.map_err(told)
}

/// Changes what is decided about a target that is ours: with it, then here. Takes the lease only where
/// something changes there.
pub(crate) async fn change(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    change: impl Fn(&mut Decisions),
) -> Answer<()> {
    let name = &connected.name;
    let state = connected.kept().await?.state;
    refuse_strangers(state.as_ref(), around.store.id(), name)?;
    if let Some(state) = state {
        let mut wanted = state.decisions.clone();
        change(&mut wanted);
        if wanted != state.decisions {
            let lease = lease(around, connected, request, &id(), &[]).await?;
            let written =
                keep(around, connected, &lease.keeper(), false, |it| change(&mut it.decisions))
                    .await;
            give_back(around, &lease).await;
            written?;
        }
    }
    change_here(around.store, name, change)
}

/// Changes what is decided in the store alone.
pub(crate) fn change_here(
    store: &Store,
    name: &str,
    change: impl Fn(&mut Decisions),
) -> Answer<()> {
    let mut here = in_store(store, name)?;
    change(&mut here);
    replace(store, name, &here)
}

/// A wish that finds nothing to do is a wish all the same: `--to` holds, a plain update lets go.
pub(crate) async fn wish(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    decisions: &Decisions,
) -> Answer<()> {
    let Wanted::Update { .. } = &request.goal else { return Ok(()) };
    let (held_at, follows) = (decisions.held_at.clone(), decisions.follows.clone());
    let is_known = in_store(around.store, &connected.name)?.held_at == held_at;
    let state = connected.kept().await?.state;
    if is_known && state.is_none_or(|it| it.decisions.held_at == held_at) {
        return Ok(());
    }
    change(around, connected, request, |it| {
        it.held_at.clone_from(&held_at);
        it.follows = follows.clone().or(it.follows.take());
    })
    .await
}

/// What a person should know where a wish could not be written down.
pub(crate) fn not_kept(error: &CommandError) -> serde_json::Value {
    json!(format!("what was asked for is not recorded: {error}"))
}
