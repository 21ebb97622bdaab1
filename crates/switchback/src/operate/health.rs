//! Is it well? One round of the probes that updates use, or their whole gate.

use serde_json::{Map, Value, json};
use switchback_core::{
    Clock as _, GatePolicy, HealthGate as _, Interrupt, Reporter, Seen, Verdict,
    event::{EventKind, PhaseName},
    gate::{Judged, Looks},
};
use switchback_targets::{
    container::{gate::ContainerGate, members::Doing, plan::gate_of_running},
    patience::within,
    probe::HttpClient,
};

use super::{
    Answer,
    connect::Connected,
    look::{Looked, Scope, healthy, look, memory_mb, uptime_seconds},
    prepare::gate_with,
    report::WallClock,
};
use crate::error::CommandError;

/// One round of probes of one deployment, as `GET /health` says it.
pub(crate) async fn round(
    connected: &Connected,
    client: HttpClient,
    scope: Scope,
) -> Answer<Value> {
    let looked = look(connected, &gate_with(connected, client), scope).await?;
    Ok(document(&looked, healthy(&looked)))
}

/// What a look saw, with a verdict.
fn document(looked: &Looked, healthy: Option<bool>) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            object.insert(key.to_owned(), value);
        }
    };
    let seen = looked.seen.as_ref();
    let member = looked.member.as_ref();
    put("healthy", json!(healthy));
    put("version", json!(seen.and_then(|it| it.version.clone())));
    let state = member.map(|it| it.inspect["State"]["Status"].as_str().unwrap_or("unknown"));
    put("container_state", json!(state.unwrap_or("missing")));
    put("uptime_seconds", json!(member.and_then(|it| uptime_seconds(it, looked.at))));
    put("memory_usage_mb", json!(looked.memory_bytes.map(memory_mb)));
    put("probes", json!(seen.map(|it| &it.probes)));
    put("reason", json!(reason(looked, healthy)));
    Value::Object(object)
}

/// Why it is not known to be well.
fn reason(looked: &Looked, healthy: Option<bool>) -> Option<String> {
    match (healthy, &looked.member, &looked.seen) {
        (Some(true), ..) => None,
        (_, None, _) => Some("there is no such container".to_owned()),
        (None, ..) => Some("nothing is probed, so nothing is known".to_owned()),
        (Some(false), _, None) => Some("no answer in time".to_owned()),
        (Some(false), _, Some(seen)) => Some(seen.summary()),
    }
}

/// The whole gate that updates use, over time. Every look is reported; an interrupt ends it.
pub(crate) async fn gate(
    connected: &Connected,
    client: HttpClient,
    reporter: &Reporter,
    interrupt: &Interrupt,
) -> Answer<Value> {
    let gate = gate_with(connected, client);
    let looked = look(connected, &gate, Scope::many()).await?;
    let Some(member) = &looked.member else { return Ok(document(&looked, Some(false))) };
    reporter
        .send(WallClock.now(), EventKind::Started { action: "health".to_owned(), steps: vec![] });
    reporter.send(WallClock.now(), EventKind::Phase { phase: PhaseName::Verifying });
    let mut policy = gate_of_running(&connected.settings.health, member);
    policy.expect.one_shot = looked.doing == Doing::OneShot;
    let verdict = judged(&policy, &gate, reporter, interrupt).await?;
    let looked = look(connected, &gate, Scope::many()).await?;
    let has_evidence = policy.expect.one_shot || healthy(&looked).is_some();
    let mut document = match &verdict {
        Verdict::Healthy if has_evidence => document(&looked, Some(true)),
        // The process stayed up for the whole window, and nothing else was asked.
        Verdict::Healthy | Verdict::Undecided => document(&looked, None),
        Verdict::Unhealthy(_) => document(&looked, Some(false)),
    };
    if let Verdict::Unhealthy(cause) = &verdict {
        document["reason"] = json!(cause.to_string());
    }
    reporter.send(WallClock.now(), EventKind::Finished { result: Box::new(document.clone()) });
    Ok(document)
}

async fn judged(
    policy: &GatePolicy,
    gate: &ContainerGate,
    reporter: &Reporter,
    interrupt: &Interrupt,
) -> Answer<Verdict> {
    let limit = std::time::Duration::from_millis(policy.patience);
    let mut looks = Looks::open(WallClock.now());
    loop {
        let stopped = || CommandError::new("interrupted", "the gate was interrupted");
        let seen = tokio::select! {
            seen = within(limit, gate.probe()) => seen,
            () = interrupt.asked() => return Err(stopped()),
        };
        report(reporter, seen.as_ref());
        looks.push(policy, WallClock.now(), seen);
        match policy.judge(Judged::New, looks.samples()) {
            Verdict::Undecided => {}
            verdict => return Ok(verdict),
        }
        tokio::select! {
            () = WallClock.sleep(policy.interval) => {}
            () = interrupt.asked() => return Err(stopped()),
        }
        looks.pause(policy, WallClock.now());
    }
}

fn report(reporter: &Reporter, seen: Option<&Seen>) {
    let message = seen.map_or_else(|| "no answer in time".to_owned(), Seen::summary);
    let ready = seen.is_some_and(|it| it.running && it.probes.iter().all(|it| it.ready));
    let kind = EventKind::Probe { ready, message, streak: None, streak_needed: None };
    reporter.send(WallClock.now(), kind);
}
