//! One of the two engines, and what was seen there.

use std::fmt::Debug;

use serde_json::{Value, json};
use switchback_core::{Before, Driver, Force, Reporter, TargetError, lease::Holder};
use switchback_targets::{
    container::{
        change::{Change, DataMount},
        document::Owner,
        driver::{ContainerDriver, DriverSetup},
    },
    engine_api::EngineClient,
    keeper::{self, Keeper, image::image_reference, lease::TargetLease, programs},
};
use tokio::sync::mpsc::unbounded_channel;

use super::happening::Hand;

/// An engine with names of its own on it.
pub(super) struct Side {
    pub(super) engine: EngineClient,
    /// The beginning of every name.
    pub(super) name: String,
    pub(super) keeper: Keeper,
    pub(super) hand: Hand,
    ids: Vec<String>,
    said: Vec<String>,
}

/// A result without what differs from one run to the next.
pub(super) fn word<T: Debug>(result: Result<T, TargetError>) -> String {
    match result {
        Ok(done) => format!("{done:?}"),
        Err(error) => format!("error {}", error.code()),
    }
}

impl Side {
    pub(super) fn new(engine: EngineClient, hand: Hand, name: &str) -> Self {
        let name = name.to_owned();
        Self { engine, name, keeper: Keeper::Anchor, hand, ids: Vec::new(), said: Vec::new() }
    }

    /// What was seen, in its order.
    pub(super) fn said(self) -> Vec<String> {
        self.said
    }

    pub(super) fn say(&mut self, line: impl Into<String>) {
        let mut line = line.into().replace(&self.name, "NAME");
        for id in &self.ids {
            line = line.replace(id, "ID");
        }
        self.said.push(line);
    }

    /// A container of a program that runs until it is told to end.
    pub(super) async fn create(&mut self, end: &str) -> String {
        self.create_with(end, "unless-stopped").await
    }

    /// As [`Side::create`], with that restart policy.
    pub(super) async fn create_with(&mut self, end: &str, policy: &str) -> String {
        self.create_from(end, policy, |_| ()).await
    }

    /// As [`Side::create_with`], with something changed in the request.
    pub(super) async fn create_from(
        &mut self,
        end: &str,
        policy: &str,
        change: impl FnOnce(&mut Value),
    ) -> String {
        let name = format!("{}{end}", self.name);
        let mut body = json!({ "Image": image_reference(), "Entrypoint": ["/keeper"], "Cmd": ["hold"],
            "StopTimeout": 1, "NetworkDisabled": true,
            "HostConfig": { "NetworkMode": "none", "RestartPolicy": { "Name": policy } } });
        change(&mut body);
        let path = format!("/containers/create?name={name}");
        let made = self.engine.post(&path, Some(&body)).await.unwrap();
        let id = made["Id"].as_str().unwrap().to_owned();
        self.ids.push(id.clone());
        id
    }

    /// What the engine answers to a request in its own words.
    pub(super) async fn ask(&mut self, path: &str) {
        let answer = match self.engine.post(path, None).await {
            Ok(_) => "done".to_owned(),
            Err(error) => format!("error {}", error.code()),
        };
        self.say(format!("{path}: {answer}"));
    }

    pub(super) async fn remove(&self, container: &str) {
        let path = format!("/containers/{container}?force=true");
        let _was_there = self.engine.delete(&path).await.unwrap();
    }

    pub(super) fn driver(&self) -> ContainerDriver {
        let (sender, _unread) = unbounded_channel();
        let (operation, deployment) = ("op".to_owned(), "web".to_owned());
        ContainerDriver::new(DriverSetup {
            engine: self.engine.clone(),
            target: self.name.clone(),
            keeper: self.keeper.clone(),
            deployment: deployment.clone(),
            owner: Owner {
                store: "store".to_owned(),
                user: "ada".to_owned(),
                host: "here".to_owned(),
                since: 0,
            },
            login: None,
            reference: None,
            state: None,
            reporter: Reporter { sender, operation, deployment },
            now: || 0,
        })
    }

    pub(super) async fn look(&mut self, change: &Change) {
        let found = word(self.driver().precheck(change).await);
        self.say(format!("look: {change}: {found}"));
    }

    pub(super) async fn apply(&mut self, change: &Change) {
        let done = word(self.driver().apply(change).await);
        self.say(format!("apply: {change}: {done}"));
    }

    pub(super) async fn settle(&mut self, change: &Change, patience: u64, force: Force) {
        let done = word(self.driver().settle(change, patience, force).await);
        self.say(format!("settle: {change}: {done}"));
    }

    pub(super) async fn undo(&mut self, change: &Change, before: &Before) {
        let done = word(self.driver().undo(change, before, None).await);
        self.say(format!("undo: {change}: {done}"));
    }

    /// What an inspect shows of a container.
    pub(super) async fn inspect(&mut self, container: &str) {
        let found = self.engine.container(container).await.unwrap();
        let line = found.map_or_else(|| "none".to_owned(), |it| seen(&it));
        self.say(format!("inspect {container}: {line}"));
    }

    /// The lease on this name, if it is given.
    pub(super) async fn acquire(
        &mut self,
        operation: &str,
        data: &[DataMount],
    ) -> Option<TargetLease> {
        let (holder, engine) = (holder(operation), self.engine.clone());
        let asked = keeper::lease::acquire(&engine, &self.name, holder, data).await;
        let line = match &asked {
            Ok(_) => "given".to_owned(),
            Err(error) => error.to_string(),
        };
        self.say(format!("acquire by {operation}: {line}"));
        asked.ok()
    }

    /// Takes everything away that was made here.
    pub(super) async fn clean_up(&mut self) {
        let lease = keeper::lease::lease_name(&self.name);
        let names = ["", "-other", "-new", "-old", "-third", "-fourth"]
            .map(|it| format!("{}{it}", self.name));
        for container in names.iter().chain([&lease]).chain(&self.ids) {
            self.remove(container).await;
        }
        for volume in [self.name.clone(), format!("{}-old", self.name)] {
            let _was_there = self.engine.delete(&format!("/volumes/{volume}")).await.unwrap();
        }
        for folder in [keeper::target_folder(&self.name), keeper::snapshots_folder(&self.name)] {
            programs::remove(&self.engine, &Keeper::Anchor, &folder).await.unwrap();
        }
    }
}

fn holder(operation: &str) -> Holder {
    Holder {
        user: "ada".to_owned(),
        host: "here".to_owned(),
        pid: 1,
        place: String::new(),
        began: 0,
        store: "store".to_owned(),
        operation: operation.to_owned(),
        since: 0,
        generation: 1,
    }
}

fn seen(it: &Value) -> String {
    let state = &it["State"];
    let is = |key: &str| state[key] == json!(true);
    let policy = it["HostConfig"]["RestartPolicy"]["Name"].as_str().unwrap_or_default();
    let was_started = state["StartedAt"].as_str().is_some_and(|it| !it.starts_with("0001"));
    format!(
        "{} called {}, running {}, paused {}, has a process {}, was started {was_started}, \
         policy {policy}, restarts {}, mounts {}",
        state["Status"].as_str().unwrap_or_default(),
        it["Name"].as_str().unwrap_or_default(),
        is("Running"),
        is("Paused"),
        state["Pid"].as_u64().unwrap_or(0) > 0,
        it["RestartCount"],
        it["Mounts"].as_array().map_or(0, Vec::len),
    )
}
