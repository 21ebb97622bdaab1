//! What is there: the container, whatever shares its namespaces or volumes or links to it, and what
//! was recorded.
//! Reading only; nothing is decided and nothing is changed.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use switchback_core::{Baseline, TargetError};

use super::{
    document::TargetState,
    members::{Member, dependents_of, is_temporary, listed_name},
};
use crate::{
    engine_api::{EngineClient, EngineError, EngineFacts},
    keeper,
};

/// Inspects that are asked for at the same time: one takes less than a millisecond of an engine's
/// time, so that a hundred containers cost ten.
const INSPECTS_AT_ONCE: usize = 16;

/// Everything that planning knows of a target.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The engine.
    pub engine: EngineFacts,
    /// The container's name.
    pub name: String,
    /// The container first, then those that share its namespaces or volumes or link to it, in the
    /// order in which they start. Empty where there is no container of that name.
    pub members: Vec<Member>,
    /// All other containers, as the engine lists them.
    pub others: Vec<Value>,
    /// What was recorded with the target.
    pub state: Option<TargetState>,
    /// Which ids of the recorded containers and images are still there.
    pub found: Found,
    /// The inspect of the image that the followed reference names locally, if any.
    pub local_image: Option<Value>,
    /// How the running version is, probe by probe; none where nothing was asked.
    pub baseline: Option<Baseline>,
}

/// Recorded things that are still there.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Inspects of parked containers, by id.
    pub containers: Vec<Value>,
    /// Ids of images.
    pub images: Vec<String>,
    /// Snapshots that are complete.
    pub snapshots: Vec<FoundSnapshot>,
}

/// A complete snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSnapshot {
    /// The operation that made it.
    pub operation: String,
    /// What is in it, by where the service has it.
    pub mounts: Vec<String>,
}

impl Observed {
    /// The container itself.
    pub fn target(&self) -> Option<&Member> {
        self.members.first()
    }
}

/// Looks at a target. `reference` is the image that it follows, `state` what was recorded with it.
pub async fn observe(
    engine: &EngineClient,
    name: &str,
    reference: Option<&str>,
    state: Option<TargetState>,
) -> Result<Observed, TargetError> {
    look(engine, name, reference, state)
        .await
        .map_err(|it| it.into_target("engine_unreachable", format!("look at container {name}")))
}

async fn look(
    engine: &EngineClient,
    name: &str,
    reference: Option<&str>,
    state: Option<TargetState>,
) -> Result<Observed, EngineError> {
    let mut members = Vec::new();
    let mut others = engine.containers().await?;
    if let Some(inspect) = engine.container(name).await? {
        let target = member(engine, inspect).await?;
        let inspects = inspects(engine, &others, &target).await?;
        members.push(target);
        for dependent in dependents_of(&members[0], &inspects) {
            members.push(member(engine, dependent).await?);
        }
    }
    others.retain(|it| !members.iter().any(|member| it["Id"].as_str() == Some(member.id())));
    let local_image = match reference {
        Some(reference) => engine.image(reference).await?,
        None => None,
    };
    let found = found(engine, state.as_ref()).await?;
    let engine = engine.facts().clone();
    let baseline = None;
    Ok(Observed {
        engine,
        name: name.to_owned(),
        members,
        others,
        state,
        found,
        local_image,
        baseline,
    })
}

/// Inspects of all others. The list tells whose network a container shares, but not whose processes,
/// memory or volumes; so each of them is asked. What went away since the list was made is no dependent.
async fn inspects(
    engine: &EngineClient,
    listed: &[Value],
    target: &Member,
) -> Result<Vec<Value>, EngineError> {
    let ids = listed.iter().filter(|it| it["Labels"].get(keeper::ROLE_LABEL).is_none());
    // What was parked says still, by its name, that it belongs to the container of that name.
    let ids = ids.filter(|it| !is_temporary(listed_name(it)));
    let ids = ids.filter_map(|it| it["Id"].as_str()).filter(|it| *it != target.id());
    let asked: Vec<_> = ids.map(|id| engine.container(id)).collect();
    // In the order of the list, so that the same containers give the same plan.
    let found: Vec<Option<Value>> =
        stream::iter(asked).buffered(INSPECTS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn member(engine: &EngineClient, inspect: Value) -> Result<Member, EngineError> {
    let image = inspect["Image"].as_str().unwrap_or_default().to_owned();
    let id = inspect["Id"].as_str().unwrap_or_default().to_owned();
    // An image whose last name was removed is still there by its id, as long as it is in use.
    let image = engine.image(&image).await?.unwrap_or(Value::Null);
    let written = engine.get(&format!("/containers/{id}/changes")).await?;
    let path = |it: &Value| it["Path"].as_str().map(str::to_owned);
    let written = written.as_array().into_iter().flatten().filter_map(path).collect();
    let mut files = Vec::new();
    for mount in inspect["Mounts"].as_array().into_iter().flatten() {
        let (true, Some(target)) = (mount["Type"] == "bind", mount["Destination"].as_str()) else {
            continue;
        };
        if engine.is_folder(&id, target).await? == Some(false) {
            files.push(target.to_owned());
        }
    }
    Ok(Member { inspect, image, written, files })
}

async fn found(engine: &EngineClient, state: Option<&TargetState>) -> Result<Found, EngineError> {
    let mut found = Found::default();
    for release in state.into_iter().flat_map(|it| &it.releases) {
        found.containers.extend(engine.container(&release.container).await?);
        for dependent in &release.dependents {
            found.containers.extend(engine.container(&dependent.container).await?);
        }
        if engine.image(&release.image).await?.is_some() {
            found.images.push(release.image.clone());
        }
    }
    Ok(found)
}
