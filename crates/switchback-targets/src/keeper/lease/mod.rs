//! The lease on one target: a container whose name only one can have.
//!
//! The engine gives a name to exactly one of many that ask for it at once; networks and volumes it
//! gives twice. The holder renews a counter in a file of the container and measures its own time on
//! a clock that goes on in suspend. Whoever wants to take over watches the counter stand still for
//! the whole time the holder has promised, so no two clocks are ever compared.

mod again;
mod seen;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchback_core::{Fenced, Lease, Millis, lease::Holder};

use self::again::Witness;
pub use self::seen::{Held, has_expired, look, take_away};
use super::{CHANGE_LIMIT, Keeper, body, in_time};
use crate::{
    container::change::DataMount,
    engine_api::{ArchivedFile, EngineClient, EngineError, Guard},
};

/// How long a lease lasts without renewal, in milliseconds. A holder that is gone blocks others for
/// this long; it is renewed in thirds, so that two lost renewals do not lose it.
pub const TERM: Millis = 30_000;

/// How long, and with what pauses, an engine that does not answer is asked before we give up: two
/// minutes, in which an engine restarts even on a slow disk.
const HOLD_LIMIT: std::time::Duration = std::time::Duration::from_secs(120);
const HOLD_PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// How long one renewal may take; measured at 50 ms. An engine that hangs must not hang us: the
/// next renewal may find it well.
const RENEW_LIMIT: std::time::Duration = std::time::Duration::from_secs(8);

/// An engine gives a name before it shows the container that has it: in milliseconds, under load in
/// seconds.
const UNSEEN_LIMIT_MS: Millis = 15_000;
const UNSEEN_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// The file of the lease's container that the holder renews.
const BEAT_FILE: &str = "/lease.json";

/// The label that names the holder from the first instant on.
const HOLDER_LABEL: &str = "dev.switchback.holder";

/// The name of the lease on a target.
pub fn lease_name(target: &str) -> String {
    format!("switchback-lease-{target}")
}

/// An effect that is asked for must reach the engine while the lease still lasts.
const REQUEST_HORIZON: Millis = 1_000;

/// A renewal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Beat {
    count: u64,
    term_ms: Millis,
    /// When, by the holder's clock: a hint for people and for whoever thinks of watching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Millis>,
}

/// Why a lease was not given.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody has it.
    #[error("held by {}", .0.holder)]
    Held(Box<Held>),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The lease on one target, held by us.
#[derive(Debug, Clone)]
pub struct TargetLease {
    engine: EngineClient,
    target: String,
    holder: Holder,
    /// The request that makes its container.
    body: Value,
    state: Arc<LeaseState>,
}

#[derive(Debug, Default)]
struct LeaseState {
    /// The id of its container, which changes when it has to be made anew.
    id: Mutex<String>,
    /// On the clock that goes on in suspend.
    expires_at: AtomicU64,
    count: AtomicU64,
    lost: AtomicBool,
    /// What we have written where everybody writes who acts.
    witness: Mutex<Witness>,
    /// One at a time takes it anew.
    turn: tokio::sync::Mutex<()>,
}

