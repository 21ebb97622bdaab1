//! One container: its inspect, its image, its memory, and one round of its probes.

use std::time::Duration;

use serde_json::Value;
use switchback_core::{HealthGate as _, Seen};
use switchback_targets::container::{
    gate::ContainerGate,
    members::{Doing, Member},
};

use tokio::time::Instant;

use crate::operate::{Answer, connect::Connected, now};

/// How long an engine may take to say how much memory a container uses; without an answer the
/// figure is left out. Docker answers at once or, where it was asked a moment ago, with its next
/// sample, which is a second away.
const MEMORY_LIMIT: Duration = Duration::from_secs(2);

/// The same for all of many together: none of them is worth a second of waiting. Docker 20.10 begins
/// to sample with the first of them, and has the others' figures a second later.
const MEMORY_LIMIT_OF_MANY: Duration = Duration::from_millis(250);

/// How many are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One, which is worth a wait.
    One,
    /// Many side by side.
    Many {
        /// Until when an engine may still say how much memory any of them uses.
        memory_until: Instant,
    },
}

impl Scope {
    /// The scope of a look at that many.
    pub(crate) fn of(count: usize) -> Self {
        if count == 1 { Self::One } else { Self::many() }
    }

    /// The scope of a look in which nobody waits for what is only nice to know.
    pub(crate) fn many() -> Self {
        Self::Many { memory_until: Instant::now() + MEMORY_LIMIT_OF_MANY }
    }
}

/// What one look at a container saw.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The container; none where there is none of that name.
    pub(crate) member: Option<Member>,
    /// What it is doing; with something to probe, an end is never its work.
    pub(crate) doing: Doing,
    /// One round of its probes; none where they gave no answer in their time.
    pub(crate) seen: Option<Seen>,
    /// The memory that it uses, in bytes.
    pub(crate) memory_bytes: Option<u64>,
    /// When, in milliseconds since the epoch.
    pub(crate) at: u64,
}

/// Looks at the container of a deployment.
pub(crate) async fn look(
    connected: &Connected,
    gate: &ContainerGate,
    scope: Scope,
) -> Answer<Looked> {
    let at = now();
    let engine = &connected.engine;
    let Some(inspect) = engine.container(connected.target()).await? else {
        let doing = Doing::Stopped;
        return Ok(Looked { member: None, doing, seen: None, memory_bytes: None, at });
    };
    let limit = Duration::from_millis(connected.settings.health.timeout_ms + 1_000);
    let image = inspect["Image"].as_str().unwrap_or_default().to_owned();
    let is_running = inspect["State"]["Running"] == Value::Bool(true);
    let memory = async { if is_running { memory_bytes(connected, scope).await } else { None } };
    let (image, seen, memory_bytes) =
        tokio::join!(engine.image(&image), tokio::time::timeout(limit, gate.probe()), memory);
    let member = Member {
        inspect,
        image: image?.unwrap_or(Value::Null),
        written: Vec::new(),
        files: Vec::new(),
    };
    let doing = match member.doing() {
        Doing::OneShot if is_service(connected, &member) => Doing::Stopped,
        other => other,
    };
    Ok(Looked { member: Some(member), doing, seen: seen.ok(), memory_bytes, at })
}

/// Whether anything of it can be probed: then it is there to serve, and not to end.
fn is_service(connected: &Connected, member: &Member) -> bool {
    let ports = member.inspect["HostConfig"]["PortBindings"].as_object();
    let test = &member.inspect["Config"]["Healthcheck"]["Test"];
    !connected.settings.health.probes.is_empty()
        || ports.is_some_and(|it| !it.is_empty())
        || test.is_array() && test[0] != "NONE"
}

/// What `docker stats` shows: all that is used, less the file pages that can be given back at once.
async fn memory_bytes(connected: &Connected, scope: Scope) -> Option<u64> {
    let path = format!("/containers/{}/stats?stream=false&one-shot=true", connected.target());
    let until = match scope {
        Scope::One => Instant::now() + MEMORY_LIMIT,
        Scope::Many { memory_until } => memory_until,
    };
    if until <= Instant::now() {
        return None;
    }
    let stats = tokio::time::timeout_at(until, connected.engine.get(&path)).await.ok()?.ok()?;
    let memory = &stats["memory_stats"];
    let used = memory["usage"].as_u64()?;
    // cgroup v1 has one word for it and v2 the other.
    let pages = &memory["stats"];
    let idle = pages["total_inactive_file"].as_u64().or(pages["inactive_file"].as_u64());
    Some(used.saturating_sub(idle.unwrap_or(0)))
}

/// Bytes in units of 2^20.
pub(crate) fn memory_mb(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no memory has 2^53 bytes")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    (mebibytes * 10.0).round() / 10.0
}

/// Whether it proves itself: true and false need evidence, and nothing else is either.
pub(crate) fn healthy(looked: &Looked) -> Option<bool> {
    match looked.doing {
        Doing::Stopped | Doing::Paused => return Some(false),
        Doing::OneShot => return None,
        Doing::Running => {}
    }
    let Some(seen) = &looked.seen else { return Some(false) };
    match (seen.running, seen.probes.is_empty()) {
        (false, _) => Some(false),
        (true, true) => None,
        (true, false) => Some(seen.probes.iter().all(|it| it.ready)),
    }
}

/// For how long it has been running.
pub(crate) fn uptime_seconds(member: &Member, at: u64) -> Option<f64> {
    if member.doing() != Doing::Running {
        return None;
    }
    let started: jiff::Timestamp = member.inspect["State"]["StartedAt"].as_str()?.parse().ok()?;
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at).ok()?).ok()?;
    let span = at.duration_since(started).as_secs_f64().max(0.0);
    Some((span * 10.0).round() / 10.0)
}
