//! A service with one canary in each kind of secret, and an ear at whatever the program says.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use clap::{CommandFactory as _, ValueEnum as _};
use switchback::cli::{Cli, OutputFormat};
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
    /// In the configuration, and not used by a command that there is yet.
    Configured,
    /// In the login of a registry, which has a test of its own.
    Login,
}

use self::Place::{Configured, Inside, Inspect, Login, Probe};

/// A canary: what must be found nowhere, where it sits, and how it came there.
type Canary = (String, Place, &'static str);

/// In every service. What is configured is named by its key.
const ALWAYS: [(&str, Place, &str); 6] = [
    ("canary-token-5f88", Probe, "a variable of ours that health.headers takes"),
    ("YWRhOmNhbmFyeS11cmwtYTAzYw==", Probe, "the login in the probe's address, as it is sent"),
    ("canary-account-6be9", Inside, "the hash of an account"),
    ("canary-image-1d77", Inside, "the environment of the image"),
    ("canary-notice-8a15", Configured, "notify.*.url"),
    ("canary-mail-44d9", Configured, "notify.*.smtp"),
];

/// In a service that is declared.
const DECLARED: [(&str, Place, &str); 6] = [
    ("canary-value-4c1f", Inside, "deployment.*.run.environment"),
    ("canary-variable-93ae", Inside, "a variable of ours that run.environment takes"),
    ("canary-template-51e2", Inside, "the environment of a template"),
    ("canary-file-07bd", Inside, "run.env_file"),
    ("canary-log-c6f3", Inspect, "deployment.*.run.logging.options"),
    ("canary-header-e216", Probe, "deployment.*.health.headers"),
];

/// In a service that somebody has started and that was adopted.
const ADOPTED: [(&str, Place, &str); 5] = [
    ("canary-given-b83d", Inside, "docker run --env"),
    ("canary-argument-2e5a", Inside, "an argument of the command"),
    ("canary-label-70c4", Inspect, "docker run --label"),
    ("canary-driver-19b0", Inspect, "docker run --log-opt"),
    ("canary-header-e216", Probe, "deployment.*.health.probe.*.headers"),
];

/// The keys of the configuration that have a canary.
pub(super) fn keys_with_a_canary() -> BTreeSet<&'static str> {
    let all = ALWAYS.iter().chain(&DECLARED).chain(&ADOPTED);
    all.map(|(.., how)| *how).filter(|it| it.contains(".*.")).collect()
}

pub(super) struct Cage {
    pub(super) world: World,
    pub(super) is_declared: bool,
    canaries: Vec<Canary>,
    /// Requests of the probe.
    heads: Arc<Mutex<Vec<String>>>,
    probed: String,
    /// The commands that were listened to, each with its form.
    heard: RefCell<BTreeSet<(String, OutputFormat)>>,
}

impl Cage {
    pub(super) fn new(name: &str, is_declared: bool) -> Self {
        use base64::Engine as _;
        let world = World::new(name);
        let login = world.lab.private_credentials();
        let basic = format!("{}:{}", login.user, login.password);
        let basic = base64::prelude::BASE64_STANDARD.encode(basic);
        let kind: &[_] = if is_declared { &DECLARED } else { &ADOPTED };
        let all = ALWAYS.iter().chain(kind);
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
        let heard = RefCell::default();
        let cage = Self { world, is_declared, canaries, heads, probed: probed.address, heard };
        cage.configure("");
        cage
    }

