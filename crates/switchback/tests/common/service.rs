//! The service under test, looked at through the docker client and its own port.

use std::io::{Read, Write};

use serde_json::{Value, json};

use super::{http, wire::Wire, world::World};

impl World {
    /// Runs `latest` as a user would: a published port, a named volume, a restart policy.
    pub(crate) fn start_service(&self) {
        self.start_service_with(&[]);
    }

    /// As [`World::start_service`], with more arguments of `docker run`.
    #[track_caller]
    pub(crate) fn start_service_with(&self, more: &[&str]) {
        self.made.volumes.borrow_mut().push(self.name.clone());
        self.start_service_on(&self.name, more);
    }

    /// As [`World::start_service_with`], with its data in another volume.
    #[track_caller]
    pub(crate) fn start_service_on(&self, volume: &str, more: &[&str]) {
        self.made.containers.borrow_mut().push(self.name.clone());
        let publish = self.published(8080);
        let volume = format!("{volume}:/data");
        let image = self.image("latest");
        let mut run = vec!["run", "--detach", "--pull", "always", "--quiet", "--name", &self.name];
        run.extend(["--publish", &publish, "--volume", &volume, "--restart", "unless-stopped"]);
        run.extend_from_slice(more);
        run.push(&image);
        self.docker(&run);
        self.until("the service answers", || self.status("/") == 200);
    }

    /// Another container of this test, removed with it.
    pub(crate) fn also_runs(&self, word: &str) -> String {
        let name = format!("{}-{word}", self.name);
        self.made.containers.borrow_mut().push(name.clone());
        name
    }

    /// Another volume of this test, removed with it.
    pub(crate) fn also_has(&self, word: &str) -> String {
        let name = format!("{}-{word}", self.name);
        self.made.volumes.borrow_mut().push(name.clone());
        name
    }

    /// The status of an address of the service; 0 where nobody answers.
    pub(crate) fn status(&self, path: &str) -> u16 {
        http::ask(&self.address, "GET", path).map_or(0, |it| it.0)
    }

    /// What the service says that it is; empty where nobody answers.
    pub(crate) fn serving(&self) -> String {
        let answer = http::ask(&self.address, "GET", "/").filter(|it| it.0 == 200);
        let body: Option<Value> = answer.and_then(|it| serde_json::from_str(&it.1).ok());
        body.and_then(|it| it["version"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Writes rows by the service.
    #[track_caller]
    pub(crate) fn write_rows(&self, count: usize) {
        for _ in 0..count {
            let answer = http::ask(&self.address, "POST", "/rows");
            assert_eq!(answer.as_ref().map(|it| it.0), Some(200), "a row is written: {answer:?}");
        }
    }

    /// How many rows the service finds.
    #[track_caller]
    pub(crate) fn rows(&self) -> u64 {
        let answer = http::ask(&self.address, "GET", "/rows").expect("the service answers");
        let body: Value = serde_json::from_str(&answer.1).unwrap_or_default();
        body["count"].as_u64().unwrap_or_else(|| panic!("rows are counted: {answer:?}"))
    }

    /// Whether the table is as that version leaves it, which is not as every other one does: 2.0.0 adds
    /// a column, and 1.0.0 serves on with it.
    #[track_caller]
    pub(crate) fn has_table_of(&self, version: &str) -> bool {
        let answer = http::ask(&self.address, "GET", "/columns").expect("the service answers");
        let body: Value = serde_json::from_str(&answer.1).unwrap_or_default();
        assert!(body["columns"].is_array(), "columns are named (run scripts/lab up): {answer:?}");
        let added: &[&str] = if version == "2.0.0" { &["source"] } else { &[] };
        body["columns"] == json!([&["id", "at", "note"][..], added].concat())
    }

    /// The status of a request that the docker client cannot make.
    pub(crate) fn engine_post(&self, path: &str, body: &Value) -> u16 {
        let mut stream = Wire::connect(self.lab.engine_url()).expect("the engine listens");
        let body = body.to_string();
        let head =
            format!("POST {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json");
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0)
    }

    /// The inspect of a container.
    #[track_caller]
    pub(crate) fn inspect(&self, name: &str) -> Value {
        let text = self.docker(&["inspect", "--type", "container", name]);
        let list: Value = serde_json::from_str(&text).expect("inspect answers in JSON");
        let mut inspect = list[0].clone();
        if self.is_podman() {
            let log = self.podman_log(inspect["Id"].as_str().expect("a container has an id"));
            inspect["HostConfig"]["LogConfig"] = log;
        }
        inspect
    }

    /// The inspect of the service's container.
    #[track_caller]
    pub(crate) fn service(&self) -> Value {
        self.inspect(&self.name)
    }

    /// The id of the service's container.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.service()["Id"].as_str().unwrap_or_default().to_owned()
    }
}
