//! A lease as it is seen by whoever does not hold it.

use serde_json::Value;
use switchback_core::{Millis, lease::Holder};

use super::{BEAT_FILE, Beat, CHANGE_LIMIT, HOLDER_LABEL, TERM, in_time, lease_name};
use crate::{
    engine_api::{EngineClient, EngineError},
    keeper::refuse_strangers,
};

/// A lease that somebody holds, as it is seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The id of its container.
    pub id: String,
    /// Who holds it.
    pub holder: Holder,
    /// How often it was renewed.
    count: u64,
    /// How long it lasts after a renewal.
    pub term_ms: Millis,
    /// When it was last renewed, in milliseconds since the epoch by its holder's clock. Only a hint
    /// whether watching it may be worth while: clocks differ.
    pub renewed_at: Option<Millis>,
}

impl Held {
    /// The last that was heard of its holder, in milliseconds since the epoch by its own clock.
    pub fn last_sign(&self) -> Millis {
        self.renewed_at.unwrap_or(self.holder.since)
    }

    /// Whether it seems to have expired. Clocks differ, so that nobody acts on this: it says only
    /// whether watching the lease for its whole term may lead anywhere. A sign of life from a time to
    /// come is none: a clock was set back since.
    pub fn seems_expired(&self, now: Millis) -> bool {
        now.abs_diff(self.last_sign()) > self.term_ms
    }
}

/// Who holds the lease on a target, if anybody does.
pub async fn look(engine: &EngineClient, target: &str) -> Result<Option<Held>, EngineError> {
    let Some(found) = engine.container(&lease_name(target)).await? else { return Ok(None) };
    refuse_strangers(&found)?;
    let id = found["Id"].as_str().unwrap_or_default().to_owned();
    let holder = holder_of(&found).unwrap_or_else(|| Holder {
        user: "somebody".to_owned(),
        host: "another program".to_owned(),
        pid: 0,
        place: String::new(),
        began: 0,
        store: String::new(),
        operation: "unknown".to_owned(),
        since: 0,
        generation: 0,
    });
    let beat = engine.read_file(&id, BEAT_FILE).await?;
    let beat = beat.and_then(|it| serde_json::from_slice::<Beat>(&it.content).ok());
    let beat = beat.unwrap_or(Beat { count: 0, term_ms: TERM, at: None });
    Ok(Some(Held { id, holder, count: beat.count, term_ms: beat.term_ms, renewed_at: beat.at }))
}

fn holder_of(inspect: &Value) -> Option<Holder> {
    serde_json::from_str(inspect["Config"]["Labels"][HOLDER_LABEL].as_str()?).ok()
}

/// Waits until a lease has gone unrenewed for its whole term. False if it was renewed, or is gone.
pub async fn has_expired(
    engine: &EngineClient,
    target: &str,
    held: &Held,
) -> Result<bool, EngineError> {
    let mut waited: Millis = 0;
    // Looks once a second; the term is what the holder has promised, not what we would.
    while waited < held.term_ms + 1_000 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        waited += 1_000;
        match look(engine, target).await? {
            Some(now) if now.id == held.id && now.count == held.count => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Takes a lease away from whoever held it, by its id: a lease that was given anew is not touched.
pub async fn take_away(engine: &EngineClient, held: &Held) -> Result<(), EngineError> {
    remove(engine, &held.id, "take the lease away").await.map(drop)
}

/// Removes a lease's container. False if it was not there.
pub(super) async fn remove(
    engine: &EngineClient,
    id: &str,
    what: &str,
) -> Result<bool, EngineError> {
    let path = format!("/containers/{id}?force=true");
    in_time(CHANGE_LIMIT, what, engine.delete(&path)).await
}