/// Why a lease was not renewed.
#[derive(Debug, thiserror::Error)]
enum NotRenewed {
    /// It is not ours any more.
    #[error("it went to somebody else")]
    Lost,
    /// The engine failed; it may do better soon.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Asks for the lease. The target's volumes are mounted in its container, where they are held and
/// copied.
pub async fn acquire(
    engine: &EngineClient,
    target: &str,
    holder: Holder,
    data: &[DataMount],
) -> Result<TargetLease, LeaseError> {
    super::ensure(engine).await?;
    let binds: Vec<String> = data.iter().map(|it| format!("{}:{}", it.source, it.inside)).collect();
    let labels = json!({ HOLDER_LABEL: serde_json::to_string(&holder).unwrap_or_default() });
    let body = body("lease", &binds, &labels);
    let (engine, target) = (engine.clone(), target.to_owned());
    let lease = TargetLease { engine, target, holder, body, state: Arc::default() };
    let asked_at = lease.ask().await?;
    match lease.begin(&lease.id()).await {
        Ok(()) => {}
        // Somebody has removed it in this very moment.
        Err(EngineError::Refused { status: 404, .. }) => {
            return Err(LeaseError::Engine(lease.fenced().await.into()));
        }
        Err(error) => {
            lease.release().await?;
            return Err(error.into());
        }
    }
    lease.extend(asked_at);
    Ok(lease)
}

impl TargetLease {
    /// Asks for its container, and says when. A name that is taken while nobody is seen to have it
    /// belongs to a container that is about to appear, or has just gone: both are soon over.
    async fn ask(&self) -> Result<Millis, LeaseError> {
        let begun = self.engine.boot_time();
        loop {
            let asked_at = self.engine.boot_time();
            let refused = match self.create().await {
                Ok(id) => {
                    self.set_id(id);
                    return Ok(asked_at);
                }
                Err(refused @ EngineError::Refused { status: 409, .. }) => refused,
                Err(error) => return Err(error.into()),
            };
            if let Some(held) = look(&self.engine, &self.target).await? {
                return Err(LeaseError::Held(Box::new(held)));
            }
            if self.engine.boot_time().saturating_sub(begun) > UNSEEN_LIMIT_MS {
                return Err(refused.into());
            }
            tokio::time::sleep(UNSEEN_PAUSE).await;
        }
    }

    /// Makes its container, which is to have its name.
    async fn create(&self) -> Result<String, EngineError> {
        let name = lease_name(&self.target);
        let path = format!("/containers/create?name={}", crate::engine_api::encode(&name));
        let asked = self.engine.post(&path, Some(&self.body));
        let made = in_time(CHANGE_LIMIT, "take the lease", asked).await?;
        Ok(made["Id"].as_str().unwrap_or_default().to_owned())
    }

    async fn begin(&self, id: &str) -> Result<(), EngineError> {
        let path = format!("/containers/{id}/start");
        let started = self.engine.post(&path, None);
        drop(in_time(CHANGE_LIMIT, "start the lease's container", started).await?);
        self.beat(id).await
    }

