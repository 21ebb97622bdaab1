//! Registries that say no, references that are none, files that are no configuration.

use std::{fs, path::Path};

use switchback_testkit::lab::Lab;

use crate::common::{
    World,
    process::{Output, Running},
};

/// A service at 1.0.0.
fn serving(name: &str) -> World {
    let world = World::new(name);
    world.publish("1.0.0", &[]);
    world.start_service();
    world
}

/// Message and next command of an update that never began, which changed nothing.
#[track_caller]
fn refused(
    world: &World,
    run: impl FnOnce() -> Output,
    code: i32,
    error: &str,
) -> (String, String) {
    let before = world.service();
    let output = run().exits(code).has("/error/code", error);
    let document = output.json();
    let text = |key: &str| document["error"][key].as_str().unwrap_or_default().to_owned();
    assert!(!text("hint").is_empty(), "{output}");
    let after = world.service();
    assert_eq!((&after["Id"], &after["State"]), (&before["Id"], &before["State"]), "{output}");
    assert_eq!(world.temporary_containers(), Vec::<String>::new(), "{output}");
    assert_eq!(world.history(), Vec::<String>::new(), "{output}");
    (text("message"), text("hint"))
}

/// A docker configuration with that login for the private registry.
fn docker_config(lab: &Lab, folder: &Path, password: &str) {
    use base64::Engine as _;
    let login = format!("{}:{password}", lab.private_credentials().user);
    let login = base64::prelude::BASE64_STANDARD.encode(login);
    let auths = serde_json::json!({ "auths": { lab.private_registry(): { "auth": login } } });
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join("config.json"), auths.to_string()).expect("a file");
}

#[test]
fn a_registry_that_wants_a_login_says_whose_it_has_tried() {
    let world = serving("private");
    world.publish_private("latest", "1.1.0");
    let registry = world.lab.private_registry().to_owned();
    world.setting(&format!("image = \"{registry}/{}:latest\"", world.name));
    let folder = world.folder.path().join("docker");
    let run = |arguments: &[&str]| {
        let mut command = world.command("state", world.lab.engine_url(), arguments);
        Running::spawn({
            command.env("DOCKER_CONFIG", &folder);
            command
        })
        .wait()
    };
    let update = ["update", "web", "-y", "-o", "json"];

    let (message, hint) = refused(&world, || run(&update), 1, "registry_denied");
    assert!(message.contains("without a login, and "), "{message}");
    assert_eq!(hint, format!("docker login {registry}"));
    docker_config(&world.lab, &folder, "not-this-one");
    let (message, hint) = refused(&world, || run(&update), 1, "registry_denied");
    assert!(message.contains("(HTTP 401) to the login of lab"), "{message}");
    assert!(!message.contains("not-this-one"), "{message}");
    assert!(hint.starts_with(&format!("docker login {registry}")), "{hint}");
    run(&["check"]).exits(11).says("registry_denied");

    docker_config(&world.lab, &folder, &world.lab.private_credentials().password);
    run(&update).exits(0).has("/outcome", "committed");
    assert_eq!(world.serving(), "1.1.0");
}

#[test]
fn a_reference_that_is_none_is_wrong_usage() {
    let world = serving("noref");
    for (to, why) in [
        ("BAD REF", "it contains a space"),
        ("sha256:123", "the digest is"),
        ("https://example.org/web", "leave out the scheme"),
        ("127.0.0.1:1/Acme/web:1", "lowercase"),
    ] {
        let run = || world.run_json(&["update", "web", "--to", to, "-y"]);
        let (message, _) = refused(&world, run, 2, "usage");
        assert!(message.contains(why), "{message}");
    }
    let run = || world.run_json(&["update", "web", "--to", "never-published", "-y"]);
    let (message, hint) = refused(&world, run, 1, "ref_not_found");
    assert!(message.contains("never-published does not exist in its registry"), "{message}");
    assert!(hint.contains("docker manifest inspect"), "{hint}");
    let run = || world.run_json(&["update", "wbe", "-y"]);
    refused(&world, run, 2, "not_found");
}

#[test]
fn words_that_make_no_sense_are_one_document_for_programs() {
    let world = World::new("words");
    for command in [&["update", "web", "--imagine"][..], &["upgrade"], &["status", "--watch=x"]] {
        let output = world.run_json(command).exits(2).has("/error/code", "usage");
        assert!(output.stderr.is_empty(), "{output}");
        world.run(command).exits(2).says("error: ");
    }
}

#[test]
fn what_is_about_one_deployment_refuses_several_and_drops_none() {
    let world = serving("several");
    for flag in ["--rollback", "--dry-run"] {
        let run = || world.run_json(&["update", "web", "db", flag, "-y"]);
        let (message, hint) = refused(&world, run, 2, "usage");
        assert!(message.contains("2 are named") && hint.ends_with(" web"), "{message} {hint}");
    }
    let run = || world.run_json(&["update", "--all", "--dry-run"]);
    refused(&world, run, 2, "usage");
    // It asks nothing, also where there is nothing to take that was rejected.
    world.publish("1.1.0", &[]);
    drop(world.run(&["update", "web", "--force"]).exits(0));
    drop(world.run(&["rollback", "web", "--force"]).exits(0));
}

/// Files that are no configuration, what is wrong with them, and a part of what to type.
const FILES: &[(&[u8], &str, &str)] = &[
    (b"[deployment.web\nkind = \"container\"\n", "not TOML", "${EDITOR:-vi} +1 "),
    (b"[deployment.web]\nkind = \"container\"\nimage = \"a\n", "not TOML", "${EDITOR:-vi} +3 "),
    (b"[deployment.web]\nkind = \"container\"\nkind = \"x\"\n", "duplicate key", "+3 "),
    (
        b"[deployment.web]\nkind = \"container\"\nimag = \"a\"\n",
        "unknown key `imag`",
        "config rename",
    ),
    (
        b"[deployment.web]\nkind = \"container\"\nimage = \"UPPER/case\"\n",
        "lowercase",
        "config set",
    ),
    (b"[deployment.web]\nkind = \"container\"\nimage = \"${NO_SUCH}\"\n", "NO_SUCH", "config set"),
    (b"\xff\xfe\x00binary", "UTF-8", "file "),
];

#[test]
fn a_file_that_is_no_configuration_is_refused_by_every_command() {
    let world = World::new("nofile");
    let file = world.folder.path().join("broken.toml");
    let path = file.to_str().expect("a path in UTF-8");
    for (content, problem, next) in FILES {
        fs::write(&file, content).expect("a file");
        for command in ["update", "check", "status", "history", "recover", "health", "gc"] {
            let output = world.run_json(&["--config", path, command]);
            let error = output.exits(2).has("/error/code", "config_invalid").json();
            let text = |key: &str| error["error"][key].as_str().unwrap_or_default().to_owned();
            assert!(text("message").contains(problem), "{problem}: {error}");
            assert!(text("hint").contains(next), "{next}: {error}");
        }
        world.run(&["--config", path, "check"]).exits(2).says(problem).says(next);
    }
    fs::remove_file(&file).expect("the file is there");
    fs::create_dir(&file).expect("a folder in its place");
    let folder = world.run_json(&["--config", path, "check"]).exits(2);
    folder.has("/error/code", "config_invalid").says("ls -ld ");
    assert!(!world.state("state").exists(), "no store was made");
}
