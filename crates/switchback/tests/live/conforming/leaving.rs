//! What happens to both engines that takes something away: somebody prunes, or whoever asked leaves and the
//! engine goes on.

use std::time::Duration;

use serde_json::json;
use switchback_core::{Before, Force, Lease as _};
use switchback_targets::{
    container::change::{Change, Subject},
    keeper::image::image_reference,
};
use switchback_testkit::{Event, Fault};

use super::{
    cases::{existing, who},
    happening::{Hand, start, stop},
    side::Side,
};
use crate::common::slow_runtime::RUNTIME;

/// Enough for a request to reach an engine that has much to do, and less than any stop here takes.
const WAITS: Duration = Duration::from_secs(2);

/// More than a few looks take, also where a machine has too much to do.
const LONG_S: u64 = 15;

/// Longer than [`WAITS`], and less than a look may take.
const SHORT_S: u64 = 4;

impl Side {
    /// One that has a volume of its own name, if it is to have one, and does not hear when it is to stop:
    /// the first process of a container heeds no signal that it has not asked for.
    async fn create_deaf(&mut self, end: &str, has_volume: bool) -> String {
        let bind = format!("{}{end}:/data", self.name);
        let change = |body: &mut serde_json::Value| {
            body["StopSignal"] = json!("SIGUSR1");
            if has_volume {
                body["HostConfig"]["Binds"] = json!([bind]);
            }
        };
        self.create_from(end, "unless-stopped", change).await
    }

    /// Somebody prunes everything.
    async fn prune(&mut self) {
        match &self.hand {
            Hand::None => panic!("nobody prunes an engine that others use"),
            Hand::Spare(machine) => {
                let machine = machine.clone();
                let prune = move || drop(machine.prune());
                tokio::task::spawn_blocking(prune).await.unwrap();
            }
            Hand::Fake(world) => world.happen(&Event::Prune { volumes: true }),
        }
        self.say("somebody has pruned");
    }

    /// Asks for a stop that lasts so long, and leaves before it is over.
    async fn leaves_a_stop(&mut self, container: &str, lasts_s: u64) {
        if let Hand::Fake(world) = &self.hand {
            world.fault(Fault::late("stop", lasts_s * 1_000));
        }
        let path = format!("/containers/{container}/stop?t={lasts_s}");
        let answer = tokio::time::timeout(WAITS, self.engine.post(&path, None)).await;
        self.say(format!("a stop of {container} was left: {}", answer.is_err()));
    }

    /// The same with a start.
    async fn leaves_a_start(&mut self, container: &str, lasts_s: u64) {
        match &self.hand {
            Hand::None => panic!("nobody slows down an engine that others use"),
            Hand::Spare(machine) => {
                let machine = machine.clone();
                let slowly = move || machine.starts_slowly(lasts_s);
                tokio::task::spawn_blocking(slowly).await.unwrap();
            }
            Hand::Fake(world) => world.fault(Fault::late("start", lasts_s * 1_000)),
        }
        let path = format!("/containers/{container}/start");
        let answer = tokio::time::timeout(WAITS, self.engine.post(&path, None)).await;
        self.say(format!("a start of {container} was left: {}", answer.is_err()));
    }

    async fn has_stopped(&mut self, container: &str) {
        self.until(container, |it| it["State"]["Status"] == "exited").await;
        self.say(format!("{container} has stopped"));
    }

    async fn volume(&mut self, end: &str) {
        let path = format!("/volumes/{}{end}", self.name);
        let found = self.engine.find(&path).await.unwrap();
        self.say(format!("{path}: {}", found.is_some()));
    }

    async fn image(&mut self, reference: &str) {
        let found = self.engine.image(reference).await.unwrap();
        self.say(format!("image {reference}: {}", found.is_some()));
    }
}