    /// Writes the configuration; values that it declares end so.
    pub(super) fn configure(&self, end: &str) {
        let Self { world, probed, .. } = self;
        world.without_settings();
        if self.is_declared {
            self.declare(end);
        }
        world.setting("accounts.users = [\"alice\"]");
        world.setting("data.policy = \"snapshot\"");
        world.gate(
            "interval = \"50ms\"\ntimeout = \"1s\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\n\
             healthy_deadline = \"3s\"\n\n\
             [notify.ops]\nurl = \"https://hooks.example/canary-notice-8a15\"\n\n\
             [notify.mail]\nsmtp = \"smtps://ada:canary-mail-44d9@mail.example/ops@example.org\"\n\n\
             [template.shared]\nrun.environment.SHARED = \"canary-template-51e2\"",
        );
        let keys = [
            &format!("http = \"http://ada:canary-url-a03c@{probed}/health\""),
            "headers = { X-Token = \"canary-header-e216\", X-Other = \"${CANARY_TOKEN}\" }",
            "json = { \"/healthy\" = true }",
            "version = \"/version\"",
        ];
        // A probe alone, or the first of a list.
        let probe = if self.is_declared {
            keys.join("\n")
        } else {
            format!("probe = [{{ {} }}]", keys.join(", "))
        };
        world.probe(Some(&probe));
    }

    fn declare(&self, end: &str) {
        let world = &self.world;
        let file = world.folder.path().join("secret.env");
        fs::write(&file, format!("FROM_FILE=canary-file-07bd{end}\n")).expect("a file");
        world.setting("template = \"shared\"");
        world.setting(&format!("run.ports = [\"{}\"]", world.published(8080)));
        world.setting(&format!("run.volumes = [\"{}:/data\"]", world.name));
        world.setting(&format!(
            "run.environment = {{ TOKEN = \"canary-value-4c1f{end}\", OTHER = \"${{CANARY_VARIABLE}}\" }}"
        ));
        world.setting(&format!("run.env_file = \"{}\"", file.display()));
        world.setting("run.logging.driver = \"json-file\"");
        let option = self.log_option(&format!("canary-log-c6f3{end}"));
        let (name, value) = option.split_once('=').expect("NAME=VALUE");
        world.setting(&format!("run.logging.options = {{ {name} = \"{value}\" }}"));
    }

    /// An option of the log's driver that holds a canary. Podman's has no tags.
    fn log_option(&self, canary: &str) -> String {
        if self.world.is_podman() {
            format!("path=/tmp/{}-{canary}.log", self.world.name)
        } else {
            format!("tag={canary}")
        }
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
                "--log-opt",
                &self.log_option("canary-driver-19b0"),
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
        let file = world.folder.path().join("switchback.toml");
        let configured = fs::read_to_string(file).expect("the configuration can be read");
        let probe = self.heads.lock().unwrap_or_else(PoisonError::into_inner).concat();
        for (canary, place, how) in &self.canaries {
            let text = match place {
                Inside => &inside,
                Inspect => &inspect,
                Probe => &probe,
                Configured => &configured,
                Login => continue,
            };
            assert!(text.contains(canary), "{how}: {canary} is not in use:\n{text}");
        }
    }

    pub(super) fn command(&self, store: &str, engine: &str, arguments: &[&str]) -> Command {
        self.heard.borrow_mut().insert(verb(arguments));
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

    /// Fails unless every command that there is was listened to in this form.
    #[track_caller]
    pub(super) fn assert_all_were_heard(&self, form: &str) {
        let form = OutputFormat::from_str(form, false).expect("a form");
        let heard = self.heard.borrow();
        let mut all = leaves(&Cli::command(), "");
        all.retain(|it| !heard.contains(&(it.clone(), form)));
        assert_eq!(all, Vec::<String>::new(), "never listened to in form {form:?}");
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

/// The command that these words ask for, such as `config get`, and its form.
fn verb(arguments: &[&str]) -> (String, OutputFormat) {
    let words = std::iter::once(&"switchback").chain(arguments);
    let matches = Cli::command().try_get_matches_from(words);
    let matches = matches.unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    let form = *matches.get_one("output").expect("it has a default");
    let (mut words, mut at) = (Vec::new(), &matches);
    while let Some((word, below)) = at.subcommand() {
        words.push(word);
        at = below;
    }
    (words.join(" "), form)
}

/// Every command that does something.
fn leaves(command: &clap::Command, above: &str) -> Vec<String> {
    let mut all = Vec::new();
    for it in command.get_subcommands() {
        let name = format!("{above}{}", it.get_name());
        if it.has_subcommands() {
            all.extend(leaves(it, &format!("{name} ")));
        } else {
            all.push(name);
        }
    }
    all
}
