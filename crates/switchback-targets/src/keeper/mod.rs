//! The keeper beside a container: a program of ours that runs where the volumes are.
//!
//! Two containers of one tiny image. The *anchor*, one an engine, runs for as long as anything is
//! managed there: it holds our volume, with every record and snapshot, against whoever prunes. The
//! *lease*, one a target and only during an operation, has the target's volumes mounted: its name is
//! the lease, it makes those volumes unprunable, and it copies snapshots on the engine's side.

pub mod image;
pub mod lease;
mod place;
pub mod programs;

use std::time::Duration;

pub use image::ARCHITECTURE;
pub use place::Keeper;
use serde_json::{Value, json};
use switchback_core::Millis;

use crate::{
    engine_api::{EngineClient, EngineError, ImportedImage, encode},
    patience::within,
};

/// The label of our own containers; its value is what they are for.
pub const ROLE_LABEL: &str = "dev.switchback.role";

/// Our volume, one an engine.
pub const VOLUME: &str = "switchback";

/// The container that holds our volume.
pub const ANCHOR: &str = "switchback-anchor";

/// How long an engine may take to make, start or remove a container of ours, which has nothing to
/// stop and nothing to copy, or to take its image, which is small.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);

/// A keeper that does not end by itself is killed at once: it holds nothing in memory.
const STOP_TIMEOUT_S: u64 = 1;

/// The folder of a target's record, as the keepers see it.
pub fn target_folder(target: &str) -> String {
    format!("{}/targets/{target}", image::STORE_PATH)
}

/// The folder of all snapshots of a target, as the keepers see it.
pub fn snapshots_folder(target: &str) -> String {
    format!("{}/snapshots/{target}", image::STORE_PATH)
}

/// The folder of one snapshot, as the keepers see it.
pub fn snapshot_folder(target: &str, operation: &str) -> String {
    format!("{}/snapshots/{target}/{operation}", image::STORE_PATH)
}

/// Sees to it that our image is there and the anchor runs. Safe to repeat, and by many at once.
pub async fn ensure(engine: &EngineClient) -> Result<(), EngineError> {
    ensure_image(engine).await?;
    if let Some(found) = engine.container(ANCHOR).await? {
        refuse_strangers(&found)?;
        if found["State"]["Running"] == json!(true) {
            return Ok(());
        }
    } else {
        let body = body("anchor", &[], &json!({}));
        let path = format!("/containers/create?name={ANCHOR}");
        match in_time(CHANGE_LIMIT, "make the anchor", engine.post(&path, Some(&body))).await {
            // Somebody else was faster.
            Err(EngineError::Refused { status: 409, .. }) => {}
            other => drop(other?),
        }
    }
    let path = format!("/containers/{ANCHOR}/start");
    drop(in_time(CHANGE_LIMIT, "start the anchor", engine.post(&path, None)).await?);
    Ok(())
}

/// Waits for the engine, but not for ever.
async fn in_time<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let done = within(limit, work).await;
    done.ok_or_else(|| EngineError::TimedOut { what: what.to_owned() })?
}

async fn ensure_image(engine: &EngineClient) -> Result<(), EngineError> {
    let reference = image::image_reference();
    if engine.image(&reference).await?.is_some() {
        return Ok(());
    }
    let (tar, command) = (image::image_tar(), vec![image::PROGRAM_PATH.to_owned()]);
    let image = ImportedImage { reference, tar, command };
    in_time(CHANGE_LIMIT, "import the keeper's image", engine.import(&image)).await
}

