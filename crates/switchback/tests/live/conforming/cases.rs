//! What is done on both engines.

use std::time::Duration;

use serde_json::json;
use switchback_core::{Before, Force, Lease};
use switchback_targets::{
    container::change::{Change, DataMount, DataSet, Subject, Was},
    keeper::{self, image::image_reference, lease},
};

use super::{happening, leaving, side::Side};

/// A transcript.
#[derive(Debug, Clone, Copy)]
pub(super) enum Case {
    Lifecycle,
    Names,
    Creating,
    Images,
    Lease,
    Data,
    Crash,
    Exec,
    Twice,
    EngineRestart,
    EngineKilled,
    Prune,
    Late,
    LateStart,
}

/// After that pause a lease of thirty seconds does not last for as long as is asked for, and has to be
/// renewed; the renewal itself has the rest of the term.
const PAUSE: Duration = Duration::from_millis(6_500);
const HORIZON_MS: u64 = 24_000;

impl Case {
    pub(super) async fn play(self, side: &mut Side) {
        match self {
            Self::Lifecycle => lifecycle(side).await,
            Self::Names => names(side).await,
            Self::Creating => creating(side).await,
            Self::Images => images(side).await,
            Self::Lease => lease_case(side).await,
            Self::Data => data(side).await,
            Self::Crash => happening::crash(side).await,
            Self::Exec => happening::exec(side).await,
            Self::Twice => happening::twice(side).await,
            Self::EngineRestart => happening::engine_restart(side, false).await,
            Self::EngineKilled => happening::engine_restart(side, true).await,
            Self::Prune => leaving::prune(side).await,
            Self::Late => leaving::late(side).await,
            Self::LateStart => leaving::late_start(side).await,
        }
    }
}

pub(super) fn existing(id: &str) -> Subject {
    Subject::Existing(id.to_owned())
}

async fn lifecycle(side: &mut Side) {
    let (name, id) = (side.name.clone(), side.create("").await);
    let start = Change::StartContainer { subject: existing(&id), name: name.clone() };
    let stop = Change::StopContainer {
        id: id.clone(),
        name: name.clone(),
        timeout_s: 1,
        was: Was::Running,
    };
    let pause = Change::PauseContainer { subject: existing(&id), name: name.clone() };
    side.inspect(&name).await;
    side.look(&stop).await;
    side.look(&start).await;
    side.apply(&start).await;
    side.inspect(&name).await;
    side.look(&start).await;
    side.apply(&start).await;
    side.look(&stop).await;
    side.look(&pause).await;
    side.apply(&pause).await;
    side.look(&pause).await;
    side.look(&stop).await;
    side.inspect(&name).await;
    side.apply(&start).await;
    side.undo(&pause, &Before::Absent).await;
    side.undo(&pause, &Before::Absent).await;
    side.ask(&format!("/containers/{name}/unpause")).await;
    side.settle(&stop, 0, Force::Forbidden).await;
    side.inspect(&name).await;
    side.apply(&stop).await;
    side.apply(&stop).await;
    side.inspect(&name).await;
    side.look(&stop).await;
    side.look(&pause).await;
    side.apply(&pause).await;
    side.undo(&stop, &Before::Image("running".to_owned())).await;
    side.undo(&stop, &Before::Image("running".to_owned())).await;
    side.inspect(&name).await;
    side.settle(&stop, 200, Force::Allowed).await;
    side.inspect(&name).await;
    side.undo(&start, &Before::Absent).await;
    side.remove(&id).await;
    for change in [&start, &stop, &pause] {
        side.look(change).await;
        side.settle(change, 0, Force::Allowed).await;
        side.apply(change).await;
    }
    side.undo(&start, &Before::Absent).await;
    side.undo(&pause, &Before::Absent).await;
    side.undo(&stop, &Before::Image("running".to_owned())).await;
}

