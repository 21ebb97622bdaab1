//! Takes over what runs, exactly as it runs.

use serde_json::{Value, json};
use switchback_core::release::{Evidence, Release};
use switchback_targets::{
    container::{
        document::{KeptRelease, TargetState},
        hash::HashKey,
        members::{Doing, Member, data_of},
        observe::{Observed, observe},
        plan::{digest_of, label_of, version_of},
        preflight::owner_refusal,
        specification::{Specification, Surroundings as Around},
    },
    keeper::{self, Keeper, programs},
    patience::within,
};

use super::{
    Answer, Request, Surroundings,
    connect::{Connected, Kept, refuse_strangers},
    decisions,
    detect::followed_by_itself,
    execute::{give_back, known, lease, owner},
    now, prepare,
};
use crate::{
    error::CommandError,
    store::{self, Finish, NewOperation},
};

/// What an adoption would do.
#[derive(Debug)]
pub(crate) struct Adoption {
    observed: Observed,
    way: Way,
}

/// How a container becomes ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is, and what runs is what is recorded.
    Already,
    /// Nobody had it before: what runs is r1.
    First,
    /// It is ours, but something else runs than is recorded: that becomes a release of its own.
    Again,
    /// Another store had it: its releases and snapshots come with it.
    TakeOver,
}

/// Looks, and refuses what cannot be taken over. Nothing is changed.
pub(crate) async fn survey(
    around: &Surroundings<'_>,
    connected: &Connected,
    kept: Kept,
    may_take_over: bool,
) -> Answer<Adoption> {
    let state = kept.state;
    if !may_take_over {
        refuse_strangers(state.as_ref(), around.store.id(), &connected.name)?;
    }
    let observed = observe(&connected.engine, connected.target(), None, state).await?;
    let Some(way) = way(observed.state.as_ref(), observed.target(), around.store.id()) else {
        let message = format!("there is no container {} on this engine", connected.target());
        return Err(CommandError::new("not_found", message).hint("docker ps --all"));
    };
    if let Some(refusal) = owner_refusal(&observed, &connected.settings) {
        return Err(refusal.into());
    }
    Ok(Adoption { observed, way })
}

/// None where there is nothing to take over. Another store's record can be taken over without a
/// container too: it may be about to be installed.
fn way(state: Option<&TargetState>, target: Option<&Member>, store: &str) -> Option<Way> {
    match (state, target) {
        (Some(state), _) if state.owner.store != store => Some(Way::TakeOver),
        (_, None) => None,
        (None, Some(_)) => Some(Way::First),
        (Some(state), Some(target)) => Some(match state.running() {
            None => Way::First,
            Some(running) if running.container == target.id() => Way::Already,
            Some(_) => Way::Again,
        }),
    }
}

impl Adoption {
    /// Whether there is anything to do.
    pub(crate) fn has_changes(&self) -> bool {
        self.way != Way::Already
    }

    /// What a person should know before they agree.
    pub(crate) fn explanation(&self, name: &str) -> String {
        match (self.way, self.observed.state.as_ref()) {
            (Way::TakeOver, Some(state)) => format!(
                "{name} belongs to another store, taken by {}@{}; its {} releases come here, and it may not change {name} any more.",
                state.owner.user,
                state.owner.host,
                state.releases.len()
            ),
            (Way::Again, _) => format!(
                "{name} is not what was left there; what runs now becomes a release of its own."
            ),
            _ => format!("{name} is taken over as it runs; nothing about it is changed."),
        }
    }
}