/// Whether nothing is managed on the engine any more: no record, no snapshot, and no lease.
pub async fn is_idle(engine: &EngineClient) -> Result<bool, programs::KeeperError> {
    let is_lease = |it: &Value| it["Labels"][ROLE_LABEL] == json!("lease");
    if engine.containers().await?.iter().any(is_lease) {
        return Ok(false);
    }
    for folder in ["targets", "snapshots"] {
        let path = format!("{}/{folder}", image::STORE_PATH);
        if !programs::list(engine, &Keeper::Anchor, &path).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes the anchor, the volume and our image, once nothing is managed on the engine any more.
pub async fn remove_everything(engine: &EngineClient) -> Result<(), EngineError> {
    if let Some(found) = engine.container(ANCHOR).await? {
        refuse_strangers(&found)?;
        let id = found["Id"].as_str().unwrap_or_default();
        let _was_there = engine.delete(&format!("/containers/{id}?force=true")).await?;
    }
    let _was_there = engine.delete(&format!("/volumes/{VOLUME}")).await?;
    let _was_there = engine.untag(&image::image_reference()).await?;
    Ok(())
}

fn refuse_strangers(found: &Value) -> Result<(), EngineError> {
    if found["Config"]["Labels"].get(ROLE_LABEL).is_some() {
        return Ok(());
    }
    let name = found["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
    Err(EngineError::NameTaken { name })
}

/// The request that makes one of our containers.
fn body(role: &str, binds: &[String], labels: &Value) -> Value {
    let mut all = vec![format!("{VOLUME}:{}", image::STORE_PATH)];
    all.extend_from_slice(binds);
    let mut labels = labels.clone();
    labels[ROLE_LABEL] = json!(role);
    json!({
        "Image": image::image_reference(),
        "Entrypoint": [image::PROGRAM_PATH],
        "Cmd": ["hold"],
        "Labels": labels,
        "StopTimeout": STOP_TIMEOUT_S,
        "NetworkDisabled": true,
        "HostConfig": {
            "Binds": all,
            "NetworkMode": "none",
            // After a restart of the engine the volumes have to be held again at once. An engine that
            // was killed stops what ran and takes that for a stop by hand, so that `unless-stopped`
            // would stay away (seen on 20.10).
            "RestartPolicy": {"Name": "always"},
            // A container may bring an init of its own; this one reaps for itself.
            "Init": false,
        },
    })
}

/// Reads what was recorded with a target; none where nothing was. Our volume may outlive the
/// anchor, so that without one nobody knows until it is back.
pub async fn read_record(
    engine: &EngineClient,
    target: &str,
    file: &str,
) -> Result<Option<Vec<u8>>, EngineError> {
    if !is_used(engine).await? {
        return Ok(None);
    }
    let path = format!("{}/{file}", target_folder(target));
    Ok(engine.read_file(ANCHOR, &path).await?.map(|it| it.content))
}

/// Reads all that was recorded with a target, in one request: file name and content.
pub async fn read_records(
    engine: &EngineClient,
    target: &str,
) -> Result<Vec<(String, Vec<u8>)>, EngineError> {
    if !is_used(engine).await? {
        return Ok(Vec::new());
    }
    let files = engine.read_files(ANCHOR, &target_folder(target)).await?;
    let name = |it: &str| it.rsplit('/').next().unwrap_or(it).to_owned();
    Ok(files.into_iter().map(|it| (name(&it.name), it.content)).collect())
}

/// Reads what was recorded with every target of an engine, in one request: target, file name and
/// content. Reading one archive costs an engine as much for a hundred targets as for one.
pub async fn read_all_records(
    engine: &EngineClient,
) -> Result<Vec<(String, String, Vec<u8>)>, EngineError> {
    if !is_used(engine).await? {
        return Ok(Vec::new());
    }
    let files = engine.read_files(ANCHOR, &format!("{}/targets", image::STORE_PATH)).await?;
    let parts = |name: &str| {
        let mut parts = name.rsplit('/').map(str::to_owned);
        let (file, target) = (parts.next()?, parts.next()?);
        Some((target, file))
    };
    let named = files.into_iter().filter_map(|it| Some((parts(&it.name)?, it.content)));
    Ok(named.map(|((target, file), content)| (target, file, content)).collect())
}

/// Whether anything is managed on the engine. Brings the anchor back where only our volume is left.
async fn is_used(engine: &EngineClient) -> Result<bool, EngineError> {
    if let Some(found) = engine.container(ANCHOR).await? {
        refuse_strangers(&found)?;
        return Ok(true);
    }
    if engine.find(&format!("/volumes/{}", encode(VOLUME))).await?.is_none() {
        return Ok(false);
    }
    ensure(engine).await?;
    Ok(true)
}

/// Whether a snapshot is complete: its manifest is written last.
pub async fn has_snapshot(
    engine: &EngineClient,
    target: &str,
    operation: &str,
) -> Result<bool, EngineError> {
    Ok(manifest(engine, target, operation).await?.is_some())
}

/// What is in a snapshot, by where the service had it; none if it is not complete.
pub async fn snapshot_mounts(
    engine: &EngineClient,
    target: &str,
    operation: &str,
) -> Result<Option<Vec<String>>, EngineError> {
    let Some(bytes) = manifest(engine, target, operation).await? else { return Ok(None) };
    let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let mounts = manifest["mounts"].as_array().into_iter().flatten();
    let names = mounts.filter_map(|it| it["name"].as_str());
    Ok(Some(names.map(programs::readable).collect()))
}

/// When a snapshot was taken, in milliseconds since the epoch; none if it is not complete.
pub async fn snapshot_time(
    engine: &EngineClient,
    target: &str,
    operation: &str,
) -> Result<Option<Millis>, EngineError> {
    let bytes = manifest(engine, target, operation).await?;
    let manifest = bytes.and_then(|it| serde_json::from_slice::<Value>(&it).ok());
    Ok(manifest.as_ref().and_then(taken_at))
}

/// The time in a manifest, which is RFC 3339.
fn taken_at(manifest: &Value) -> Option<Millis> {
    let at: jiff::Timestamp = manifest["at"].as_str()?.parse().ok()?;
    Millis::try_from(at.as_millisecond()).ok()
}

async fn manifest(
    engine: &EngineClient,
    target: &str,
    operation: &str,
) -> Result<Option<Vec<u8>>, EngineError> {
    let path = format!("{}/manifest.json", snapshot_folder(target, operation));
    Ok(engine.read_file(ANCHOR, &path).await?.map(|it| it.content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_tells_when_it_was_taken() {
        let manifest = json!({"format": 1, "at": "2026-01-10T12:00:00.25Z", "mounts": []});
        assert_eq!(taken_at(&manifest), Some(1_768_046_400_250));
        assert_eq!(taken_at(&json!({"at": "soon"})), None);
    }

    #[test]
    fn a_persons_own_container_with_one_of_our_names_is_refused_by_that_name() {
        let found =
            |labels: Value| json!({"Name": "/switchback-anchor", "Config": {"Labels": labels}});
        assert!(refuse_strangers(&found(json!({ROLE_LABEL: "anchor"}))).is_ok());
        for labels in [json!({}), Value::Null, json!({"app": "web"})] {
            let refused = refuse_strangers(&found(labels)).unwrap_err();
            assert_eq!(refused.code(), "preflight_failed");
            assert!(refused.to_string().contains("switchback-anchor"), "{refused}");
            assert_eq!(
                refused.hint().as_deref(),
                Some("docker rename switchback-anchor another-name")
            );
        }
    }
}