async fn names(side: &mut Side) {
    let (name, id) = (side.name.clone(), side.create("").await);
    let _other = side.create("-other").await;
    let rename = |to: &str| Change::Rename {
        subject: existing(&id),
        from: name.clone(),
        to: format!("{name}{to}"),
    };
    let policy = Change::SetRestartPolicy {
        subject: existing(&id),
        name: name.clone(),
        from: json!({ "Name": "unless-stopped", "MaximumRetryCount": 0 }),
        to: json!({ "Name": "no", "MaximumRetryCount": 0 }),
    };
    side.look(&rename("-old")).await;
    side.apply(&rename("-other")).await;
    side.apply(&rename("-old")).await;
    side.look(&rename("-old")).await;
    side.look(&rename("-new")).await;
    side.inspect(&name).await;
    side.inspect(&id).await;
    side.undo(&rename("-new"), &Before::Image(name.clone())).await;
    side.undo(&rename("-old"), &Before::Image(name.clone())).await;
    side.undo(&rename("-old"), &Before::Image(name.clone())).await;
    side.inspect(&name).await;
    side.look(&policy).await;
    side.apply(&policy).await;
    side.look(&policy).await;
    side.inspect(&name).await;
    let was = Before::Image(json!({ "Name": "unless-stopped" }).to_string());
    side.undo(&policy, &was).await;
    side.undo(&policy, &was).await;
    side.inspect(&name).await;
    side.ask(&format!("/containers/{name}/rename?name={name}")).await;
    side.ask(&format!("/containers/{name}/rename?name=-")).await;
    side.remove(&id).await;
    side.look(&rename("-old")).await;
    side.apply(&rename("-old")).await;
    side.undo(&rename("-old"), &was).await;
    side.look(&policy).await;
    side.apply(&policy).await;
    side.undo(&policy, &was).await;
}

async fn creating(side: &mut Side) {
    let name = side.name.clone();
    let create = Change::CreateContainer {
        name: format!("{name}-new"),
        final_name: name.clone(),
        image: image_reference(),
        specification: String::new(),
    };
    side.look(&create).await;
    side.settle(&create, 0, Force::Allowed).await;
    side.look(&create).await;
    side.undo(&create, &Before::Absent).await;
    let id = side.create("-new").await;
    side.look(&create).await;
    side.settle(&create, 0, Force::Allowed).await;
    let path = format!("/containers/create?name={name}-new");
    let body = json!({ "Image": image_reference() });
    let again = side.engine.post(&path, Some(&body)).await.unwrap_err();
    side.say(format!("create again: error {}", again.code()));
    let body = json!({ "Image": format!("{name}:none") });
    let path = format!("/containers/create?name={name}-other");
    let unknown = side.engine.post(&path, Some(&body)).await.unwrap_err();
    side.say(format!("create from nothing: error {}", unknown.code()));
    let remove = Change::RemoveContainer { id: id.clone(), name: format!("{name}-new") };
    side.ask(&format!("/containers/{id}/start")).await;
    side.look(&remove).await;
    side.apply(&remove).await;
    side.undo(&create, &Before::Absent).await;
    side.undo(&create, &Before::Absent).await;
    side.look(&create).await;
    side.look(&remove).await;
    side.apply(&remove).await;
    let _stopped = side.create("-old").await;
    side.look(&create).await;
}

async fn images(side: &mut Side) {
    let engine = side.engine.clone();
    let id = engine.image(&image_reference()).await.unwrap().unwrap()["Id"].clone();
    let id = id.as_str().unwrap().to_owned();
    let reference = format!("{}:kept", side.name);
    let keep = |image: &str| Change::KeepImage {
        image: image.to_owned(),
        reference: reference.clone(),
        is_current: false,
    };
    let move_tag =
        Change::MoveTag { reference: format!("{}:1", side.name), image: id.clone(), was: None };
    let remove = Change::RemoveTag { reference: reference.clone() };
    side.look(&keep(&id)).await;
    side.look(&remove).await;
    side.apply(&keep("sha256:0000000000000000000000000000000000000000000000000000000000000000"))
        .await;
    side.apply(&keep(&id)).await;
    side.apply(&keep(&id)).await;
    side.look(&keep(&id)).await;
    side.look(&remove).await;
    side.undo(&keep(&id), &Before::Absent).await;
    side.undo(&keep(&id), &Before::Absent).await;
    side.look(&keep(&id)).await;
    side.look(&move_tag).await;
    side.apply(&move_tag).await;
    side.look(&move_tag).await;
    side.undo(&move_tag, &Before::Image(id.clone())).await;
    side.look(&move_tag).await;
    side.undo(&move_tag, &Before::Absent).await;
    side.look(&move_tag).await;
    side.apply(&keep(&id)).await;
    side.apply(&remove).await;
    side.apply(&remove).await;
    side.look(&remove).await;
}

