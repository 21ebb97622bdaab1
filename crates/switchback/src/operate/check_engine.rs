//! What `check` sees of an engine: asked once, however many deployments are on it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use switchback_targets::{
    container::{members::Member, settings::ContainerSettings},
    engine_api::{EngineClient, EngineError, EngineLocation, locate},
};

use super::{
    Answer,
    connect::{read_kept, settings},
    decisions,
    look::{Files, records},
};
use crate::{config::Deployment, error::CommandError};

/// Questions to one engine at a time. An inspect takes it a millisecond; more only wait inside it.
const INSPECTS_AT_A_TIME: usize = 8;

/// One engine, as far as the deployments on it are concerned.
pub(super) struct Seen {
    pub(super) engine: EngineClient,
    pub(super) members: HashMap<String, Member>,
    records: HashMap<String, Files>,
}

impl Seen {
    /// The reference that a container follows.
    pub(super) fn followed(
        &self,
        member: &Member,
        settings: &ContainerSettings,
    ) -> Answer<Option<String>> {
        let files = self.records.get(&settings.container).cloned().unwrap_or_default();
        let state = read_kept(&settings.deployment, files)?.state;
        Ok(decisions::followed(settings, state.as_ref(), Some(&member.inspect)))
    }
}

/// Where a deployment's engine is, as far as that can be said.
pub(super) fn place(deployment: &Deployment) -> Answer<(EngineLocation, ContainerSettings)> {
    let settings = settings(deployment)?;
    Ok((locate(deployment.engine.as_deref(), |key| std::env::var(key).ok())?, settings))
}

/// What is asked of one engine.
struct Asked {
    location: EngineLocation,
    /// Names of containers.
    names: BTreeSet<String>,
    /// Those of them for which nobody has configured what they follow.
    unconfigured: BTreeSet<String>,
}

/// Looks once at every engine, whatever the number of deployments on it.
pub(super) async fn engines(
    deployments: &[&Deployment],
) -> HashMap<String, Result<Seen, CommandError>> {
    let mut wanted: BTreeMap<String, Asked> = BTreeMap::new();
    for deployment in deployments {
        let Ok((location, settings)) = place(deployment) else { continue };
        let (names, unconfigured) = (BTreeSet::new(), BTreeSet::new());
        let asked = wanted.entry(location.url.clone());
        let asked = asked.or_insert(Asked { location, names, unconfigured });
        if settings.image.is_none() {
            asked.unconfigured.insert(settings.container.clone());
        }
        asked.names.insert(settings.container);
    }
    let look = async |(url, asked): (String, Asked)| (url, look(&asked).await);
    stream::iter(wanted).map(look).buffer_unordered(INSPECTS_AT_A_TIME).collect().await
}

/// One list, an inspect for each container that is asked for, one for each of their images, and the
/// records of those for which only these say what they follow.
async fn look(asked: &Asked) -> Result<Seen, CommandError> {
    let engine = EngineClient::connect(&asked.location).await?;
    let unconfigured: Vec<&str> = asked.unconfigured.iter().map(String::as_str).collect();
    let records = records(&engine, &unconfigured).await?;
    let members = members(&engine, &asked.names).await?;
    Ok(Seen { engine, members, records })
}

async fn members(
    engine: &EngineClient,
    names: &BTreeSet<String>,
) -> Result<HashMap<String, Member>, EngineError> {
    let listed = engine.containers().await?;
    let names = listed
        .iter()
        .flat_map(|it| it["Names"].as_array().into_iter().flatten())
        .filter_map(|it| {
            let name = it.as_str()?.trim_start_matches('/');
            names.contains(name).then(|| name.to_owned())
        });
    let inspect = async |name: String| Ok::<_, EngineError>((engine.container(&name).await?, name));
    let inspects = stream::iter(names).map(inspect).buffer_unordered(INSPECTS_AT_A_TIME);
    let inspects: Vec<_> = inspects.collect().await;
    let mut found = HashMap::new();
    for answer in inspects {
        if let (Some(inspect), name) = answer? {
            found.insert(name, inspect);
        }
    }
    let ids: BTreeSet<String> =
        found.values().filter_map(|it| it["Image"].as_str().map(str::to_owned)).collect();
    let image = async |id: String| Ok::<_, EngineError>((engine.image(&id).await?, id));
    let images: Vec<_> =
        stream::iter(ids).map(image).buffer_unordered(INSPECTS_AT_A_TIME).collect().await;
    let mut known = HashMap::new();
    for answer in images {
        let (image, id) = answer?;
        known.insert(id, image.unwrap_or(Value::Null));
    }
    let member = |inspect: Value| {
        let image = known.get(inspect["Image"].as_str().unwrap_or_default()).cloned();
        Member {
            inspect,
            image: image.unwrap_or(Value::Null),
            written: Vec::new(),
            files: Vec::new(),
        }
    };
    Ok(found.into_iter().map(|(name, it)| (name, member(it))).collect())
}
