//! One canary in each kind of secret, every command in every form, and nobody sings.

use std::{
    fs,
    path::{Path, PathBuf},
};

use switchback_testkit::lab::ledger_config;

use crate::common::{
    World,
    process::{Output, Running},
};

/// What must be found nowhere, and where it was put.
const CANARIES: [(&str, &str); 8] = [
    ("canary-value-4c1f", "run.environment"),
    ("canary-variable-93ae", "a variable of ours that run.environment takes"),
    ("canary-file-07bd", "run.env_file"),
    ("canary-header-e216", "health.headers"),
    ("canary-token-5f88", "a variable of ours that health.headers takes"),
    ("canary-url-a03c", "the password in the probe's address"),
    ("canary-account-6be9", "the hash of an account"),
    ("canary-image-1d77", "the environment of the image"),
];

/// Every command that takes no longer than a look, after there was something to be seen.
const COMMANDS: &[&[&str]] = &[
    &["check"],
    &["plan", "web"],
    &["plan", "web", "--to", "other"],
    &["update", "web", "--dry-run"],
    &["status"],
    &["status", "web"],
    &["status", "--refresh"],
    &["history"],
    &["show", "web"],
    &["show", "web", "r1"],
    &["show", "web", "r2"],
    &["logs", "web"],
    &["health"],
    &["quarantine", "web"],
    &["recover", "-y"],
    &["gc", "--dry-run"],
    &["config", "show"],
    &["config", "validate"],
    &["config", "schema"],
    &["config", "get", "deployment"],
    &["config", "get", "deployment.web.run.environment"],
    &["config", "get", "deployment.web.run.environment.TOKEN"],
    &["config", "get", "deployment.web.health.headers"],
    &["config", "get", "deployment.web.health.http"],
    &["adopt", "web", "-y"],
    &["rollback", "web", "--dry-run"],
    &["update", "web", "--to", "no-such-tag", "-y"],
    &["rollback", "web", "--to", "r99", "-y"],
];

struct Cage {
    world: World,
    /// Canaries, and the password of a registry as it is and as it is sent.
    canaries: Vec<(String, String)>,
}

impl Cage {
    fn new() -> Self {
        use base64::Engine as _;
        let world = World::new("secrets");
        let login = world.lab.private_credentials();
        let basic =
            base64::prelude::BASE64_STANDARD.encode(format!("{}:{}", login.user, login.password));
        let mut canaries: Vec<(String, String)> =
            CANARIES.iter().map(|(it, place)| ((*it).to_owned(), (*place).to_owned())).collect();
        canaries.push((login.password.clone(), "the registry's password".to_owned()));
        canaries.push((basic, "the registry's login".to_owned()));
        world.made.containers.borrow_mut().push(world.name.clone());
        world.made.volumes.borrow_mut().push(world.name.clone());
        let cage = Self { world, canaries };
        cage.configure();
        cage
    }

    fn configure(&self) {
        let Self { world, .. } = self;
        let (name, address) = (&world.name, &world.address);
        let file = world.folder.path().join("secret.env");
        fs::write(&file, "FROM_FILE=canary-file-07bd\n").expect("a file");
        world.setting(&format!("run.ports = [\"{}\"]", world.published(8080)));
        world.setting(&format!("run.volumes = [\"{name}:/data\"]"));
        world.setting(
            "run.environment = { TOKEN = \"canary-value-4c1f\", OTHER = \"${CANARY_VARIABLE}\" }",
        );
        world.setting(&format!("run.env_file = \"{}\"", file.display()));
        world.setting("accounts.users = [\"alice\"]");
        world.setting("data.policy = \"snapshot\"");
        world.gate(
            "interval = \"50ms\"\ntimeout = \"1s\"\nhealthy_streak = 2\nmin_healthy_time = \"300ms\"\n\
             healthy_deadline = \"2s\"",
        );
        world.probe(Some(&format!(
            "http = \"http://ada:canary-url-a03c@{address}/health\"\n\
             headers = {{ X-Token = \"canary-header-e216\", X-Other = \"${{CANARY_TOKEN}}\" }}\n\
             json = {{ \"/healthy\" = true }}\nversion = \"/version\""
        )));
    }

    fn publish(&self, tag: &str, version: &str, more: &[(&str, &str)]) {
        let mut environment = vec![("LEDGER_VERSION", version), ("LEDGER_BUILD", &self.world.name)];
        environment.push(("BAKED", "canary-image-1d77"));
        environment.extend_from_slice(more);
        self.world.publish_layers(tag, &ledger_config(&environment), &["debian", "ledger"]);
    }

    /// Runs it and listens.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.world.command("state", self.world.lab.engine_url(), arguments);
        command.env("CANARY_VARIABLE", "canary-variable-93ae");
        command.env("CANARY_TOKEN", "canary-token-5f88");
        let output = Running::spawn(command).wait();
        for (canary, place) in &self.canaries {
            let is_heard = output.stdout.contains(canary) || output.stderr.contains(canary);
            assert!(!is_heard, "{place}: {canary} is told:\n{output}");
        }
        output
    }

    /// Every file below that holds a canary.
    fn nests(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path: PathBuf = entry.expect("an entry can be read").path();
            if path.is_dir() {
                found.extend(self.nests(&path));
                continue;
            }
            let bytes = fs::read(&path).unwrap_or_default();
            for (canary, place) in &self.canaries {
                if bytes.windows(canary.len()).any(|it| it == canary.as_bytes()) {
                    found.push(format!("{place}: {canary} lies in {}", path.display()));
                }
            }
        }
        found
    }
}

