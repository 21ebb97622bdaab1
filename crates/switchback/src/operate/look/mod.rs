//! One look at deployments: what runs, how it is, and what is recorded of it. It changes nothing on
//! any engine.
//!
//! What is the same for a whole engine (its lists, and the records of all targets) is asked once;
//! containers are looked at side by side.

mod container;
mod engine;
mod phase;
mod row;
mod way_back;

use futures_util::{StreamExt as _, future::join_all, stream};
use serde_json::Value;
use switchback_targets::{
    container::gate::ContainerGate,
    engine_api::{EngineClient, EngineLocation},
    probe::HttpClient,
};

pub(crate) use self::{
    container::{Looked, Scope, healthy, look, memory_mb, uptime_seconds},
    engine::{EngineView, Files, records},
    phase::{Situation, phase_of, situation},
    row::{as_last_seen, row, time},
    way_back::{rung, way_back, word as rung_word},
};
use super::{
    Answer,
    connect::{Connected, location, settings},
    prepare, who,
};
use crate::{
    config::Deployment,
    error::CommandError,
    store::{NewDeployment, Sighting, Store},
};

/// How many containers are asked at once: an engine answers an inspect in under a millisecond, and
/// more connections than this only wait for its two or four cores.
const CONTAINERS_AT_ONCE: usize = 64;

/// What a look needs.
#[derive(Debug, Clone)]
pub(crate) struct Looker<'a> {
    /// Our own record.
    pub(crate) store: &'a Store,
    /// This host, whose processes can be seen.
    pub(crate) host: String,
    client: HttpClient,
}

/// What one look saw.
#[derive(Debug)]
pub(crate) struct Sight {
    name: String,
    engine: String,
    target_key: String,
    target_json: String,
    /// The row of `status`.
    pub(crate) row: Value,
    /// When, in milliseconds since the epoch.
    at: u64,
}

impl<'a> Looker<'a> {
    /// Looks with what is known in that store.
    pub(crate) fn new(store: &'a Store) -> Answer<Self> {
        let host = who::Who::of_this_process().host;
        Ok(Self { store, host, client: HttpClient::default() })
    }

    /// Looks at deployments, stores what was seen, and returns a row of `status` for each, in their
    /// order. Where a look failed, the row is what was last seen, with the error.
    pub(crate) async fn rows(&self, deployments: &[&Deployment]) -> Answer<Vec<Value>> {
        let mut looks: Vec<(usize, Answer<Sight>)> = Vec::new();
        for looked in join_all(self.by_engine(deployments)?).await {
            looks.extend(looked);
        }
        looks.sort_by_key(|(at, _)| *at);
        let seen: Vec<&Sight> = looks.iter().filter_map(|(_, it)| it.as_ref().ok()).collect();
        let remembered = self.remember(&seen);
        let mut answers = Vec::new();
        for (deployment, (_, looked)) in deployments.iter().zip(looks) {
            answers.push(match looked.and_then(|it| remembered.clone().map(|()| it.row)) {
                Ok(row) => row,
                Err(error) => self.failed(deployment, &error)?,
            });
        }
        Ok(answers)
    }

    /// Stores what was seen.
    pub(crate) fn remember(&self, seen: &[&Sight]) -> Answer<()> {
        if seen.is_empty() {
            return Ok(());
        }
        let rows: Vec<String> = seen.iter().map(|it| it.row.to_string()).collect();
        let mut sightings = Vec::new();
        for (it, status_json) in seen.iter().zip(&rows) {
            let Sight { name, engine, target_key, target_json, .. } = it;
            let of = NewDeployment { name, kind: "container", engine, target_key, target_json };
            sightings.push(Sighting { of, status_json, at: it.at });
        }
        Ok(self.store.observe(&sightings)?)
    }

