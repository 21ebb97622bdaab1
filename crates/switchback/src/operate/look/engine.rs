//! What is the same for all deployments on an engine, asked once.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use switchback_targets::{
    engine_api::EngineClient,
    keeper::{self, lease::lease_name},
};

use crate::{
    error::CommandError,
    operate::{
        Answer,
        connect::{Connected, Kept, read_kept},
    },
};

/// Up to this many records are read one by one: one costs an engine about 50 ms, and all of them
/// together may be megabytes of other people's.
const READ_ONE_BY_ONE_MAX: usize = 2;

/// How many are read at once where they are read one by one: an engine makes each archive with a
/// process of its own, and has few cores.
const RECORDS_AT_ONCE: usize = 8;

/// The files of a target's record: name and content.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// An engine's lists.
#[derive(Debug)]
pub(crate) struct EngineView {
    containers: HashSet<String>,
    names: HashSet<String>,
    images: HashSet<String>,
    records: HashMap<String, Files>,
}

impl EngineView {
    /// The lists of an engine, and what is recorded with those targets.
    pub(crate) async fn of(client: &EngineClient, targets: &[&str]) -> Answer<Self> {
        let (containers, images, records) =
            tokio::join!(client.containers(), client.images(), records(client, targets));
        let (containers, images, records) = (containers?, images?, records?);
        let id = |it: &Value| it["Id"].as_str().map(str::to_owned);
        let names = containers
            .iter()
            .flat_map(|it| it["Names"].as_array().into_iter().flatten())
            .filter_map(|it| Some(it.as_str()?.trim_start_matches('/').to_owned()))
            .collect();
        let containers = containers.iter().filter_map(id).collect();
        let images = images.iter().filter_map(id).collect();
        Ok(Self { containers, names, images, records })
    }

    /// Whether a container of that id is there.
    pub(crate) fn has_container(&self, id: &str) -> bool {
        self.containers.contains(id)
    }

    /// Whether an image of that id is there.
    pub(crate) fn has_image(&self, id: &str) -> bool {
        self.images.contains(id)
    }

    /// Whether somebody has the lease on a target.
    pub(crate) fn has_lease(&self, target: &str) -> bool {
        self.names.contains(&lease_name(target))
    }

    /// What is recorded with a target.
    pub(crate) fn kept(&self, connected: &Connected) -> Answer<Kept> {
        let files = self.records.get(connected.target()).cloned().unwrap_or_default();
        read_kept(&connected.name, files)
    }
}

/// What is recorded with those targets.
pub(crate) async fn records(
    client: &EngineClient,
    targets: &[&str],
) -> Answer<HashMap<String, Files>> {
    let mut records: HashMap<String, Files> = HashMap::new();
    if targets.len() > READ_ONE_BY_ONE_MAX
        && let Ok(all) = keeper::read_all_records(client).await
    {
        for (target, file, content) in all {
            records.entry(target).or_default().push((file, content));
        }
        return Ok(records);
    }
    // One by one also where all of them together are more than one answer may hold.
    let one = async |target: &&str| {
        let files = keeper::read_records(client, target).await.map_err(CommandError::from)?;
        Answer::Ok(((*target).to_owned(), files))
    };
    stream::iter(targets).map(one).buffer_unordered(RECORDS_AT_ONCE).try_collect().await
}