pub(super) async fn prune(side: &mut Side) {
    let name = side.name.clone();
    let running = side.create_deaf("", true).await;
    let stopped = side.create_deaf("-old", true).await;
    let paused = side.create("-new").await;
    let made = side.create("-other").await;
    let (old, new, other) = (format!("{name}-old"), format!("{name}-new"), format!("{name}-other"));
    for (id, name) in [(&running, &name), (&stopped, &old), (&paused, &new)] {
        side.apply(&start(id, name)).await;
    }
    side.apply(&stop(&stopped, &old)).await;
    let pause = Change::PauseContainer { subject: existing(&paused), name: new.clone() };
    side.apply(&pause).await;
    let lease = side.acquire("one", &[]).await.expect("nobody has it");
    let keep = |it: &str| Change::KeepImage {
        image: image_reference(),
        reference: it.to_owned(),
        is_current: false,
    };
    // Whoever prunes takes names in their order, and leaves the last: that of the image itself.
    let (kept, tag) = (format!("{name}:kept"), format!("{name}:1"));
    side.apply(&keep(&kept)).await;
    side.apply(&keep(&tag)).await;
    side.prune().await;
    for container in [&name, &old, &new, &other] {
        side.inspect(container).await;
    }
    for end in ["", "-old"] {
        side.volume(end).await;
    }
    for reference in [&kept, &tag, &image_reference()] {
        side.image(reference).await;
    }
    for (id, name) in [(&running, &name), (&stopped, &old), (&made, &other)] {
        side.look(&stop(id, name)).await;
        side.look(&start(id, name)).await;
        side.apply(&start(id, name)).await;
    }
    side.undo(&stop(&stopped, &old), &Before::Image("running".to_owned())).await;
    side.undo(&pause, &Before::Absent).await;
    side.inspect(&new).await;
    side.look(&keep(&kept)).await;
    side.undo(&keep(&kept), &Before::Absent).await;
    side.apply(&keep(&kept)).await;
    side.image(&kept).await;
    let _held = who(side).await;
    let is_ours = lease.hold(1).await.is_ok();
    side.say(format!("hold: {is_ours}"));
    lease.release().await.unwrap();
    // A stranger gives what was taken its name and its volume back.
    let again = side.create_deaf("-old", true).await;
    side.volume("-old").await;
    side.look(&Change::StartContainer { subject: Subject::Existing(again), name: old }).await;
    side.undo(&keep(&kept), &Before::Absent).await;
}

pub(super) async fn late(side: &mut Side) {
    let (name, id) = (side.name.clone(), side.create_deaf("", false).await);
    let was = Before::Image("running".to_owned());
    side.apply(&start(&id, &name)).await;
    // Whoever looks meanwhile finds it running, and a start has nothing to do: then it stops.
    side.leaves_a_stop(&name, LONG_S).await;
    side.inspect(&name).await;
    side.look(&stop(&id, &name)).await;
    side.look(&start(&id, &name)).await;
    side.apply(&start(&id, &name)).await;
    side.inspect(&name).await;
    side.has_stopped(&name).await;
    side.inspect(&name).await;
    side.look(&stop(&id, &name)).await;
    side.undo(&stop(&id, &name), &was).await;
    side.inspect(&name).await;
    // The barrier waits for it.
    side.leaves_a_stop(&name, SHORT_S).await;
    side.settle(&stop(&id, &name), 120_000, Force::Forbidden).await;
    side.inspect(&name).await;
    side.undo(&stop(&id, &name), &was).await;
    side.inspect(&name).await;
    // Or makes an end of it, and nothing comes after that.
    side.leaves_a_stop(&name, SHORT_S).await;
    side.settle(&stop(&id, &name), 0, Force::Allowed).await;
    side.inspect(&name).await;
    side.undo(&stop(&id, &name), &was).await;
    tokio::time::sleep(Duration::from_secs(SHORT_S + 1)).await;
    side.inspect(&name).await;
}

/// A start holds its container, so that whoever comes next waits for it and finds it started.
pub(super) async fn late_start(side: &mut Side) {
    let name = side.name.clone();
    if let Hand::Spare(machine) = &side.hand {
        let machine = machine.clone();
        let learns = move || machine.learns_the_slow_runtime();
        tokio::task::spawn_blocking(learns).await.unwrap();
    }
    let slow = |body: &mut serde_json::Value| body["HostConfig"]["Runtime"] = json!(RUNTIME);
    let id = side.create_from("", "unless-stopped", slow).await;
    let (start, stop) = (start(&id, &name), stop(&id, &name));
    side.leaves_a_start(&name, SHORT_S).await;
    side.inspect(&name).await;
    side.look(&start).await;
    side.apply(&stop).await;
    // Whoever asks for the same once more has nothing to do.
    side.leaves_a_start(&name, SHORT_S).await;
    side.apply(&start).await;
    side.inspect(&name).await;
    side.apply(&stop).await;
    // A stop comes after it, and not before.
    side.leaves_a_start(&name, SHORT_S).await;
    side.apply(&stop).await;
    side.inspect(&name).await;
    side.leaves_a_start(&name, SHORT_S).await;
    side.settle(&start, 120_000, Force::Forbidden).await;
    side.inspect(&name).await;
    side.apply(&stop).await;
    side.leaves_a_start(&name, SHORT_S).await;
    side.settle(&start, 0, Force::Allowed).await;
    side.undo(&start, &Before::Absent).await;
    side.inspect(&name).await;
    side.leaves_a_start(&name, SHORT_S).await;
    side.ask(&format!("/containers/{id}/rename?name={name}-old")).await;
    side.inspect(&format!("{name}-old")).await;
    side.apply(&stop).await;
    side.leaves_a_start(&id, SHORT_S).await;
    side.remove(&id).await;
    side.inspect(&id).await;
}
