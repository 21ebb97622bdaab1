//! What happens to both engines: a process crashes, a program fails, two ask at once, an engine is
//! started again.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use switchback_core::{Before, Driver as _, Lease as _};
use switchback_targets::{
    container::change::{Change, Was},
    engine_api::Input,
};
use switchback_testkit::{Event, World};

use super::{
    cases::{existing, who},
    side::{Side, word},
};
use crate::common::spare::Machine;

/// What can be done to an engine from outside.
pub(super) enum Hand {
    /// Nothing: others use it too.
    None,
    /// The machine on which it runs.
    Spare(Machine),
    /// The fake one.
    Fake(Arc<World>),
}

/// What a process is told to have ended with that was ended by SIGKILL: the first one of a container
/// heeds no other signal that it has not asked for.
const CRASHED: i64 = 137;

/// Between two looks, of which there may be as many as fill a minute on a busy machine.
const PAUSE: Duration = Duration::from_millis(100);
const LOOKS: usize = 1_200;

impl Side {
    /// Ends the process of a container from outside, and waits until the engine has done what its
    /// policy says: started it again, or left it.
    async fn crash(&mut self, container: &str) {
        let before = self.engine.container(container).await.unwrap().unwrap();
        let policy = before["HostConfig"]["RestartPolicy"]["Name"].clone();
        match &self.hand {
            Hand::None => panic!("nobody crashes on an engine that others use"),
            Hand::Spare(machine) => {
                let _nothing = machine.shell(&format!("kill -KILL {}", before["State"]["Pid"]));
            }
            Hand::Fake(world) => {
                world.happen(&Event::Crash { container: container.to_owned(), code: CRASHED });
            }
        }
        let is_over = |it: &Value| match policy.as_str() {
            Some("no") => it["State"]["Running"] == false,
            _ => it["RestartCount"] != before["RestartCount"] && it["State"]["Status"] == "running",
        };
        self.until(container, is_over).await;
        self.say(format!("{container} has crashed"));
    }