#[test]
fn no_secret_is_told_or_kept_outside_the_targets_record() {
    let cage = Cage::new();
    let (world, name) = (&cage.world, cage.world.name.clone());
    cage.publish("latest", "1.0.0", &[]);
    cage.run(&["update", "web", "-y", "-v"]).exits(0).says("1.0.0");
    // The hash is none that any password has; only its place counts.
    let user = "useradd alice && echo 'alice:$6$canary-account-6be9' | chpasswd -e";
    world.docker(&["exec", &name, "sh", "-c", user]);
    let inside = world.docker(&["exec", &name, "sh", "-c", "env; cat /etc/shadow"]);
    for (canary, place) in &cage.canaries[..3] {
        assert!(inside.contains(canary), "{place}: the container has it:\n{inside}");
    }

    for form in ["text", "json", "ndjson"] {
        cage.publish("latest", &format!("1.1.0-{form}"), &[]);
        cage.run(&["update", "web", "-y", "-v", "-o", form]).exits(0);
        // What only looks has one document, which is the same on one line.
        for command in COMMANDS.iter().filter(|_| form != "ndjson") {
            let _any = cage.run(&[command, &["-v", "-o", form][..]].concat());
        }
    }
    for form in ["text", "ndjson"] {
        cage.publish("latest", &format!("1.2.0-{form}"), &[("LEDGER_HEALTH", "never")]);
        cage.run(&["update", "web", "-y", "-v", "-o", form]).exits(4);
    }
    for command in [&["show", "web"][..], &["logs", "web"], &["quarantine", "web"], &["history"]] {
        let _any = cage.run(&[command, &["-o", "json"]].concat());
    }
    cage.run(&["rollback", "web", "--with-data", "-y", "-v", "-o", "ndjson"]).exits(0);
    cage.run(&["health", "--gate", "-v"]).exits(0);
    let shadow = world.docker(&["exec", &name, "cat", "/etc/shadow"]);
    assert!(shadow.contains("canary-account-6be9"), "the account was carried over:\n{shadow}");

    assert_eq!(cage.nests(&world.state("state")), Vec::<String>::new());
    let journal = format!("switchback-anchor:/switchback/targets/{name}/journal.json");
    let copy = world.folder.path().join("journal.json");
    world.docker(&["cp", &journal, copy.to_str().expect("a path in UTF-8")]);
    let all = cage.nests(world.folder.path());
    let own = |it: &&String| !it.ends_with("secret.env") && !it.contains("switchback.toml");
    assert_eq!(all.iter().filter(own).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn no_secret_is_told_by_an_error() {
    let cage = Cage::new();
    let world = &cage.world;
    cage.publish("latest", "1.0.0", &[]);
    // What the registry, the engine and the gate have to say.
    world.setting(&format!("image = \"{}/none:latest\"", world.lab.private_registry()));
    for form in ["text", "json", "ndjson"] {
        for command in [&["check"][..], &["plan", "web"], &["update", "web", "-y"]] {
            let _refused = cage.run(&[command, &["-v", "-o", form][..]].concat());
        }
    }
    let file = world.folder.path().join("broken.toml");
    let path = file.to_str().expect("a path in UTF-8");
    for line in [
        "run.environment = { TOKEN = [\"canary-value-4c1f\"] }",
        "run.environment = \"canary-value-4c1f\"",
        "run.environment = { \"canary-value-4c1f\" }",
        "run.environment = { TOKEN = \"canary-value-4c1f }",
        "run.environment = { TOKEN = \"canary-value-4c1f ${\" }",
        "run.environment = { TOKEN = \"canary-value-4c1f ${NOT_SET_ANYWHERE}\" }",
        "health.headers = { X-Token = 7, Y = \"canary-header-e216\" }",
        "health.headers = { X-Token = \"canary-header-e216\\n\" }",
        "health.http = \"ftp://ada:canary-url-a03c@example.org\"",
        "health.http = \"http://ada:canary-url-a03c@exa mple.org\"",
        "health.htpp = \"http://ada:canary-url-a03c@example.org\"",
        "image = \"https://ada:canary-url-a03c@example.org/web\"",
        "engine = \"tcp://ada:canary-url-a03c@127.0.0.1:1\"",
    ] {
        let text = format!("[deployment.web]\nkind = \"container\"\n{line}\n");
        fs::write(&file, text).expect("a file");
        for command in [&["config", "validate"][..], &["config", "show"], &["check"], &["health"]] {
            for form in ["text", "json"] {
                let _wrong = cage.run(&[&["-c", path][..], command, &["-o", form]].concat());
            }
        }
    }
    assert_eq!(cage.nests(&world.state("state")), Vec::<String>::new());
}
