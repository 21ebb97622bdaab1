//! The lease on one target: a container whose name only one can have.
//!
//! The engine gives a name to exactly one of many that ask for it at once; networks and volumes it
//! gives twice. The holder renews a counter in a file of the container and measures its own time on
//! a clock that goes on in suspend. Whoever wants to take over watches the counter stand still for
//! the whole time the holder has promised, so no two clocks are ever compared.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchback_core::{Fenced, Lease, Millis, lease::Holder};

use super::body;
use crate::{
    container::change::DataMount,
    engine_api::{ArchivedFile, EngineClient, EngineError},
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

/// How long an engine may take to make, start or remove a container of ours, which has nothing to
/// stop and nothing to copy.
const CHANGE_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

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

/// A renewal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Beat {
    count: u64,
    term_ms: Millis,
}

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
    id: String,
    target: String,
    holder: Holder,
    state: Arc<LeaseState>,
}

#[derive(Debug)]
struct LeaseState {
    /// On the clock that goes on in suspend.
    expires_at: AtomicU64,
    count: AtomicU64,
    lost: AtomicBool,
}

/// Waits for the engine, but not for ever.
async fn in_time<T>(
    limit: std::time::Duration,
    what: &str,
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let done = tokio::time::timeout(limit, work).await;
    done.map_err(|_| EngineError::TimedOut { what: what.to_owned() })?
}

/// Milliseconds on the clock that goes on in suspend.
fn boot_time() -> Millis {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
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
    let name = crate::engine_api::encode(&lease_name(target));
    let path = format!("/containers/create?name={name}");
    let (asked_at, made) = create(engine, target, &path, &body).await?;
    let id = made["Id"].as_str().unwrap_or_default().to_owned();
    let state = LeaseState {
        expires_at: AtomicU64::new(asked_at + TERM),
        count: AtomicU64::new(0),
        lost: AtomicBool::new(false),
    };
    let (engine, target) = (engine.clone(), target.to_owned());
    let lease = TargetLease { engine, id, target, holder, state: Arc::new(state) };
    if let Err(error) = lease.begin().await {
        lease.release().await?;
        return Err(error.into());
    }
    Ok(lease)
}

/// Asks for the container, and says when. A name that is taken while nobody is seen to have it belongs
/// to a container that is about to appear, or has just gone: both are soon over.
async fn create(
    engine: &EngineClient,
    target: &str,
    path: &str,
    body: &Value,
) -> Result<(Millis, Value), LeaseError> {
    let begun = boot_time();
    loop {
        let asked_at = boot_time();
        let asked = in_time(CHANGE_LIMIT, "take the lease", engine.post(path, Some(body))).await;
        let refused = match asked {
            Ok(made) => return Ok((asked_at, made)),
            Err(refused @ EngineError::Refused { status: 409, .. }) => refused,
            Err(error) => return Err(error.into()),
        };
        if let Some(held) = look(engine, target).await? {
            return Err(LeaseError::Held(Box::new(held)));
        }
        if boot_time().saturating_sub(begun) > UNSEEN_LIMIT_MS {
            return Err(refused.into());
        }
        tokio::time::sleep(UNSEEN_PAUSE).await;
    }
}

/// Who holds the lease on a target, if anybody does.
pub async fn look(engine: &EngineClient, target: &str) -> Result<Option<Held>, EngineError> {
    let Some(found) = engine.container(&lease_name(target)).await? else { return Ok(None) };
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
    let beat = beat.unwrap_or(Beat { count: 0, term_ms: TERM });
    Ok(Some(Held { id, holder, count: beat.count, term_ms: beat.term_ms }))
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
    let path = format!("/containers/{}?force=true", held.id);
    let _was_there = in_time(CHANGE_LIMIT, "take the lease away", engine.delete(&path)).await?;
    Ok(())
}

impl TargetLease {
    async fn begin(&self) -> Result<(), EngineError> {
        let path = format!("/containers/{}/start", self.id);
        let started = self.engine.post(&path, None);
        drop(in_time(CHANGE_LIMIT, "start the lease's container", started).await?);
        self.renew().await
    }

    /// The id of the keeper's container.
    pub fn keeper(&self) -> &str {
        &self.id
    }

    /// Who we are.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Renews the lease for its whole term, from the moment before it was asked.
    pub async fn renew(&self) -> Result<(), EngineError> {
        let asked_at = boot_time();
        let count = self.state.count.fetch_add(1, Ordering::SeqCst) + 1;
        let content = serde_json::to_vec(&Beat { count, term_ms: TERM }).unwrap_or_default();
        let name = BEAT_FILE.trim_start_matches('/').to_owned();
        let file = ArchivedFile { name, mode: 0o600, uid: 0, gid: 0, content };
        let files = [file];
        let written = self.engine.write_files(&self.id, "/", &files);
        match in_time(RENEW_LIMIT, "renew the lease", written).await {
            Ok(()) => {
                let _earlier = self.state.expires_at.fetch_max(asked_at + TERM, Ordering::SeqCst);
                Ok(())
            }
            Err(EngineError::Refused { status: 404, message }) => {
                self.state.lost.store(true, Ordering::SeqCst);
                Err(EngineError::Refused { status: 404, message })
            }
            Err(error) => Err(error),
        }
    }

    /// Renews in thirds of the term until the returned guard is dropped.
    pub fn keep_renewing(&self) -> Renewing {
        let lease = self.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(TERM / 3)).await;
                if let Err(error) = lease.renew().await {
                    tracing::warn!(%error, "the lease was not renewed");
                }
                if lease.state.lost.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Renewing(task.abort_handle())
    }

    /// Gives the lease back.
    pub async fn release(&self) -> Result<(), EngineError> {
        let path = format!("/containers/{}?force=true", self.id);
        let deleted = self.engine.delete(&path);
        let _was_there = in_time(CHANGE_LIMIT, "give the lease back", deleted).await?;
        Ok(())
    }

    async fn fenced(&self) -> Fenced {
        self.state.lost.store(true, Ordering::SeqCst);
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
        if self.state.lost.load(Ordering::SeqCst) {
            return Err(self.fenced().await);
        }
        let remaining = self.state.expires_at.load(Ordering::SeqCst).saturating_sub(boot_time());
        if remaining >= horizon {
            return Ok(());
        }
        // Whoever took it over removed the container, so a renewal by id tells. An engine that does
        // not answer takes no effect either, so nothing is lost by asking until it does.
        let asked_at = std::time::Instant::now();
        while asked_at.elapsed() < HOLD_LIMIT {
            match self.renew().await {
                Ok(()) => return Ok(()),
                Err(EngineError::Refused { status: 404, .. }) => break,
                Err(error) => tracing::warn!(%error, "the lease was not renewed"),
            }
            tokio::time::sleep(HOLD_PAUSE).await;
        }
        Err(self.fenced().await)
    }
}