/// Takes a container over: the record with the target first, then the store's copy of it.
pub(crate) async fn adopt(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    adoption: Adoption,
) -> Answer<Value> {
    let Adoption { observed, way } = adoption;
    let (operation, started_at) = (super::execute::id(), now());
    let state = match (way, observed.state.clone()) {
        (Way::Already, Some(state)) => {
            known(around, connected)?;
            remember(around, connected, &state)?;
            return Ok(document(connected, &observed, &state, "up_to_date"));
        }
        (Way::TakeOver, Some(state)) => {
            let state = ours(around, connected, state);
            // Of a target that was only tried, no release is recorded yet.
            match (state.running(), observed.target()) {
                (None, Some(_)) => {
                    with_running(around, connected, &observed, &operation, state).await?
                }
                _ => state,
            }
        }
        (_, state) => {
            let mut state = state
                .unwrap_or_else(|| TargetState::new(&connected.name, owner(around), &operation));
            state.decisions = decisions::known(around.store, &connected.name, Some(&state))?;
            with_running(around, connected, &observed, &operation, state).await?
        }
    };
    let lease = lease(around, connected, request, &operation, &data_of(&observed.members)).await?;
    let path = format!("{}/state.json", keeper::target_folder(connected.target()));
    let written = write(connected, &observed, &lease.keeper(), &path, &state).await;
    give_back(around, &lease).await;
    written?;
    known(around, connected)?;
    if way == Way::TakeOver {
        decisions::replace(around.store, &connected.name, &state.decisions)?;
    }
    remember(around, connected, &state)?;
    let mut document = document(connected, &observed, &state, "committed");
    document["took_over"] = json!(way == Way::TakeOver);
    document["operation"] = json!(operation);
    write_down(around, connected, "adopt", &operation, started_at, &document)?;
    Ok(document)
}

/// Looks once more under the lease: what somebody else has written since is not overwritten.
async fn write(
    connected: &Connected,
    observed: &Observed,
    keeper: &Keeper,
    path: &str,
    state: &TargetState,
) -> Answer<()> {
    if connected.kept().await?.state != observed.state {
        let message = format!("{} was changed by somebody else at the same moment", connected.name);
        return Err(CommandError::new("plan_stale", message)
            .hint(format!("switchback adopt {}", connected.name)));
    }
    let written = programs::put(&connected.engine, keeper, path, state.write()).await;
    written.map_err(|it| CommandError::new(it.code(), it.to_string()))
}

/// A record with what runs as its newest release, and what that follows.
async fn with_running(
    around: &Surroundings<'_>,
    connected: &Connected,
    observed: &Observed,
    operation: &str,
    mut state: TargetState,
) -> Answer<TargetState> {
    let running = running(around, connected, observed, state.next_number()).await?;
    let followed = decisions::followed(&connected.settings, Some(&state), Some(&running.inspect));
    state.decisions.follows = followed.or(state.decisions.follows);
    Ok(state.after(operation, running, None, &[]))
}

/// Another store's record as ours. Its hashes were made with a key that we do not have.
fn ours(around: &Surroundings<'_>, connected: &Connected, state: TargetState) -> TargetState {
    let key = HashKey::new(around.store.hash_key().as_bytes());
    let mut state =
        TargetState { owner: owner(around), deployment: connected.name.clone(), ..state };
    for kept in &mut state.releases {
        kept.release.specification = key.hash(&kept.specification.body);
    }
    state.decisions = state.decisions.of_another_key();
    state
}

/// What runs, as a release with the evidence of one look.
async fn running(
    around: &Surroundings<'_>,
    connected: &Connected,
    observed: &Observed,
    number: u32,
) -> Answer<KeptRelease> {
    let Some(target) = observed.target() else {
        return Err(CommandError::new("internal", "there is nothing to take over"));
    };
    let facts = connected.engine.facts();
    let specification = Specification::of_running(
        &target.inspect,
        Around { old_image: &target.image, api: facts.api, log_driver: &facts.log_driver },
    );
    let release = Release {
        number,
        version: version_of(target),
        label: label_of(target),
        specification: HashKey::new(around.store.hash_key().as_bytes()).hash(&specification.body),
        at: now(),
        evidence: evidence(connected, target.doing()).await?,
        operation: None,
        snapshot: None,
        irreversible: false,
    };
    Ok(KeptRelease {
        release,
        container: target.id().to_owned(),
        name: target.name().to_owned(),
        image: target.image_id().to_owned(),
        reference: followed_by_itself(target.image_reference()).unwrap_or_default(),
        digest: digest_of(target),
        keep: None,
        specification,
        inspect: target.inspect.clone(),
        dependents: Vec::new(),
    })
}

