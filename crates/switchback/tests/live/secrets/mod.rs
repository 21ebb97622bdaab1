//! One canary in each kind of secret, every command in every form, and nobody sings.

mod cage;

use std::{collections::BTreeSet, fmt::Write as _, fs, process::Command};

use rustix::process::Signal;
use serde_json::Value;

use self::cage::{Cage, keys_with_a_canary};
use crate::common::{
    process::Running,
    proxy::{Act, Moment, Proxy, starts_the_new_one},
};

const FORMS: [&str; 3] = ["text", "json", "ndjson"];

/// Every command that takes no longer than a look, after there was something to be seen, with the
/// exit code that shows that it did what it is for.
const COMMANDS: &[(&[&str], i32)] = &[
    (&["check"], 0),
    (&["plan", "web"], 0),
    (&["plan", "web", "--to", "other"], 10),
    (&["update", "web", "--dry-run"], 0),
    (&["update", "web", "--to", "other", "--dry-run"], 10),
    (&["status"], 0),
    (&["status", "web"], 0),
    (&["status", "--refresh"], 0),
    (&["history"], 0),
    (&["show", "web"], 0),
    (&["show", "web", "r1"], 0),
    (&["show", "web", "r2"], 0),
    (&["logs", "web"], 0),
    (&["health"], 0),
    (&["quarantine", "web", "add", "other"], 0),
    (&["quarantine", "web"], 0),
    (&["quarantine", "web", "clear"], 0),
    (&["recover", "-y"], 0),
    (&["gc", "--dry-run"], 0),
    (&["gc", "-y"], 0),
    (&["config", "show"], 0),
    (&["config", "validate"], 0),
    (&["config", "schema"], 0),
    (&["config", "get", "deployment"], 0),
    (&["config", "get", "deployment.web.health"], 0),
    (&["config", "get", "template.shared.run.environment"], 0),
    (&["config", "get", "notify"], 0),
    (&["config", "get", "notify.ops.url"], 0),
    (&["config", "get", "notify.mail.smtp"], 0),
    // The file is written anew for each command.
    (&["config", "set", "deployment.web.health.timeout", "2s"], 0),
    (&["config", "set", "notify.ops.url", "https://hooks.example/canary-notice-8a15"], 0),
    (&["config", "unset", "notify.mail"], 0),
    (&["config", "rename", "notify.ops", "people"], 0),
    (&["adopt", "web", "-y"], 0),
    (&["rollback", "web", "--dry-run"], 10),
    (&["update", "web", "--to", "no-such-tag", "-y"], 1),
    (&["rollback", "web", "--to", "r99", "-y"], 3),
    (&["completions", "bash"], 0),
    (&["man"], 0),
];

/// What is there only where the container is declared.
const OF_THE_DECLARED: &[(&[&str], i32)] = &[
    (&["config", "get", "deployment.web.health.headers"], 0),
    (&["config", "get", "deployment.web.health.http"], 0),
    (&["config", "set", "deployment.web.health.headers.X-Token", "canary-header-e216"], 0),
    (&["config", "unset", "deployment.web.health.headers.X-Token"], 0),
    (&["config", "get", "deployment.web.run"], 0),
    (&["config", "get", "deployment.web.run.logging.options"], 0),
    (&["config", "get", "deployment.web.run.logging.options"], 0),
    (&["config", "rename", "deployment.web.run.environment.TOKEN", "KEY"], 0),
    (&["config", "get", "deployment.web.run.environment"], 0),
    (&["config", "get", "deployment.web.run.environment.TOKEN"], 0),
    (&["config", "unset", "deployment.web.run.environment.TOKEN"], 0),
];

/// What is there only where the container was adopted.
const OF_THE_ADOPTED: &[(&[&str], i32)] = &[
    (&["config", "get", "deployment.web.health.probe"], 0),
    (&["config", "get", "deployment.web.health.probe.0.headers"], 0),
];

