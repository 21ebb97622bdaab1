//! A world for one test: a container, a volume, a registry repository, a configuration and a store of its own.

use std::{
    cell::{OnceCell, RefCell},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use switchback_testkit::lab::{Lab, LabError, Prober, free_port, ledger_config};

use super::{
    away::Made,
    names::unique,
    process::{Output, Running},
};

/// What is configured unless a test says otherwise: a gate that decides within seconds.
const GATE: &str = r#"interval = "100ms"
timeout = "2s"
healthy_streak = 2
min_healthy_time = "1s"
healthy_deadline = "12s""#;

/// Stands in a configuration in place of an image.
const WITHOUT_IMAGE: &str = "# it follows what it was made from";

/// Everything that one test has.
pub(crate) struct World {
    pub(crate) lab: Lab,
    runtime: tokio::runtime::Runtime,
    /// The container, the volume and the repository have this name.
    pub(crate) name: String,
    /// The service's port on the engine's host.
    pub(crate) port: u16,
    /// Where tests reach it: `IP:PORT`.
    pub(crate) address: String,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) made: Made,
    /// Lines below `[deployment.web]`.
    settings: RefCell<Vec<String>>,
    probe: RefCell<Option<String>>,
    gate: RefCell<String>,
    pub(super) is_podman: OnceCell<bool>,
}

/// The lab's errors say what to type.
fn of_lab<T>(result: Result<T, LabError>) -> T {
    result.unwrap_or_else(|error| panic!("{error} (run scripts/lab up)"))
}

impl World {
    #[track_caller]
    pub(crate) fn new(word: &str) -> Self {
        Self::in_lab(of_lab(Lab::connect()), word)
    }

    /// A world on another engine than the one that all tests share.
    #[track_caller]
    pub(crate) fn on_engine(url: &str, word: &str) -> Self {
        Self::in_lab(of_lab(Lab::with_engine(url)), word)
    }

    #[track_caller]
    fn in_lab(lab: Lab, word: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let port = of_lab(free_port());
        let address = format!("{}:{port}", lab.host());
        let probe = format!(
            "http = \"http://{address}/health\"\njson = {{ \"/healthy\" = true }}\nversion = \"/version\""
        );
        Self {
            lab,
            runtime: runtime.expect("a runtime"),
            name: unique(word),
            port,
            address,
            folder: tempfile::tempdir().expect("a temporary folder"),
            made: Made::default(),
            settings: RefCell::default(),
            probe: RefCell::new(Some(probe)),
            gate: RefCell::new(GATE.to_owned()),
            is_podman: OnceCell::new(),
        }
    }

    /// The service's port as `docker run --publish` takes it.
    pub(crate) fn published(&self, inside: u16) -> String {
        format!("{}:{}:{inside}", self.lab.publish_address(), self.port)
    }

    /// `REGISTRY/REPOSITORY`
    pub(crate) fn repository_reference(&self) -> String {
        format!("{}/{}", self.lab.registry(), self.name)
    }