async fn evidence(connected: &Connected, doing: Doing) -> Answer<Evidence> {
    use switchback_core::HealthGate as _;
    if doing != Doing::Running {
        return Ok(Evidence::Unverified);
    }
    let limit = std::time::Duration::from_millis(connected.settings.health.timeout_ms + 1_000);
    let gate = prepare::gate(connected);
    let seen = within(limit, gate.probe()).await.unwrap_or_default();
    Ok(match (seen.probes.is_empty(), seen.running && seen.probes.iter().all(|it| it.ready)) {
        (true, _) => Evidence::Unverified,
        (false, true) => Evidence::SeenHealthy,
        (false, false) => Evidence::SeenIll,
    })
}

fn document(
    connected: &Connected,
    observed: &Observed,
    state: &TargetState,
    outcome: &str,
) -> Value {
    let mut document = json!({ "deployment": connected.name, "action": "adopt", "trigger": "manual",
        "outcome": outcome, "success": true, "releases": state.releases.len() });
    // Of what another store has only tried, and removed since, there is none.
    if state.current > 0 {
        document["release"] = json!(format!("r{}", state.current));
    }
    if let Some(target) = observed.target() {
        let version = version_of(target);
        document["current_version"] = json!(version);
        document["new_version"] = json!(version);
        if let Some(label) = label_of(target) {
            document["current_label"] = json!(label);
            document["new_label"] = json!(label);
        }
    }
    if let Some(running) = state.running() {
        document["evidence"] = json!(running.release.evidence);
    }
    document
}

/// Writes a change without a transaction into the history, once it is done.
pub(crate) fn write_down(
    around: &Surroundings<'_>,
    connected: &Connected,
    action: &str,
    operation: &str,
    started_at: u64,
    document: &Value,
) -> Answer<()> {
    let who = &around.who;
    around.store.begin(&NewOperation {
        id: operation.to_owned(),
        deployment: connected.name.clone(),
        target_key: connected.target_key(),
        action: action.to_owned(),
        trigger: "manual".to_owned(),
        user: who.user.clone(),
        host: who.host.clone(),
        pid: who.pid,
        command_line: who.command_line.clone(),
        started_at,
    })?;
    let finish = Finish {
        finished_at: now(),
        outcome: document["outcome"].as_str().unwrap_or_default().to_owned(),
        exit_code: 0,
        error_code: None,
        result_json: document.to_string(),
        related: None,
    };
    Ok(around.store.finish(operation, &finish)?)
}

/// Copies what is recorded with the target into the store, less what is secret there.
pub fn remember(
    around: &Surroundings<'_>,
    connected: &Connected,
    state: &TargetState,
) -> Answer<()> {
    let name = &connected.name;
    for kept in &state.releases {
        let release = &kept.release;
        let text = serde_json::to_string(release)
            .map_err(|it| CommandError::new("internal", it.to_string()))?;
        let number = u64::from(release.number);
        around.store.put_release(&store::Release {
            deployment: name.clone(),
            number,
            state: if release.number == state.current { "running" } else { "kept" }.to_owned(),
            version: release.version.clone(),
            label: release.label.clone(),
            created_at: release.at,
            release_json: text,
        })?;
    }
    if state.owner.store == around.store.id() {
        decisions::copy(around.store, name, &state.decisions)?;
    }
    if state.current > 0 {
        around.store.set_current(name, u64::from(state.current))?;
    }
    let is_kept =
        |number: u64| state.releases.iter().any(|it| u64::from(it.release.number) == number);
    for known in around.store.releases(name)? {
        if !is_kept(known.number) {
            let _was_there = around.store.remove_release(name, known.number)?;
        }
    }
    Ok(())
}
