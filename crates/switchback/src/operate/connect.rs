//! From a deployment to its engine, and to what was recorded there.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;
use switchback_core::Record;
use switchback_targets::{
    container::{
        change::{Change, Receipt},
        document::TargetState,
        settings::{ContainerSettings, key_of},
    },
    engine_api::{EngineClient, EngineLocation, locate},
    keeper,
};

use super::{Answer, execute::is_closed};
use crate::{
    config::{Deployment, Kind},
    error::CommandError,
    store::Store,
};

/// A fact of a container's transaction.
pub type Fact = Record<Change, Receipt>;

/// A deployment with its engine.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The deployment's name.
    pub name: String,
    /// What is configured.
    pub settings: ContainerSettings,
    /// Its engine.
    pub engine: EngineClient,
}

/// What is kept with a target.
#[derive(Debug, Default)]
pub struct Kept {
    /// What runs, and the way back.
    pub state: Option<TargetState>,
    /// The last transaction, whoever ran it.
    pub journal: Vec<Fact>,
    /// The id of that transaction.
    pub operation: Option<String>,
}

/// The container settings of a deployment; other kinds are refused by name.
pub(crate) fn settings(deployment: &Deployment) -> Answer<ContainerSettings> {
    let name = &deployment.name;
    if let Some(host) = &deployment.host {
        let message = format!("{name} is on host {host}: hosts over SSH are not supported yet");
        return Err(CommandError::new("usage", message).hint(format!(
            "switchback config get {}   # run switchback there, or name its engine: {}",
            key_of(name, ".host"),
            key_of(name, ".engine")
        )));
    }
    match (&deployment.container, deployment.kind) {
        (Some(settings), Kind::Container) => Ok(settings.clone()),
        (_, kind) => {
            let message = format!("{name} is of kind {kind:?}, which is not supported yet");
            Err(CommandError::new(
                "usage",
                message.to_lowercase().replace(&name.to_lowercase(), name),
            ))
        }
    }
}

/// Where the engine of a deployment is.
pub(crate) fn location(deployment: &Deployment) -> Answer<EngineLocation> {
    Ok(locate(deployment.engine.as_deref(), |key| std::env::var(key).ok())?)
}

/// Finds the engine and connects to it.
pub(crate) async fn connect(deployment: &Deployment) -> Answer<Connected> {
    let settings = settings(deployment)?;
    let engine = EngineClient::connect(&location(deployment)?).await?;
    Ok(Connected { name: deployment.name.clone(), settings, engine })
}

/// Connects to each of them, in their order: one client for each engine, however many are on it.
pub(crate) async fn connect_each(deployments: &[&Deployment]) -> Vec<Answer<Connected>> {
    let place = |it: &&Deployment| Ok((settings(it)?, location(it)?));
    let places: Vec<Answer<(ContainerSettings, EngineLocation)>> =
        deployments.iter().map(place).collect();
    let engines: BTreeMap<&str, &EngineLocation> =
        places.iter().flatten().map(|(_, it)| (it.url.as_str(), it)).collect();
    let client = async |(url, location): (&str, &EngineLocation)| {
        let client = EngineClient::connect(location).await;
        (url.to_owned(), client.map_err(CommandError::from))
    };
    let clients: HashMap<String, Answer<EngineClient>> =
        join_all(engines.into_iter().map(client)).await.into_iter().collect();
    let connected =
        |(place, deployment): (Answer<(ContainerSettings, EngineLocation)>, &&Deployment)| {
            let (settings, location) = place?;
            let unasked = || Err(CommandError::new("internal", "the engine was not asked"));
            let engine = clients.get(&location.url).cloned().unwrap_or_else(unasked)?;
            Ok(Connected { name: deployment.name.clone(), settings, engine })
        };
    places.into_iter().zip(deployments).map(connected).collect()
}

impl Connected {
    /// The name of the container, which is the target's on its engine.
    pub fn target(&self) -> &str {
        &self.settings.container
    }

    /// The target, whatever our name for it.
    pub fn target_key(&self) -> String {
        format!("container:{}:{}", self.engine.facts().id, self.target())
    }

    /// Reads what is kept with the target, in one request.
    pub async fn kept(&self) -> Answer<Kept> {
        read_kept(&self.name, keeper::read_records(&self.engine, self.target()).await?)
    }
}

impl Kept {
    /// Whether an operation is known with the target to be at its end: by the record, or by the last
    /// transaction itself.
    pub(crate) fn is_over(&self, operation: &str) -> bool {
        let is_last = self.operation.as_deref() == Some(operation);
        is_last && !self.journal.is_empty() && is_closed(&self.journal)
            || self.state.as_ref().is_some_and(|it| it.has_ended(operation))
    }
}

/// What is kept with a target, from its files.
pub fn read_kept(
    deployment: &str,
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> Answer<Kept> {
    let mut kept = Kept::default();
    for (name, bytes) in files {
        match name.as_str() {
            "state.json" => {
                kept.state = Some(TargetState::read(&bytes).map_err(|error| {
                    let mut message = error.to_string();
                    if let Some(source) = std::error::Error::source(&error) {
                        message = format!("{message}: {source}");
                    }
                    CommandError::new("store_unusable", message)
                        .hint(format!("switchback adopt {deployment} --take-over"))
                })?);
            }
            "journal.json" => (kept.operation, kept.journal) = super::journal::read(&bytes)?,
            _ => {}
        }
    }
    Ok(kept)
}

/// A deployment that was adopted on one engine is not changed on another: a wrong `DOCKER_HOST` must
/// not make a second one of it.
pub(crate) fn refuse_other_engine(store: &Store, connected: &Connected) -> Answer<()> {
    // One that was only looked at was not taken over.
    let known = store.deployment(&connected.name)?.filter(|it| it.current_release.is_some());
    let Some(known) = known else { return Ok(()) };
    // The key ends with the container's name, which may change and holds no colon.
    let engine = |key: &str| key.rsplit_once(':').map(|it| it.0.to_owned());
    if engine(&known.target_key) == engine(&connected.target_key()) {
        return Ok(());
    }
    let name = &connected.name;
    let location = connected.engine.location();
    let message = format!(
        "{name} was taken over on the engine at {}, but {} ({}) is another engine",
        known.engine, location.url, location.source
    );
    Err(CommandError::new("drifted", message).hint(format!(
        "switchback config set {} {}   # if it moved for good: switchback forget {name}",
        key_of(name, ".engine"),
        shell_words::quote(&known.engine)
    )))
}

/// Another store's target may be looked at, and not changed.
pub fn refuse_strangers(state: Option<&TargetState>, store: &str, name: &str) -> Answer<()> {
    match state.map(|it| &it.owner).filter(|it| it.store != store) {
        None => Ok(()),
        Some(owner) => {
            let message =
                format!("{name} belongs to another store, taken by {}@{}", owner.user, owner.host);
            Err(CommandError::new("owned_elsewhere", message)
                .hint(format!("switchback adopt {name} --take-over")))
        }
    }
}