/// Runs commands and listens; tells all that end otherwise than they should.
#[track_caller]
fn all_end_as_they_should(cage: &Cage, commands: &[(&[&str], i32)], form: &str) {
    let mut wrong = String::new();
    for (command, code) in commands {
        let output = cage.run(&[command, &["-v", "-o", form][..]].concat());
        if output.code != Some(*code) {
            writeln!(wrong, "{code} was expected:\n{output}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// An update is killed when it starts the new version, and recovered.
#[track_caller]
fn is_killed_and_recovered(cage: &Cage, version: &str, form: &str) {
    let world = &cage.world;
    cage.publish("latest", version, &[]);
    let socket = world.folder.path().join("engine.sock");
    let act = (Moment::LetThrough, Act::Signal(Signal::KILL));
    let proxy = Proxy::at(&socket, world.lab.engine_url(), act, starts_the_new_one);
    let update = ["update", "web", "-y", "-v", "-o", form];
    let running = Running::spawn(cage.command("state", &proxy.url, &update));
    proxy.watch(running.pid());
    let killed = cage.listen(running.wait());
    assert_eq!(killed.code, None, "it is killed:\n{killed}");
    for command in [&["status", "web"][..], &["history"]] {
        let _open = cage.run(&[command, &["-v", "-o", form]].concat());
    }
    cage.run(&["recover", "web", "-y", "-v", "-o", form]).exits(0);
}

/// What somebody does who comes to it with another store, and then gives it back.
#[track_caller]
fn is_taken_over_and_forgotten(cage: &Cage, form: &str) {
    let file = cage.world.folder.path().join(format!("init-{form}.toml"));
    let path = file.to_str().expect("a path in UTF-8");
    cage.run(&["-c", path, "init", "-v", "-o", form]).exits(0);
    assert!(fs::read_to_string(&file).unwrap().contains(&cage.world.name), "it was found");
    let (_, form) = (cage.run_by("other", &["plan", "web", "-v", "-o", form]), ["-v", "-o", form]);
    cage.run_by("other", &[&["adopt", "web", "--take-over", "-y"][..], &form].concat()).exits(0);
    cage.run_by("other", &[&["forget", "web", "-y"][..], &form].concat()).exits(0);
    cage.run(&[&["adopt", "web", "-y"][..], &form].concat()).exits(0);
}

fn nobody_sings(word: &str, is_declared: bool, forms: &[&str]) {
    let cage = Cage::new(word, is_declared);
    cage.publish("other", "9.9.9", &[]);
    cage.start();
    for form in forms {
        cage.publish("latest", &format!("1.1.0-{form}"), &[]);
        cage.run(&["update", "web", "-y", "-v", "-o", form]).exits(0);
        all_end_as_they_should(&cage, COMMANDS, form);
        let others = if is_declared { OF_THE_DECLARED } else { OF_THE_ADOPTED };
        all_end_as_they_should(&cage, others, form);
    }
    cage.assert_all_in_use();
    for form in forms {
        cage.publish("latest", &format!("1.2.0-{form}"), &[("LEDGER_HEALTH", "never")]);
        cage.run(&["update", "web", "-y", "-v", "-o", form]).exits(4);
        for command in [&["show", "web"][..], &["logs", "web"], &["quarantine", "web"]] {
            cage.run(&[command, &["-v", "-o", form]].concat()).exits(0);
        }
    }
    let [form, ..] = forms else { return };
    is_killed_and_recovered(&cage, &format!("1.3.0-{form}"), form);
    if is_declared {
        cage.configure("-changed");
        for form in forms {
            cage.run(&["plan", "web", "-v", "-o", form]).exits(10);
        }
        cage.run(&["update", "web", "-y", "-v", "-o", "ndjson"]).exits(0);
    }
    cage.run(&["rollback", "web", "--with-data", "-y", "-v", "-o", "ndjson"]).exits(0);
    cage.run(&["health", "--gate", "-v"]).exits(0);
    // The account was carried over each time.
    cage.assert_all_in_use();
    cage.fetch_journal();
    cage.assert_written_nowhere();
    for form in forms {
        is_taken_over_and_forgotten(&cage, form);
        cage.assert_all_were_heard(form);
    }
    cage.assert_written_nowhere();
}

/// Every key below here that is never shown; what belongs to other kinds of deployment is left out.
fn secret_keys(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if schema["description"]
        .as_str()
        .is_some_and(|it| it.contains("(kind ") && !it.contains("(kind container)"))
    {
        return;
    }
    if schema["writeOnly"] == true {
        found.insert(path.to_owned());
    }
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        secret_keys(below, &format!("{path}.{key}"), found);
    }
    for below in schema["anyOf"].as_array().into_iter().flatten() {
        secret_keys(below, path, found);
    }
    for below in [&schema["additionalProperties"], &schema["items"]] {
        if below.is_object() {
            secret_keys(below, &format!("{path}.*"), found);
        }
    }
}

#[test]
fn every_key_of_the_configuration_that_is_secret_has_a_canary() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(["config", "schema"]).env_clear();
    let schema = Running::spawn(command).wait().exits(0).json();
    let mut secret = BTreeSet::new();
    for (key, below) in schema["properties"].as_object().expect("keys") {
        // Templates and fleets have the keys of deployments.
        if !matches!(key.as_str(), "template" | "fleet") {
            secret_keys(below, key, &mut secret);
        }
    }
    let secret: BTreeSet<&str> = secret.iter().map(String::as_str).collect();
    assert_eq!(secret, keys_with_a_canary());
}

#[test]
fn no_secret_of_what_is_declared_is_told_or_kept_outside_the_targets_record() {
    nobody_sings("secrets", true, &FORMS);
}

/// All that is said comes from one document, whose forms the test above goes through; with
/// `SWITCHBACK_SWEEP=full` in the environment they are all listened to here too.
#[test]
fn no_secret_of_what_was_adopted_is_told_or_kept_outside_the_targets_record() {
    let is_full = crate::common::sweep::is_full();
    nobody_sings("given", false, if is_full { &FORMS } else { &FORMS[1..2] });
}

/// With the login of a registry that gives nothing to anybody without.
#[test]
fn a_login_that_is_used_is_told_and_kept_nowhere() {
    let cage = Cage::new("usedlogin", true);
    let world = &cage.world;
    cage.start();
    let image = format!("{}/{}:latest", world.lab.private_registry(), world.name);
    world.made.repositories.borrow_mut().push(image.replace(":latest", ""));
    world.setting(&format!("image = \"{image}\""));
    // Its image has no accounts to merge with.
    for (form, version) in FORMS.iter().zip(["1.1.0", "1.2.0", "1.3.0"]) {
        world.publish_private("latest", version);
        cage.run(&["check", "-v", "-o", form]).exits(10);
        cage.run(&["update", "web", "-y", "-v", "-o", form]).exits(0).says(version);
        assert_eq!(world.serving(), version);
    }
    cage.fetch_journal();
    cage.assert_written_nowhere();
}

#[test]
fn no_secret_is_told_by_an_error() {
    let cage = Cage::new("wrong", true);
    let world = &cage.world;
    cage.publish("latest", "1.0.0", &[]);
    // What the registry, the engine and the gate have to say.
    world.setting(&format!("image = \"{}/none:latest\"", world.lab.private_registry()));
    for form in FORMS {
        let refused: [(&[&str], i32); 3] =
            [(&["check"], 11), (&["plan", "web"], 1), (&["update", "web", "-y"], 1)];
        all_end_as_they_should(&cage, &refused, form);
    }
    let file = world.folder.path().join("switchback.toml.broken");
    let path = file.to_str().expect("a path in UTF-8");
    for line in [
        // Each is refused where it stands, but for the last, which only its use shows to be wrong.
        "run.environment = { TOKEN = [\"canary-value-4c1f\"] }",
        "run.environment = \"canary-value-4c1f\"",
        "run.environment = { \"canary-value-4c1f\" }",
        "run.environment = { TOKEN = \"canary-value-4c1f }",
        "run.environment = { TOKEN = \"canary-value-4c1f ${\" }",
        "run.environment = { TOKEN = \"canary-value-4c1f ${NOT_SET_ANYWHERE}\" }",
        "run.logging.options = { tag = [\"canary-log-c6f3\"] }",
        "run.logging.options = \"canary-log-c6f3\"",
        "run.logging = { opts = { tag = \"canary-log-c6f3\" } }",
        "run.logging.options = { tag = \"canary-log-c6f3 ${NOT_SET_ANYWHERE}\" }",
        "template = \"shared\"\n[template.shared]\nrun.environment = { A = [\"canary-template-51e2\"] }",
        "[notify.ops]\nurl = [\"https://hooks.example/canary-notice-8a15\"]",
        "[notify.ops]\nurl = \"canary-notice-8a15 ${\"",
        "[notify.ops]\nurl = \"https://hooks.example/canary-notice-8a15 ${NOT_SET_ANYWHERE}\"",
        "[notify.ops]\nsmtp = { url = \"smtps://ada:canary-mail-44d9@mail.example\" }",
        "[notify.ops]\nsmpt = \"smtps://ada:canary-mail-44d9@mail.example\"",
        "[notify]\nops = \"https://hooks.example/canary-notice-8a15\"",
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
        for form in FORMS {
            let (validates, checks) = if line.starts_with("engine") { (0, 11) } else { (2, 2) };
            let wrong: [(&[&str], i32); 3] = [
                (&["-c", path, "config", "validate"], validates),
                (&["-c", path, "check"], checks),
                (&["-c", path, "health"], 2),
            ];
            all_end_as_they_should(&cage, &wrong, form);
            // What is no TOML cannot be shown; all else is.
            let shown = cage.run(&["-c", path, "config", "show", "-o", form]);
            assert!(matches!(shown.code, Some(0 | 2)), "{shown}");
        }
    }
}