    pub(super) async fn until(&self, container: &str, holds: impl Fn(&Value) -> bool) {
        for _ in 0..LOOKS {
            let found = self.engine.container(container).await.unwrap();
            if found.as_ref().is_some_and(&holds) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("waited in vain for {container}");
    }

    /// Restarts the engine's machine, or kills the engine alone, which is then started again.
    async fn restart_engine(&mut self, is_killed: bool) {
        match &self.hand {
            Hand::None => panic!("nobody restarts an engine that others use"),
            Hand::Spare(machine) => {
                let machine = machine.clone();
                // Beside the runtime, which has to notice meanwhile that its connections are closed.
                let restart = move || {
                    if is_killed {
                        machine.kill_engine();
                    } else {
                        machine.restart_machine();
                    }
                    machine.wait_until_it_answers();
                };
                tokio::task::spawn_blocking(restart).await.unwrap();
            }
            Hand::Fake(world) if is_killed => world.happen(&Event::EngineKilled),
            Hand::Fake(world) => world.happen(&Event::EngineRestart),
        }
        self.say("the engine is there again");
    }

    /// How the process of a container has ended.
    async fn says_how_it_ended(&mut self, container: &str) {
        let found = self.engine.container(container).await.unwrap().unwrap();
        self.say(format!("{container} ended with {}", found["State"]["ExitCode"]));
    }

    /// What a program in a container ends with.
    async fn runs(&mut self, container: &str, argv: &[&str]) {
        let words: Vec<String> = argv.iter().map(|it| (*it).to_owned()).collect();
        let done = self.engine.exec(container, &words, Input::Nothing, |_| ()).await;
        let line = match done {
            // Of a program that is not there 26 and older say 126, and 28 says 127 (moby#48552).
            Ok(output) if [126, 127].contains(&output.code) => "cannot be started".to_owned(),
            Ok(output) => format!("ends with {}", output.code),
            Err(error) => format!("error {}", error.code()),
        };
        self.say(format!("{} in {container}: {line}", argv.join(" ")));
    }

    /// Two apply one change at once. Who is first is told by no engine.
    async fn apply_twice(&mut self, change: &Change) {
        let (one, other) = (self.driver(), self.driver());
        let (one, other) = tokio::join!(one.apply(change), other.apply(change));
        let mut both = [word(one), word(other)];
        both.sort();
        self.say(format!("apply twice at once: {change}: {}", both.join(" and ")));
    }
}

pub(super) fn stop(id: &str, name: &str) -> Change {
    let (id, name) = (id.to_owned(), name.to_owned());
    Change::StopContainer { id, name, timeout_s: 1, was: Was::Running }
}

pub(super) fn start(id: &str, name: &str) -> Change {
    Change::StartContainer { subject: existing(id), name: name.to_owned() }
}

pub(super) async fn crash(side: &mut Side) {
    let (name, id) = (side.name.clone(), side.create("").await);
    let policy = Change::SetRestartPolicy {
        subject: existing(&id),
        name: name.clone(),
        from: json!({ "Name": "unless-stopped", "MaximumRetryCount": 0 }),
        to: json!({ "Name": "no", "MaximumRetryCount": 0 }),
    };
    side.apply(&start(&id, &name)).await;
    side.crash(&name).await;
    side.inspect(&name).await;
    side.look(&stop(&id, &name)).await;
    side.apply(&stop(&id, &name)).await;
    side.inspect(&name).await;
    side.apply(&start(&id, &name)).await;
    side.inspect(&name).await;
    side.apply(&policy).await;
    side.crash(&name).await;
    side.says_how_it_ended(&name).await;
    side.inspect(&name).await;
    side.look(&stop(&id, &name)).await;
    side.look(&start(&id, &name)).await;
    side.undo(&stop(&id, &name), &Before::Image("running".to_owned())).await;
    side.inspect(&name).await;
}

pub(super) async fn exec(side: &mut Side) {
    let (name, id) = (side.name.clone(), side.create("").await);
    let list = ["/keeper", "list", "/nowhere"];
    side.runs(&name, &list).await;
    side.apply(&start(&id, &name)).await;
    side.runs(&name, &list).await;
    side.runs(&name, &["/no/such/program"]).await;
    let pause = Change::PauseContainer { subject: existing(&id), name: name.clone() };
    side.apply(&pause).await;
    side.runs(&name, &list).await;
    side.undo(&pause, &Before::Absent).await;
    side.runs(&name, &list).await;
    side.apply(&stop(&id, &name)).await;
    side.runs(&name, &list).await;
    side.remove(&id).await;
    side.runs(&name, &list).await;
}

pub(super) async fn twice(side: &mut Side) {
    let (name, id) = (side.name.clone(), side.create("").await);
    side.apply_twice(&start(&id, &name)).await;
    side.inspect(&name).await;
    side.apply_twice(&stop(&id, &name)).await;
    side.inspect(&name).await;
    side.apply_twice(&start(&id, &name)).await;
    side.inspect(&name).await;
    let remove = Change::RemoveContainer { id, name: name.clone() };
    side.apply_twice(&remove).await;
    side.inspect(&name).await;
    side.look(&remove).await;
}

pub(super) async fn engine_restart(side: &mut Side, is_killed: bool) {
    let name = side.name.clone();
    let kinds = [("", "unless-stopped"), ("-other", "no"), ("-new", "always"), ("-old", "always")];
    let mut all = Vec::new();
    for (end, policy) in kinds {
        let made = (format!("{name}{end}"), side.create_with(end, policy).await);
        all.push(made);
    }
    let stopped = (format!("{name}-third"), side.create_with("-third", "unless-stopped").await);
    let again = (format!("{name}-fourth"), side.create_with("-fourth", "always").await);
    // One of those with the policy `always` is never started.
    for (name, id) in all[..3].iter().chain([&stopped, &again]) {
        side.apply(&start(id, name)).await;
    }
    for (name, id) in [&stopped, &again] {
        side.apply(&stop(id, name)).await;
    }
    let lease = side.acquire("one", &[]).await.expect("nobody has it");
    side.restart_engine(is_killed).await;
    for (name, _) in all.iter().chain([&stopped, &again]) {
        side.inspect(name).await;
    }
    let _held = who(side).await;
    let is_ours = lease.hold(1).await.is_ok();
    side.say(format!("hold: {is_ours}"));
    lease.release().await.unwrap();
    for (name, id) in &all {
        side.look(&start(id, name)).await;
        side.apply(&stop(id, name)).await;
    }
}
