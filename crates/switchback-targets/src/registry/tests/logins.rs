//! Where logins are found: files and helpers, each as the docker command line does it.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::registry::{CredentialError, Credentials, Login, Reference, Secret};

const HUB: &str = "https://index.docker.io/v1/";

/// A folder with a configuration, and helpers beside it.
fn docker(config: &Value) -> (TempDir, Credentials) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    fs_err::write(&file, config.to_string()).expect("written");
    let credentials =
        Credentials::in_file(file).with_helpers(folder.path(), Duration::from_secs(5));
    (folder, credentials)
}

/// Written by another process: were it open for writing in this one, a test that starts a program
/// at that moment would keep it open, and "text file busy" would be all that the helper says.
fn helper(folder: &Path, name: &str, script: &str) {
    let file = folder.join(format!("docker-credential-{name}"));
    let written = std::process::Command::new("sh")
        .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 700 "$2""#, "sh", script])
        .arg(&file)
        .status()
        .expect("a shell");
    assert!(written.success());
}

fn alice() -> Login {
    Login::Basic { user: "alice".to_owned(), secret: Secret::new("canary") }
}

#[tokio::test]
async fn a_login_in_the_file_is_found_by_its_registry() {
    let auth = STANDARD.encode("alice:canary");
    let (_folder, credentials) =
        docker(&json!({"auths": {"registry.example:5000": {"auth": auth}}}));
    assert_eq!(credentials.login("registry.example:5000").await, Ok(alice()));
    assert_eq!(credentials.login("registry.example").await, Ok(Login::Anonymous));
}

#[tokio::test]
async fn docker_hub_s_login_is_found_under_each_of_its_names() {
    let auth = STANDARD.encode("alice:canary");
    let nginx: Reference = "nginx".parse().expect("a reference");
    for name in [HUB, "docker.io", "index.docker.io", "https://index.docker.io/v1"] {
        let (_folder, credentials) = docker(&json!({"auths": {name: {"auth": auth}}}));
        assert_eq!(credentials.login(nginx.login_server()).await, Ok(alice()), "{name}");
    }
}

#[tokio::test]
async fn nobody_has_logged_in_where_there_is_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = Credentials::in_file(folder.path().join("config.json"));
    assert_eq!(credentials.login(HUB).await, Ok(Login::Anonymous));
    assert_eq!(Credentials::none().login(HUB).await, Ok(Login::Anonymous));
}

#[tokio::test]
async fn a_file_that_is_no_json_is_an_error_with_the_place_and_not_the_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    fs_err::write(&file, r#"{"auths": {"r": {"auth": "canary" "#).expect("written");
    let error = Credentials::in_file(&file).login("r").await.expect_err("no JSON");
    assert!(matches!(error, CredentialError::File { .. }));
    assert!(error.to_string().contains("line 1"), "{error}");
    assert!(!error.to_string().contains("canary"));
}

#[tokio::test]
async fn a_helper_is_asked_once_by_the_registry_s_name() {
    let (folder, credentials) = docker(&json!({
        "auths": {"registry.example": {}},
        "credHelpers": {"registry.example": "own"},
        "credsStore": "general",
    }));
    let log = folder.path().join("log");
    let script = format!(
        r#"echo "$1 $(cat)" >> {}; echo '{{"Username":"alice","Secret":"canary"}}'"#,
        log.display()
    );
    helper(folder.path(), "own", &script);
    helper(folder.path(), "general", r#"echo '{"Username":"<token>","Secret":"canary"}'"#);

    assert_eq!(credentials.login("registry.example").await, Ok(alice()));
    assert_eq!(credentials.login("registry.example").await, Ok(alice()));
    assert_eq!(fs_err::read_to_string(&log).expect("a log"), "get registry.example\n");
    let token = Login::Token(Secret::new("canary"));
    assert_eq!(credentials.login("other.example").await, Ok(token));
}

#[tokio::test]
async fn a_helper_for_docker_hub_is_found_by_each_of_its_names() {
    for name in [HUB, "docker.io", "index.docker.io"] {
        let (folder, credentials) = docker(&json!({"credHelpers": {name: "own"}}));
        helper(folder.path(), "own", r#"echo '{"Username":"alice","Secret":"canary"}'"#);
        assert_eq!(credentials.login(HUB).await, Ok(alice()), "{name}");
    }
}

#[tokio::test]
async fn a_helper_that_keeps_nothing_leaves_us_nobody() {
    let (folder, credentials) = docker(&json!({"credsStore": "general"}));
    helper(folder.path(), "general", "echo credentials not found in native keychain; exit 1");
    assert_eq!(credentials.login("registry.example").await, Ok(Login::Anonymous));
}

#[tokio::test]
async fn a_helper_that_fails_says_why_and_one_that_lies_says_nothing() {
    let (folder, credentials) =
        docker(&json!({"credHelpers": {"a": "ill", "b": "odd", "c": "none"}}));
    helper(folder.path(), "ill", "echo the keychain is locked; exit 1");
    helper(folder.path(), "odd", "echo canary");
    let told = async |server| credentials.login(server).await.expect_err("no login").to_string();
    assert!(told("a").await.ends_with("docker-credential-ill failed: the keychain is locked"));
    let odd = told("b").await;
    assert!(odd.ends_with("docker-credential-odd answered something that is not a login"), "{odd}");
    assert!(!odd.contains("canary"));
    assert!(told("c").await.contains("docker-credential-none cannot be run"));
}

#[tokio::test]
async fn a_helper_that_hangs_is_ended_and_told() {
    let (folder, credentials) = docker(&json!({"credsStore": "slow"}));
    helper(folder.path(), "slow", "exec sleep 600");
    let credentials = credentials.with_helpers(folder.path(), Duration::from_millis(200));
    let start = Instant::now();
    let error = credentials.login("registry.example").await.expect_err("no answer");
    // Only tells a hang from a busy machine.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert!(error.to_string().ends_with("gave no answer within 0.2 s"), "{error}");
}
