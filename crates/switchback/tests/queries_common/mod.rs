//! A container on the lab's engine with a folder of its own, and the program run on it.

#![allow(dead_code, reason = "each test program uses another part of it")]

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use switchback_testkit::lab::{Cleanup, Lab, free_port};

/// A ledger that runs on the lab's engine, and a configuration that names it.
pub(crate) struct Place {
    pub(crate) lab: Lab,
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) folder: tempfile::TempDir,
    cleanup: Cleanup,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}[exit code {:?}]", self.stderr, self.stdout, self.code)
    }
}

impl Said {
    /// Fails unless it ended so.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Fails unless this was said.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let is_there = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(is_there, "{text:?} should be said:\n{self:?}");
        self
    }

    /// The one document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{self:?}"))
    }
}

impl Place {
    /// Version 1.0.0 runs, healthy, with a secret in its environment.
    pub(crate) async fn new(word: &str) -> Self {
        let lab = Lab::connect().expect("the lab is up: scripts/lab up");
        let name = lab.unique(&format!("queries-{word}"));
        let port = free_port().expect("a port");
        let mut cleanup = lab.cleanup();
        cleanup.container(&name);
        cleanup.volume(&name);
        let folder = tempfile::tempdir().expect("a folder");
        let place = Self { lab, name, port, folder, cleanup };
        place.write_configuration();
        place.publish("1.0.0", &[]).await;
        place.run().await;
        place
    }

    fn write_configuration(&self) {
        let Self { name, port, .. } = self;
        let text = format!(
            "[deployment.{name}]\nkind = \"container\"\n[deployment.{name}.health]\n\
             http = \"http://127.0.0.1:{port}/health\"\njson = {{ \"/healthy\" = true }}\n\
             version = \"/version\"\nhealthy_streak = 2\nmin_healthy_time = \"500ms\"\n\
             healthy_deadline = \"6s\"\n"
        );
        fs_err::write(self.folder.path().join("switchback.toml"), text).expect("a file");
    }

    /// The image that is followed.
    pub(crate) fn image(&self) -> String {
        format!("{}/queries/{}:latest", self.lab.registry(), self.name)
    }

    /// Puts another version behind the followed tag; its digest.
    pub(crate) async fn publish(&self, version: &str, more: &[(&str, &str)]) -> String {
        let mut environment = vec![("LEDGER_VERSION", version)];
        environment.extend(more);
        let repository = format!("queries/{}", self.name);
        self.lab.publish(&repository, "latest", &environment).await.expect("the registry")
    }

    /// Makes the container by hand, and waits until it is well.
    pub(crate) async fn run(&self) {
        let (publish, mount) =
            (format!("127.0.0.1:{}:8080", self.port), format!("{}:/data", self.name));
        let image = self.image();
        let arguments = [
            "run",
            "--detach",
            "--pull",
            "always",
            "--name",
            &self.name,
            "--env",
            "TOKEN=hush-hush",
            "--publish",
            &publish,
            "--volume",
            &mount,
            &image,
        ];
        self.lab.docker(&arguments).await.expect("a container");
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.switchback(&["health"]).code != Some(0) {
            assert!(Instant::now() < deadline, "the container never became healthy");
        }
    }

    /// The program as a user runs it, with nobody at a terminal.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command
            .current_dir(self.folder.path())
            .env("DOCKER_HOST", self.lab.engine_url())
            .env("SWITCHBACK_CONFIG", self.folder.path().join("switchback.toml"))
            .env("SWITCHBACK_STATE", self.folder.path().join("state"))
            .env("HOME", self.folder.path())
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn switchback(&self, arguments: &[&str]) -> Said {
        let output = self.command().args(arguments).output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The result of `-o json`, which must end with that code.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Value {
        let mut all = vec!["-o", "json"];
        all.extend(arguments);
        self.switchback(&all).exits(code).json()
    }

    /// The lines of a docker command on the lab's engine.
    fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let mut command = Command::new("docker");
        command.args(arguments).env("DOCKER_HOST", self.lab.engine_url());
        let output = command.env("DOCKER_CONFIG", self.lab.docker_config()).output();
        let output = output.map(|it| it.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).lines().map(str::to_owned).collect()
    }

    /// Containers that updates have parked.
    pub(crate) fn parked(&self) -> Vec<String> {
        let filter = format!("name={}.switchback-", self.name);
        self.lines(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for parked in self.parked() {
            self.cleanup.container(&parked);
        }
        let kept = format!("switchback-keep/{}", self.name);
        for repository in [kept, format!("{}/queries/{}", self.lab.registry(), self.name)] {
            for image in
                self.lines(&["images", "--format", "{{.Repository}}:{{.Tag}}", &repository])
            {
                self.cleanup.image(&image);
            }
        }
    }
}