    /// One future an engine.
    fn by_engine<'b>(
        &'b self,
        deployments: &'b [&'b Deployment],
    ) -> Answer<Vec<impl Future<Output = Vec<(usize, Answer<Sight>)>> + 'b>> {
        let mut groups: Vec<(Result<EngineLocation, CommandError>, Vec<usize>)> = Vec::new();
        for (at, deployment) in deployments.iter().enumerate() {
            let place = settings(deployment).and_then(|_| location(deployment));
            match groups.iter_mut().find(|(known, _)| same_place(known, &place)) {
                Some((_, members)) => members.push(at),
                None => groups.push((place, vec![at])),
            }
        }
        let look = |(place, members)| self.look_at_engine(place, members, deployments);
        Ok(groups.into_iter().map(look).collect())
    }

    async fn look_at_engine(
        &self,
        place: Answer<EngineLocation>,
        members: Vec<usize>,
        deployments: &[&Deployment],
    ) -> Vec<(usize, Answer<Sight>)> {
        let names: Vec<&str> = members
            .iter()
            .filter_map(|at| Some(deployments[*at].container.as_ref()?.container.as_str()))
            .collect();
        let client = match place {
            Ok(place) => EngineClient::connect(&place).await.map_err(CommandError::from),
            Err(error) => Err(error),
        };
        let every = |error: CommandError| {
            members.iter().map(|at| (*at, Err(error.clone()))).collect::<Vec<_>>()
        };
        let client = match client {
            Ok(client) => client,
            Err(error) => return every(error),
        };
        let scope = Scope::of(deployments.len());
        let look = |at: &usize| {
            let (at, engine) = (*at, client.clone());
            async move { (at, self.look(deployments[at], engine, scope).await) }
        };
        let looks = stream::iter(&members).map(look).buffer_unordered(CONTAINERS_AT_ONCE);
        // Together: the engine samples memory while it sends its lists and our records.
        let (view, looks): (_, Vec<_>) =
            tokio::join!(EngineView::of(&client, &names), looks.collect());
        let view = match view {
            Ok(view) => view,
            Err(error) => return every(error),
        };
        let sight = async |(at, looked): (usize, Answer<(Connected, Looked)>)| match looked {
            Ok((connected, looked)) => (at, self.sight(&view, &connected, &looked).await),
            Err(error) => (at, Err(error)),
        };
        stream::iter(looks).map(sight).buffer_unordered(CONTAINERS_AT_ONCE).collect().await
    }

    async fn look(
        &self,
        deployment: &Deployment,
        engine: EngineClient,
        scope: Scope,
    ) -> Answer<(Connected, Looked)> {
        let settings = settings(deployment)?;
        let connected = Connected { name: deployment.name.clone(), settings, engine };
        let looked = look(&connected, &self.gate(&connected), scope).await?;
        Ok((connected, looked))
    }

    fn gate(&self, connected: &Connected) -> ContainerGate {
        prepare::gate_with(connected, self.client.clone())
    }

    /// Looks at one deployment on an engine whose lists are known.
    pub(crate) async fn see(
        &self,
        view: &EngineView,
        connected: &Connected,
        scope: Scope,
    ) -> Answer<Sight> {
        let looked = look(connected, &self.gate(connected), scope).await?;
        self.sight(view, connected, &looked).await
    }

    async fn sight(
        &self,
        view: &EngineView,
        connected: &Connected,
        looked: &Looked,
    ) -> Answer<Sight> {
        let kept = view.kept(connected)?;
        Ok(Sight {
            name: connected.name.clone(),
            engine: connected.engine.location().url.clone(),
            target_key: connected.target_key(),
            target_json: serde_json::json!({ "container": connected.target() }).to_string(),
            row: row(self, view, connected, &kept, looked).await?,
            at: looked.at,
        })
    }

    fn failed(&self, deployment: &Deployment, error: &CommandError) -> Answer<Value> {
        let seen = self.store.deployment(&deployment.name)?;
        let text = seen.and_then(|it| it.status_json);
        let mut row =
            text.and_then(|it| serde_json::from_str::<Value>(&it).ok()).unwrap_or_default();
        if !row.is_object() {
            row = serde_json::json!({ "deployment": deployment.name, "kind": deployment.kind.word() });
        }
        row["error"] = error.object();
        Ok(row)
    }
}

fn same_place(one: &Answer<EngineLocation>, other: &Answer<EngineLocation>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.url == other.url,
        (Err(one), Err(other)) => one == other,
        _ => false,
    }
}

/// Looks once more after an operation, so that what is stored is what runs. The operation has
/// ended: what goes wrong here is no failure of its.
pub(crate) async fn look_after(store: &Store, connected: &Connected) {
    let seen = async {
        let looker = Looker::new(store)?;
        let view = EngineView::of(&connected.engine, &[connected.target()]).await?;
        looker.remember(&[&looker.see(&view, connected, Scope::many()).await?])
    };
    if let Err(error) = seen.await {
        tracing::warn!(%error, deployment = connected.name, "what runs now was not written down");
    }
}
