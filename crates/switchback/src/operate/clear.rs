//! Looks at what was made for a target, and removes what is named.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_targets::{
    container::change::{DataMount, DataSet},
    engine_api::{EngineClient, EngineError},
    keeper::{self, Keeper, programs},
};

use super::{
    Answer,
    connect::Connected,
    garbage::{Around, Thing},
};
use crate::{
    error::CommandError,
    store::{Lookup, Store},
};

/// Something of ours with the bytes that it takes, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sized {
    /// What.
    pub(crate) thing: Thing,
    /// How much.
    pub(crate) bytes: Option<u64>,
}

/// Looks around a target. Nothing is there where nobody manages anything.
pub(crate) async fn look(connected: &Connected) -> Answer<Around> {
    let engine = &connected.engine;
    let images = engine.images().await?;
    let names = images.iter();
    let names = names.flat_map(|it| it["RepoTags"].as_array().into_iter().flatten());
    let folder = keeper::snapshots_folder(connected.target());
    let folders = match engine.container(keeper::ANCHOR).await? {
        Some(_) => programs::list(engine, &Keeper::Anchor, &folder).await.map_err(told)?,
        None => Vec::new(),
    };
    Ok(Around {
        containers: engine.containers().await?,
        image_names: names.filter_map(|it| it.as_str().map(str::to_owned)).collect(),
        folders,
    })
}

/// Whether an operation is ours, on this target, and at its end.
pub(crate) fn is_over(store: &Store, connected: &Connected, operation: &str) -> bool {
    match store.operation(operation) {
        Ok(Lookup::Found(found)) => {
            found.begun.id == operation
                && found.begun.target_key == connected.target_key()
                && found.finished.is_some_and(|it| it.outcome != "stuck")
        }
        _ => false,
    }
}

/// Adds what each folder of data takes.
pub(crate) async fn measure(connected: &Connected, things: Vec<Thing>) -> Answer<Vec<Sized>> {
    let folders: Vec<&String> = things.iter().filter_map(folder_of).collect();
    let mut bytes = BTreeMap::new();
    if !folders.is_empty() {
        let mount = |name: &&String| DataMount {
            target: (*name).clone(),
            source: String::new(),
            inside: keeper::snapshot_folder(connected.target(), name),
        };
        let mounts = folders.iter().map(mount).collect();
        let data = DataSet { snapshot: String::new(), mounts, exclude: Vec::new() };
        bytes =
            programs::usage(&connected.engine, &Keeper::Anchor, &data).await.map_err(told)?.bytes;
    }
    let sized = |thing: Thing| {
        let bytes = folder_of(&thing).and_then(|it| bytes.get(it).copied());
        Sized { thing, bytes }
    };
    Ok(things.into_iter().map(sized).collect())
}

fn folder_of(thing: &Thing) -> Option<&String> {
    match thing {
        Thing::Snapshot { name } => Some(name),
        Thing::Container { .. } | Thing::Tag { .. } => None,
    }
}

/// Removes one thing; that it is gone already is as good. A container is never forced: one that
/// runs by now is not what was meant.
pub(crate) async fn remove(connected: &Connected, keeper: &Keeper, thing: &Thing) -> Answer<()> {
    let engine = &connected.engine;
    match thing {
        Thing::Container { id, .. } => {
            // Its anonymous volumes are the user's data, and stay.
            let _was_there = engine.delete(&format!("/containers/{id}?v=false")).await?;
        }
        Thing::Tag { name } => {
            let _was_there = engine.untag(name).await?;
        }
        Thing::Snapshot { name } => {
            let path = keeper::snapshot_folder(connected.target(), name);
            programs::remove(engine, keeper, &path).await.map_err(told)?;
        }
    }
    Ok(())
}

/// Removes the anchor, our volume and our image where nothing is managed any more. True if it did.
pub(crate) async fn leave(engine: &EngineClient) -> Answer<bool> {
    if engine.container(keeper::ANCHOR).await?.is_none()
        || !keeper::is_idle(engine).await.map_err(told)?
    {
        return Ok(false);
    }
    match keeper::remove_everything(engine).await {
        Ok(()) => Ok(true),
        // Somebody has begun to use it at this very moment: their keeper holds the volume.
        Err(EngineError::Refused { status: 409, .. }) => {
            keeper::ensure(engine).await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// What a keeper's program has said.
pub(crate) fn told(error: programs::KeeperError) -> CommandError {
    match error {
        programs::KeeperError::Engine(error) => error.into(),
        error @ programs::KeeperError::Failed { .. } => {
            CommandError::new(error.code(), error.to_string())
        }
    }
}

/// The objects of a document.
pub(crate) fn document(things: &[Sized]) -> Vec<Value> {
    let one = |it: &Sized| {
        let mut object = serde_json::to_value(&it.thing).unwrap_or_default();
        if let Some(bytes) = it.bytes {
            object["bytes"] = bytes.into();
        }
        object
    };
    things.iter().map(one).collect()
}
