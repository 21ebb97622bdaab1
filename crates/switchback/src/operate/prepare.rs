//! Looks at a deployment and plans, and changes nothing.

use serde_json::{Value, json};
use switchback_core::{Baseline, HealthGate, PlanError, Reporter};
use switchback_targets::{
    container::{
        change::Change,
        decisions::Decisions,
        document::TargetState,
        gate::{ContainerGate, ShortLooks, keeps_restarting},
        goal::{Desired, Goal, IncomingImage},
        hash::HashKey,
        members::Doing,
        observe::{FoundSnapshot, Observed, observe},
        plan::{Planned, digest_of, plan},
        settings::key_of,
    },
    keeper,
    patience::within,
    probe::HttpClient,
    registry::{Detection, Platform, Reference, UnknownReason},
};

use super::{
    Answer, Request, Surroundings, Wanted,
    connect::{Connected, Kept},
    decisions,
    detect::{Comparison, compare, local_image},
    now,
};
use crate::{error::CommandError, store::Store};

/// What an operation would do.
#[derive(Debug)]
pub struct Prepared {
    /// What was seen.
    pub observed: Observed,
    /// What is wanted.
    pub desired: Desired,
    /// The plan; none where there is nothing to do, or a check says no.
    pub planned: Option<Planned>,
    /// Why it may not be carried out.
    pub refused: Option<CommandError>,
    /// The image reference that is followed.
    pub reference: Option<Reference>,
    /// Says whether this plan is the one that a person saw.
    pub fingerprint: String,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Looks and plans. What would be refused is an error.
pub async fn prepare(
    around: &Surroundings<'_>,
    connected: &Connected,
    kept: &Kept,
    request: &Request,
    operation: &str,
) -> Answer<Prepared> {
    Box::pin(survey(around, connected, kept, request, operation)).await?.accepted()
}

/// Looks and plans, also what would be refused.
pub async fn survey(
    around: &Surroundings<'_>,
    connected: &Connected,
    kept: &Kept,
    request: &Request,
    operation: &str,
) -> Answer<Prepared> {
    let state = kept.state.clone();
    let target = connected.target();
    let (reference, mut observed) = look(connected, request, target, state).await?;
    let mut warnings = Vec::new();
    let goal = match &request.goal {
        Wanted::Update { .. } => {
            let reference = reference.as_ref().ok_or_else(|| not_found(connected, &observed))?;
            Goal::Update(Box::new(
                incoming(around, connected, &observed, reference, &mut warnings).await?,
            ))
        }
        Wanted::Rollback { to, with_data } => {
            observed.found.snapshots = snapshots(connected, observed.state.as_ref()).await?;
            let state = observed.state.as_ref();
            let number = decisions::release_to_go_to(around.store, connected, state, *to)?;
            Goal::Rollback { number, with_data: *with_data }
        }
    };
    let desired = Desired {
        operation: operation.to_owned(),
        now: now(),
        settings: connected.settings.clone(),
        goal,
        key: HashKey::new(around.store.hash_key().as_bytes()),
        decisions: Decisions::default(),
        accept_loss: request.accept_loss,
    };
    // A plan that changes nothing has nothing to be measured against.
    if !matches!(plan(&observed, &desired), Err(PlanError::NothingToDo { .. })) {
        observed.baseline = baseline(connected, &observed).await?;
    }
    finish(around, connected, request, observed, desired, reference, warnings)
}

/// Whether what is configured differs from what runs, the image apart.
pub(crate) async fn is_changed(store: &Store, connected: &Connected) -> Answer<bool> {
    let state = connected.kept().await?.state;
    let configured = connected.settings.image.clone();
    let observed =
        observe(&connected.engine, connected.target(), configured.as_deref(), state).await?;
    let inspect = observed.target().map(|it| &it.inspect);
    let followed = decisions::followed(&connected.settings, observed.state.as_ref(), inspect);
    let Some(followed) = followed else { return Ok(false) };
    let desired = Desired {
        operation: "check".to_owned(),
        now: 0,
        settings: connected.settings.clone(),
        goal: Goal::Update(Box::new(as_it_is(&observed, &followed.parse()?))),
        key: HashKey::new(store.hash_key().as_bytes()),
        decisions: Decisions::default(),
        accept_loss: true,
    };
    // What refuses an update is said by `plan`; here only whether there would be one counts.
    Ok(plan(&observed, &desired).is_ok())
}

/// Plans from what was seen.
fn finish(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    observed: Observed,
    desired: Desired,
    reference: Option<Reference>,
    warnings: Vec<String>,
) -> Answer<Prepared> {
    let decided =
        decisions::after(around.store, connected, request, &observed, reference.as_ref())?;
    let desired = Desired { decisions: decided, ..desired };
    let (planned, mut refused) = match plan(&observed, &desired) {
        Ok(planned) => (Some(planned), None),
        Err(PlanError::NothingToDo { .. }) => (None, None),
        Err(error) => (None, Some(error.into())),
    };
    if let (Some(planned), Goal::Update(_)) = (&planned, &desired.goal) {
        let state = observed.state.as_ref();
        let rejected = decisions::refuse_rejected(around.store, connected, request, state, planned);
        let allowed =
            rejected.and_then(|()| super::ports::refuse_taken(connected, observed.target()));
        refused = allowed.err();
    }
    let fingerprint = fingerprint(&observed, &desired);
    Ok(Prepared { observed, desired, planned, refused, reference, fingerprint, warnings })
}

/// Plans again under the lease, from another look: nothing but containers may have changed.
pub async fn again(
    around: &Surroundings<'_>,
    connected: &Connected,
    request: &Request,
    earlier: &Prepared,
) -> Answer<Prepared> {
    let state = connected.kept().await?.state;
    let followed = earlier.reference.as_ref().map(Reference::familiar);
    let mut observed =
        observe(&connected.engine, connected.target(), followed.as_deref(), state).await?;
    observed.baseline.clone_from(&earlier.observed.baseline);
    observed.found.snapshots.clone_from(&earlier.observed.found.snapshots);
    let (desired, reference) = (earlier.desired.clone(), earlier.reference.clone());
    finish(around, connected, request, observed, desired, reference, earlier.warnings.clone())?
        .accepted()
}

/// Looks at the target and at the image it follows, or at what a person names, which may be a tag of
/// that.
async fn look(
    connected: &Connected,
    request: &Request,
    target: &str,
    state: Option<TargetState>,
) -> Answer<(Option<Reference>, Observed)> {
    let running = match &connected.settings.image {
        Some(_) => None,
        None => connected.engine.container(target).await?,
    };
    let followed = decisions::followed(&connected.settings, state.as_ref(), running.as_ref());
    let wanted = match &request.goal {
        Wanted::Update { to: Some(to) } => Some(named(to, followed.as_deref())),
        Wanted::Update { to: None } | Wanted::Rollback { .. } => followed,
    };
    let reference = wanted.map(|it| it.parse::<Reference>()).transpose()?;
    // Asked for by the same words as in the look under the lease, or the plans would differ.
    let familiar = reference.as_ref().map(Reference::familiar);
    let observed = observe(&connected.engine, target, familiar.as_deref(), state).await?;
    Ok((reference, observed))
}

fn not_found(connected: &Connected, observed: &Observed) -> CommandError {
    let target = connected.target();
    if observed.target().is_some() {
        let message =
            format!("{target} was made from an image without a name: nothing can be followed");
        return CommandError::new("not_found", message).hint(format!(
            "docker image ls   # then: switchback config set {} REPOSITORY:TAG",
            key_of(&connected.name, ".image")
        ));
    }
    let message = format!("there is no container {target} on this engine");
    CommandError::new("not_found", message).hint("docker ps --all")
}

/// `--to` takes a whole reference, a tag, or a digest of the followed repository.
pub(crate) fn named(to: &str, followed: Option<&str>) -> String {
    let repository = followed.and_then(|it| it.parse::<Reference>().ok());
    let Some(repository) = repository.map(|it| it.familiar_name()) else { return to.to_owned() };
    if to.starts_with("sha256:") {
        return format!("{repository}@{to}");
    }
    if to.contains('/') || to.contains(':') || to.contains('@') {
        return to.to_owned();
    }
    format!("{repository}:{to}")
}

async fn incoming(
    around: &Surroundings<'_>,
    connected: &Connected,
    observed: &Observed,
    reference: &Reference,
    warnings: &mut Vec<String>,
) -> Answer<IncomingImage> {
    // A fake world has a registry of its own, which is asked without any network.
    #[cfg(test)]
    if let Some(image) = super::tests::incoming(reference) {
        return Ok(image);
    }
    let Some(target) = observed.target() else {
        return newer(around, connected, observed, reference, None).await;
    };
    let mut compared = compare(around.registry, reference, &local_image(&target.image)).await;
    if let Some(Err(error)) = compared.resolved.take() {
        return Err(error.into());
    }
    let Comparison { head, detection, .. } = compared;
    match detection {
        Detection::UpToDate => Ok(as_it_is(observed, reference)),
        Detection::Unknown { reason: UnknownReason::Pinned } => {
            let name = reference.familiar();
            warnings
                .push(format!("{name} names one fixed version: nothing newer can appear under it"));
            Ok(as_it_is(observed, reference))
        }
        Detection::Newer { digest } => {
            newer(around, connected, observed, reference, Some(&digest)).await
        }
        Detection::NeedsResolve | Detection::Unknown { .. } if head.is_err() => match head {
            Err(error) => Err(error.into()),
            Ok(_) => Ok(as_it_is(observed, reference)),
        },
        Detection::NeedsResolve | Detection::Unknown { .. } => {
            // An image that was built here: a changed configuration can still be applied to it.
            if connected.settings.run.is_some() {
                return Ok(as_it_is(observed, reference));
            }
            let message = format!(
                "whether {} is newer than what runs cannot be told: the image of {} was never in a registry",
                reference.familiar(),
                connected.target()
            );
            Err(CommandError::new("preflight_failed", message).hint(format!(
                "docker image ls   # then: switchback update {} --to REPOSITORY:TAG",
                connected.name
            )))
        }
    }
}

/// What runs, as the image to install.
fn as_it_is(observed: &Observed, reference: &Reference) -> IncomingImage {
    let (image, digest, id) = observed.target().map_or((Value::Null, None, None), |it| {
        (it.image.clone(), digest_of(it), Some(it.image_id().to_owned()))
    });
    let label = image["Config"]["Labels"]["org.opencontainers.image.version"].as_str();
    IncomingImage {
        reference: reference.familiar(),
        digest,
        id,
        config: image["Config"].clone(),
        label: label.map(str::to_owned),
        size_bytes: None,
        os: observed.engine.os.clone(),
        architecture: observed.engine.architecture.clone(),
    }
}

/// Two small requests tell everything about a version before any of it is pulled.
async fn newer(
    around: &Surroundings<'_>,
    connected: &Connected,
    observed: &Observed,
    reference: &Reference,
    digest: Option<&str>,
) -> Answer<IncomingImage> {
    let facts = &observed.engine;
    let platform = Platform::new(&facts.os, &facts.architecture, None);
    let exact = digest.map_or_else(|| reference.clone(), |it| reference.with_digest(it));
    let resolved = around.registry.resolve(&exact, &platform).await?;
    let digest = format!("{}@{}", reference.familiar_name(), resolved.digest());
    let here = connected.engine.image(&digest).await?;
    let platform = resolved.platform();
    Ok(IncomingImage {
        reference: reference.familiar(),
        digest: Some(digest),
        id: here.and_then(|it| it["Id"].as_str().map(str::to_owned)),
        config: resolved.config["config"].clone(),
        label: resolved.label.clone(),
        size_bytes: Some(resolved.compressed_size_bytes),
        os: platform.os,
        architecture: platform.architecture,
    })
}

async fn snapshots(
    connected: &Connected,
    state: Option<&TargetState>,
) -> Answer<Vec<FoundSnapshot>> {
    let mut found = Vec::new();
    for release in state.into_iter().flat_map(|it| &it.releases) {
        let Some(snapshot) = &release.release.snapshot else { continue };
        let operation = snapshot.operation.clone();
        let mounts =
            keeper::snapshot_mounts(&connected.engine, connected.target(), &operation).await?;
        found.extend(mounts.map(|mounts| FoundSnapshot { operation, mounts }));
    }
    Ok(found)
}

/// Looks at the running version as the gate will, so that a way back is held to no more.
async fn baseline(connected: &Connected, observed: &Observed) -> Answer<Option<Baseline>> {
    let Some(target) = observed.target() else { return Ok(None) };
    if target.doing() != Doing::Running {
        return Ok(Some(Baseline::default()));
    }
    let limit = std::time::Duration::from_millis(connected.settings.health.timeout_ms + 1_000);
    let gate = gate(connected);
    let seen = within(limit, gate.probe()).await.unwrap_or_default();
    let restarting = keeps_restarting(&target.inspect, jiff::Timestamp::now());
    Ok(Some(Baseline { running: seen.running, probes: seen.probes, restarting }))
}

/// The gate of a deployment.
pub fn gate(connected: &Connected) -> ContainerGate {
    gate_with(connected, HttpClient::default())
}

/// The gate of a deployment, with an HTTP client that others use too.
pub fn gate_with(connected: &Connected, client: HttpClient) -> ContainerGate {
    ContainerGate {
        short_looks: ShortLooks::default(),
        engine: connected.engine.clone(),
        name: connected.target().to_owned(),
        beside: Vec::new(),
        health: connected.settings.health.clone(),
        client,
    }
}

/// The same plan has the same fingerprint: planned once more with nothing of this moment in it.
fn fingerprint(observed: &Observed, desired: &Desired) -> String {
    let observed = Observed { baseline: None, ..observed.clone() };
    let desired = Desired { operation: "operation".to_owned(), now: 0, ..desired.clone() };
    let document = match plan(&observed, &desired) {
        Ok(it) => serde_json::to_value(&it.plan).unwrap_or(Value::Null),
        Err(error) => json!(error.to_string()),
    };
    desired.key.hash(&document).chars().take(16).collect()
}

impl Prepared {
    /// Only what may be carried out.
    fn accepted(self) -> Answer<Self> {
        match self.refused {
            None => Ok(self),
            Some(refused) => Err(refused),
        }
    }

    /// Whether the plan takes a snapshot.
    pub fn takes_snapshot(&self) -> bool {
        let steps = self.planned.iter().flat_map(|it| &it.plan.apply);
        steps.into_iter().any(|it| matches!(it.change, Change::TakeSnapshot { .. }))
    }
}

/// A reporter that nobody listens to.
pub fn silent(operation: &str, deployment: &str) -> Reporter {
    let (sender, _nobody) = tokio::sync::mpsc::unbounded_channel();
    Reporter { sender, operation: operation.to_owned(), deployment: deployment.to_owned() }
}