/// Asks whether a lease is still ours, so that it has to be renewed for that.
async fn sure(side: &mut Side, lease: &lease::TargetLease) {
    tokio::time::sleep(PAUSE).await;
    let held = lease.hold(HORIZON_MS).await;
    side.say(format!("hold: {}", if held.is_ok() { "ours" } else { "lost" }));
}

pub(super) async fn who(side: &mut Side) -> Option<lease::Held> {
    let held = lease::look(&side.engine, &side.name).await.unwrap();
    let line = held.as_ref().map_or_else(|| "nobody".to_owned(), |it| it.holder.to_string());
    side.say(format!("who holds it: {line}"));
    held
}

async fn lease_case(side: &mut Side) {
    let none = who(side).await;
    assert!(none.is_none(), "the name is new");
    let first = side.acquire("one", &[]).await.expect("nobody has it");
    let _held = who(side).await;
    assert!(side.acquire("two", &[]).await.is_none(), "it is held");
    // Somebody tidies up, and the journal is what its holder has written.
    first.write_journal(b"one".to_vec()).await.unwrap();
    side.remove(&lease::lease_name(&side.name)).await;
    let _gone = who(side).await;
    sure(side, &first).await;
    let held = who(side).await.expect("it was taken anew");
    // Somebody takes over.
    lease::take_away(&side.engine, &held).await.unwrap();
    let second = side.acquire("two", &[]).await.expect("it was taken away");
    second.write_journal(b"two".to_vec()).await.unwrap();
    sure(side, &first).await;
    second.release().await.unwrap();
    side.say(format!("hold again: {}", first.hold(1).await.is_ok()));
    let _nobody = who(side).await;
}

async fn data(side: &mut Side) {
    let mount = DataMount {
        target: "/data".to_owned(),
        source: side.name.clone(),
        inside: "/data/0".to_owned(),
    };
    let lease = side.acquire("one", std::slice::from_ref(&mount)).await.expect("nobody has it");
    side.keeper = lease.keeper();
    let set = DataSet { snapshot: "one".to_owned(), mounts: vec![mount], exclude: Vec::new() };
    let take = Change::TakeSnapshot { data: set.clone() };
    let hand_over = Change::HandOverData { data: set.clone() };
    let restore = Change::RestoreData { data: set, aside: "two-before".to_owned() };
    let remove = Change::RemoveSnapshot { operation: "one".to_owned() };
    snapshots(side).await;
    side.apply(&restore).await;
    side.undo(&hand_over, &Before::Absent).await;
    side.look(&take).await;
    side.apply(&take).await;
    snapshots(side).await;
    side.apply(&take).await;
    side.settle(&take, 0, Force::Allowed).await;
    side.undo(&take, &Before::Absent).await;
    snapshots(side).await;
    side.apply(&hand_over).await;
    side.undo(&hand_over, &Before::Absent).await;
    side.undo(&hand_over, &Before::Absent).await;
    snapshots(side).await;
    side.apply(&restore).await;
    side.undo(&restore, &Before::Absent).await;
    snapshots(side).await;
    side.apply(&remove).await;
    side.apply(&remove).await;
    snapshots(side).await;
    lease.release().await.unwrap();
    side.apply(&take).await;
    side.keeper = keeper::Keeper::Anchor;
}

async fn snapshots(side: &mut Side) {
    for operation in ["one", "one-failed", "two-before"] {
        let mounts = keeper::snapshot_mounts(&side.engine, &side.name, operation).await.unwrap();
        side.say(format!("snapshot {operation}: {mounts:?}"));
    }
}
