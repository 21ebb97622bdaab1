//! A service with one canary in each kind of secret, and an ear at whatever the program says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use switchback_testkit::lab::ledger_config;

use crate::common::{
    World,
    process::{Output, Running},
    registry_proxy::{RegistryProxy, Trouble},
};

/// Where a canary sits, and so where it is seen to be in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the container: its environment, its command line, its accounts.
    Inside,
    /// In what the engine tells of the container.
    Inspect,
    /// In what the probe asks.
    Probe,
    /// In the login of a registry, which has a test of its own.
    Login,
}

use self::Place::{Inside, Inspect, Login, Probe};

/// A canary: what must be found nowhere, where it sits, and how it came there.
type Canary = (String, Place, &'static str);

/// In every service.
const ALWAYS: [(&str, Place, &str); 5] = [
    ("canary-header-e216", Probe, "health.headers"),
    ("canary-token-5f88", Probe, "a variable of ours that health.headers takes"),
    ("YWRhOmNhbmFyeS11cmwtYTAzYw==", Probe, "the login in the probe's address, as it is sent"),
    ("canary-account-6be9", Inside, "the hash of an account"),
    ("canary-image-1d77", Inside, "the environment of the image"),
];

/// In a service that is declared.
const DECLARED: [(&str, Place, &str); 3] = [
    ("canary-value-4c1f", Inside, "run.environment"),
    ("canary-variable-93ae", Inside, "a variable of ours that run.environment takes"),
    ("canary-file-07bd", Inside, "run.env_file"),
];

/// In a service that somebody has started and that was adopted.
const ADOPTED: [(&str, Place, &str); 3] = [
    ("canary-given-b83d", Inside, "docker run --env"),
    ("canary-argument-2e5a", Inside, "an argument of the command"),
    ("canary-label-70c4", Inspect, "docker run --label"),
];

pub(super) struct Cage {
    pub(super) world: World,
    pub(super) is_declared: bool,
    canaries: Vec<Canary>,
    /// Requests of the probe.
    heads: Arc<Mutex<Vec<String>>>,
    probed: String,
}

impl Cage {
    pub(super) fn new(name: &str, is_declared: bool) -> Self {
        use base64::Engine as _;
        let world = World::new(name);
        let login = world.lab.private_credentials();
        let basic = format!("{}:{}", login.user, login.password);
        let basic = base64::prelude::BASE64_STANDARD.encode(basic);
        let kind = if is_declared { DECLARED } else { ADOPTED };
        let all = ALWAYS.iter().chain(&kind);
        let mut canaries: Vec<Canary> =
            all.map(|(it, place, how)| ((*it).to_owned(), *place, *how)).collect();
        canaries.push(("canary-url-a03c".to_owned(), Login, "the login in the probe's address"));
        canaries.push((login.password.clone(), Login, "the registry's password"));
        canaries.push((basic, Login, "the registry's login"));
        world.made.containers.borrow_mut().push(world.name.clone());
        world.made.volumes.borrow_mut().push(world.name.clone());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&heads);
        let probed = RegistryProxy::start(&world.address, move |head| -> Option<Trouble> {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(head.to_owned());
            None
        });
        let cage = Self { world, is_declared, canaries, heads, probed: probed.address };
        cage.configure("");
        cage
    }

    /// Writes the configuration; values that it declares end so.
    pub(super) fn configure(&self, end: &str) {
        let Self { world, probed, .. } = self;
        let name = &world.name;
        world.without_settings();
        if self.is_declared {
            let file = world.folder.path().join("secret.env");
            fs::write(&file, format!("FROM_FILE=canary-file-07bd{end}\n")).expect("a file");
            world.setting(&format!("run.ports = [\"{}\"]", world.published(8080)));
            world.setting(&format!("run.volumes = [\"{name}:/data\"]"));
            world.setting(&format!(
                "run.environment = {{ TOKEN = \"canary-value-4c1f{end}\", OTHER = \"${{CANARY_VARIABLE}}\" }}"
            ));
            world.setting(&format!("run.env_file = \"{}\"", file.display()));
        }
        world.setting("accounts.users = [\"alice\"]");
        world.setting("data.policy = \"snapshot\"");
        world.gate(
            "interval = \"50ms\"\ntimeout = \"1s\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\n\
             healthy_deadline = \"3s\"",
        );
        world.probe(Some(&format!(
            "http = \"http://ada:canary-url-a03c@{probed}/health\"\n\
             headers = {{ X-Token = \"canary-header-e216\", X-Other = \"${{CANARY_TOKEN}}\" }}\n\
             json = {{ \"/healthy\" = true }}\nversion = \"/version\""
        )));
    }

    pub(super) fn publish(&self, tag: &str, version: &str, more: &[(&str, &str)]) {
        let mut environment = vec![("LEDGER_VERSION", version), ("LEDGER_BUILD", &self.world.name)];
        environment.push(("BAKED", "canary-image-1d77"));
        environment.extend_from_slice(more);
        self.world.publish_layers(tag, &ledger_config(&environment), &["debian", "ledger"]);
    }

    /// Starts the first version: by the configuration, or as somebody does who has none.
    pub(super) fn start(&self) {
        let Self { world, is_declared, .. } = self;
        self.publish("latest", "1.0.0", &[]);
        if *is_declared {
            self.run(&["update", "web", "-y", "-v"]).exits(0).says("1.0.0");
        } else {
            let (name, image) = (world.name.as_str(), world.image("latest"));
            let (publish, volume) = (world.published(8080), format!("{name}:/data"));
            world.docker(&[
                "run",
                "--detach",
                "--pull",
                "always",
                "--quiet",
                "--name",
                name,
                "--publish",
                &publish,
                "--volume",
                &volume,
                "--restart",
                "unless-stopped",
                "--env",
                "GIVEN=canary-given-b83d",
                "--label",
                "token=canary-label-70c4",
                &image,
                "--token",
                "canary-argument-2e5a",
            ]);
            world.until("the service answers", || world.status("/") == 200);
        }
        // The hash is none that any password has; only its place counts.
        let user = "useradd alice && echo 'alice:$6$canary-account-6be9' | chpasswd -e";
        world.docker(&["exec", &world.name, "sh", "-c", user]);
    }

    /// Each canary is where it belongs: one that is nowhere proves nothing.
    #[track_caller]
    pub(super) fn assert_all_in_use(&self) {
        let Self { world, .. } = self;
        let look = "env; tr '\\0' ' ' < /proc/1/cmdline; cat /etc/shadow";
        let inside = world.docker(&["exec", &world.name, "sh", "-c", look]);
        let inspect = world.service().to_string();
        let probe = self.heads.lock().unwrap_or_else(PoisonError::into_inner).concat();
        for (canary, place, how) in &self.canaries {
            let text = match place {
                Inside => &inside,
                Inspect => &inspect,
                Probe => &probe,
                Login => continue,
            };
            assert!(text.contains(canary), "{how}: {canary} is not in use:\n{text}");
        }
    }

    pub(super) fn command(&self, store: &str, engine: &str, arguments: &[&str]) -> Command {
        let mut command = self.world.command(store, engine, arguments);
        command.env("CANARY_VARIABLE", "canary-variable-93ae");
        command.env("CANARY_TOKEN", "canary-token-5f88");
        command
    }

    /// Runs it and listens.
    #[track_caller]
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.run_by("state", arguments)
    }

    /// Runs it by another store and listens.
    #[track_caller]
    pub(super) fn run_by(&self, store: &str, arguments: &[&str]) -> Output {
        let command = self.command(store, self.world.lab.engine_url(), arguments);
        self.listen(Running::spawn(command).wait())
    }

    /// Fails if anything is said that must not be.
    #[track_caller]
    pub(super) fn listen(&self, output: Output) -> Output {
        for (canary, _, how) in &self.canaries {
            let is_heard = output.stdout.contains(canary) || output.stderr.contains(canary);
            assert!(!is_heard, "{how}: {canary} is told:\n{output}");
        }
        output
    }

    /// Fails if anything was written that must not be, but to where people have written it.
    #[track_caller]
    pub(super) fn assert_written_nowhere(&self) {
        let mut all = Vec::new();
        self.nests(self.world.folder.path(), &mut all);
        all.retain(|it| !it.ends_with("secret.env") && !it.contains("switchback.toml"));
        assert_eq!(all, Vec::<String>::new());
    }

    /// Fetches the target's journal to where the next look for canaries finds it.
    pub(super) fn fetch_journal(&self) {
        let Self { world, .. } = self;
        let journal = format!("switchback-anchor:/switchback/targets/{}/journal.json", world.name);
        let copy = world.folder.path().join("journal.json");
        world.docker(&["cp", &journal, copy.to_str().expect("a path in UTF-8")]);
    }

    /// Every file below that holds a canary.
    fn nests(&self, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path: PathBuf = entry.expect("an entry can be read").path();
            if path.is_dir() {
                self.nests(&path, found);
                continue;
            }
            let bytes = fs::read(&path).unwrap_or_default();
            for (canary, _, how) in &self.canaries {
                if bytes.windows(canary.len()).any(|it| it == canary.as_bytes()) {
                    found.push(format!("{how}: {canary} lies in {}", path.display()));
                }
            }
        }
    }
}