    /// `REGISTRY/REPOSITORY:TAG`
    pub(crate) fn image(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository_reference())
    }

    /// Puts a version of the ledger under `latest`, and returns its digest.
    pub(crate) fn publish(&self, version: &str, environment: &[(&str, &str)]) -> String {
        self.publish_as("latest", version, environment)
    }

    pub(crate) fn publish_as(&self, tag: &str, version: &str, more: &[(&str, &str)]) -> String {
        let migrate = match version {
            "2.0.0" => "add-column",
            "3.0.0" => "drop-column",
            _ => "none",
        };
        let mut environment = vec![
            ("LEDGER_VERSION", version),
            ("LEDGER_MIGRATE", migrate),
            // So that no other test has this very image.
            ("LEDGER_BUILD", self.name.as_str()),
        ];
        if version == "3.0.0" {
            environment.push(("LEDGER_HEALTH", "never"));
        }
        environment.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        environment.extend_from_slice(more);
        self.publish_config(tag, &ledger_config(&environment))
    }

    /// Puts a version of the ledger into the registry that wants a login.
    pub(crate) fn publish_private(&self, tag: &str, version: &str) -> String {
        let environment = [("LEDGER_VERSION", version), ("LEDGER_BUILD", self.name.as_str())];
        of_lab(self.runtime.block_on(self.lab.publish_private(&self.name, tag, &environment)))
    }

    /// Puts a ledger with this whole configuration under a tag.
    pub(crate) fn publish_config(&self, tag: &str, config: &Value) -> String {
        of_lab(self.runtime.block_on(self.lab.publish_config(&self.name, tag, config)))
    }

    /// Puts a version of the ledger for another architecture under a tag.
    pub(crate) fn publish_for(&self, architecture: &str, tag: &str, version: &str) -> String {
        let config = ledger_config(&[("LEDGER_VERSION", version), ("LEDGER_BUILD", &self.name)]);
        let made = self.lab.publish_for(architecture, &self.name, tag, &config);
        of_lab(self.runtime.block_on(made))
    }

    /// Puts an image of these layers under a tag.
    pub(crate) fn publish_layers(&self, tag: &str, config: &Value, layers: &[&str]) -> String {
        of_lab(self.runtime.block_on(self.lab.publish_layers(&self.name, tag, config, layers)))
    }

    /// Takes a version out of the registry.
    #[track_caller]
    pub(crate) fn forget_manifest(&self, digest: &str) {
        let path = format!("/v2/{}/manifests/{digest}", self.name);
        let answer = super::http::ask(self.lab.registry(), "DELETE", &path);
        assert_eq!(answer.as_ref().map(|it| it.0), Some(202), "{answer:?}");
    }

    /// Adds a line to the deployment's configuration.
    pub(crate) fn setting(&self, line: &str) {
        self.settings.borrow_mut().push(line.to_owned());
    }

    /// Leaves the image out of the configuration, as people do who adopt what runs.
    pub(crate) fn follows_what_it_was_made_from(&self) {
        self.setting(WITHOUT_IMAGE);
    }

    /// Takes back what was added to the deployment's configuration.
    pub(crate) fn without_settings(&self) {
        self.settings.borrow_mut().clear();
    }

    /// Replaces the probe; none: the deployment has no probe.
    pub(crate) fn probe(&self, lines: Option<&str>) {
        *self.probe.borrow_mut() = lines.map(str::to_owned);
    }

    /// Replaces the times of the gate.
    pub(crate) fn gate(&self, lines: &str) {
        lines.clone_into(&mut self.gate.borrow_mut());
    }

    fn configuration(&self) -> String {
        let (settings, probe) = (self.settings.borrow().join("\n"), self.probe.borrow());
        let probe = probe.as_deref().unwrap_or_default();
        let (image, name, gate) = (self.image("latest"), &self.name, self.gate.borrow());
        let is_said = |it: &str| it.starts_with("image =") || it == WITHOUT_IMAGE;
        let image = if settings.lines().any(is_said) {
            String::new()
        } else {
            format!("image = \"{image}\"")
        };
        format!(
            "[deployment.web]\nkind = \"container\"\n{image}\ncontainer = \"{name}\"\n{settings}\n\n\
             [deployment.web.health]\n{probe}\n{gate}\n"
        )
    }

    /// The state folder, or that of another store.
    pub(crate) fn state(&self, store: &str) -> PathBuf {
        self.folder.path().join(store)
    }

    /// The program's folder for temporary files, so that those who look at all that it has written see
    /// these too.
    fn temporary_folder(&self) -> PathBuf {
        let folder = self.folder.path().join("tmp");
        std::fs::create_dir_all(&folder).expect("a folder for temporary files");
        folder
    }

    /// The program, with nothing of this process's surroundings but the search path.
    pub(crate) fn command(&self, store: &str, engine: &str, arguments: &[&str]) -> Command {
        let configuration = self.folder.path().join("switchback.toml");
        // In one piece: programs that were started before may be reading it.
        let new = self.folder.path().join("switchback.toml.new");
        std::fs::write(&new, self.configuration()).expect("the configuration is written");
        std::fs::rename(&new, &configuration).expect("the configuration is put in its place");
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.temporary_folder())
            .env("USER", "tester")
            .env("CI", "true")
            .env("DOCKER_HOST", engine)
            .env("DOCKER_CONFIG", self.lab.docker_config())
            .env("SWITCHBACK_CONFIG", configuration)
            .env("SWITCHBACK_STATE", self.state(store));
        command
    }

    /// Runs the program to its end.
    #[must_use = "a command whose end nobody looks at proves nothing"]
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.start(arguments).wait()
    }

    /// Runs the program with `-o json` to its end.
    #[must_use = "a command whose end nobody looks at proves nothing"]
    pub(crate) fn run_json(&self, arguments: &[&str]) -> Output {
        self.run(&[arguments, &["-o", "json"]].concat())
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::spawn(self.command("state", self.lab.engine_url(), arguments))
    }

    /// Runs the program by another store to its end.
    #[must_use = "a command whose end nobody looks at proves nothing"]
    pub(crate) fn run_by(&self, store: &str, arguments: &[&str]) -> Output {
        Running::spawn(self.command(store, self.lab.engine_url(), arguments)).wait()
    }

    /// Runs the docker client; an error is what it said.
    pub(crate) fn docker_output(&self, arguments: &[&str]) -> Result<String, String> {
        let run = Command::new("docker")
            .args(arguments)
            .env("DOCKER_HOST", self.lab.engine_url())
            .env("DOCKER_CONFIG", self.lab.docker_config())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        let text = |it: &[u8]| String::from_utf8_lossy(it).trim_end().to_owned();
        if run.status.success() { Ok(text(&run.stdout)) } else { Err(text(&run.stderr)) }
    }

    /// Runs the docker client.
    #[track_caller]
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        self.docker_output(arguments)
            .unwrap_or_else(|error| panic!("docker {} failed: {error}", arguments.join(" ")))
    }

    /// Begins to ask the service a hundred times a second.
    pub(crate) fn prober(&self) -> Prober {
        Prober::start(&format!("http://{}/health", self.address))
    }

    /// Waits until something holds; says what was waited for otherwise.
    #[track_caller]
    #[allow(clippy::unused_self, reason = "it reads as a sentence about the world")]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        // 12000 looks of 10 ms: longer than any phase of these tests, also where a machine has twenty
        // times as much to do as it can.
        for _ in 0..12_000 {
            if holds() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("waited in vain until {what}");
    }
}