    /// The id of its container, by now.
    pub(super) fn id(&self) -> String {
        self.state.id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether programs can be run in its container. An engine that does not say does not deny it.
    pub(super) async fn runs(&self) -> bool {
        let found = self.engine.container(&self.id()).await;
        found.map_or(true, |it| it.is_some_and(|it| it["State"]["Running"] == true))
    }

    fn set_id(&self, id: String) {
        *self.state.id.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// Where programs run for this operation.
    pub fn keeper(&self) -> Keeper {
        Keeper::Lease(Box::new(self.clone()))
    }

    /// Who we are.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The engine, of which changes are asked only while this lease is ours.
    pub fn guarded_engine(&self) -> EngineClient {
        self.engine.guarded_by(Arc::new(self.clone()))
    }

    /// Writes the next renewal into the container.
    async fn beat(&self, id: &str) -> Result<(), EngineError> {
        let count = self.state.count.fetch_add(1, Ordering::SeqCst) + 1;
        let at = Millis::try_from(jiff::Timestamp::now().as_millisecond()).ok();
        let content = serde_json::to_vec(&Beat { count, term_ms: TERM, at }).unwrap_or_default();
        let name = BEAT_FILE.trim_start_matches('/').to_owned();
        let files = [ArchivedFile { name, mode: 0o600, uid: 0, gid: 0, content }];
        let written = self.engine.write_files(id, "/", &files);
        in_time(RENEW_LIMIT, "renew the lease", written).await
    }

    /// Renews the lease for its whole term, from the moment before it was asked.
    async fn renew(&self) -> Result<(), NotRenewed> {
        let (asked_at, id) = (self.engine.boot_time(), self.id());
        match self.beat(&id).await {
            Ok(()) => {}
            Err(EngineError::Refused { status: 404, .. }) => self.taken_anew(id).await?,
            Err(error) => return Err(error.into()),
        }
        self.extend(asked_at);
        Ok(())
    }

    fn extend(&self, asked_at: Millis) {
        let _earlier = self.state.expires_at.fetch_max(asked_at + TERM, Ordering::SeqCst);
    }

    fn is_lost(&self) -> bool {
        self.state.lost.load(Ordering::SeqCst)
    }

    fn lose(&self) -> NotRenewed {
        self.state.lost.store(true, Ordering::SeqCst);
        NotRenewed::Lost
    }

    /// Renews in thirds of the term until the returned guard is dropped.
    pub fn keep_renewing(&self) -> Renewing {
        let lease = self.clone();
        let task = tokio::spawn(async move {
            while !lease.is_lost() {
                tokio::time::sleep(std::time::Duration::from_millis(TERM / 3)).await;
                if let Err(error) = lease.renew().await {
                    tracing::warn!(%error, "the lease was not renewed");
                }
            }
        });
        Renewing(task.abort_handle())
    }

    /// Gives the lease back. A renewal that is taking it anew meanwhile is waited for: its container would
    /// stay behind otherwise. None begins to any more.
    pub async fn release(&self) -> Result<(), EngineError> {
        let _lost = self.lose();
        let _turn = self.state.turn.lock().await;
        if self.remove(&self.id()).await? {
            return Ok(());
        }
        // It was gone; of one that a lost answer was about only its name is known.
        match look(&self.engine, &self.target).await {
            Ok(Some(held)) if held.holder == self.holder => self.remove(&held.id).await.map(drop),
            // A stranger's has the name, or somebody else's went away meanwhile.
            Ok(_) | Err(EngineError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Renews until the engine answers. Whoever took the lease over removed its container, so a
    /// renewal by id tells. An engine that does not answer takes no effect either, so nothing is lost
    /// by asking until it does.
    pub(super) async fn confirm(&self, horizon: Millis) -> Result<(), Fenced> {
        let mut left = HOLD_LIMIT;
        while !left.is_zero() {
            let asked_at = tokio::time::Instant::now();
            match self.renew().await {
                Ok(()) if self.lasts(horizon) => return Ok(()),
                Ok(()) => {}
                Err(NotRenewed::Lost) => break,
                Err(error) => tracing::warn!(%error, "the lease was not renewed"),
            }
            tokio::time::sleep(HOLD_PAUSE).await;
            // Whoever stood still meanwhile has not asked for so long.
            left = left.saturating_sub(asked_at.elapsed().min(RENEW_LIMIT + HOLD_PAUSE));
        }
        Err(self.fenced().await)
    }

    fn lasts(&self, horizon: Millis) -> bool {
        let expires_at = self.state.expires_at.load(Ordering::SeqCst);
        expires_at.saturating_sub(self.engine.boot_time()) >= horizon
    }

    async fn fenced(&self) -> Fenced {
        let _lost = self.lose();
        let held = look(&self.engine, &self.target).await.ok().flatten();
        Fenced {
            holder: held.map_or_else(|| "nobody any more".to_owned(), |it| it.holder.to_string()),
        }
    }
}

/// Renews a lease for as long as it is kept.
#[derive(Debug)]
pub struct Renewing(tokio::task::AbortHandle);

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lease for TargetLease {
    async fn hold(&self, horizon: Millis) -> Result<(), Fenced> {
        if self.is_lost() {
            return Err(self.fenced().await);
        }
        if self.lasts(horizon) {
            return Ok(());
        }
        self.confirm(horizon).await
    }
}

impl Guard for TargetLease {
    fn pass(&self) -> BoxFuture<'_, Result<(), Fenced>> {
        Box::pin(self.hold(REQUEST_HORIZON))
    }
}

#[cfg(test)]
mod tests;
