//! Engines that cannot be used: not there, not permitted, too old, or no engine at all.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::PathBuf,
    process::Command,
};

use crate::common::{
    World,
    process::{Output, Running},
};

/// Something that answers each request on a socket with this.
fn fake(world: &World, name: &str, answer: &str) -> String {
    let path = world.folder.path().join(format!("{name}.sock"));
    let listener = UnixListener::bind(&path).expect("a socket");
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let read = client.read(&mut request).unwrap_or(0);
            if read > 0 {
                client.write_all(answer.as_bytes()).ok();
            }
        }
    });
    format!("unix://{}", path.display())
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Updates and checks on that engine; the error, in words and with the next command.
#[track_caller]
fn said(world: &World, engine: &str, code: i32, error: &str) -> (String, String) {
    let run = |arguments: &[&str]| Running::spawn(world.command("state", engine, arguments)).wait();
    run(&["check"]).exits(11).says(error);
    let document = run(&["check", "-o", "json"]).exits(11).json();
    assert_eq!(document["deployments"][0]["status"], "unknown", "{document}");
    let update = run(&["update", "web", "-y", "-o", "json"]).exits(code);
    told(update.has("/error/code", error), world)
}

#[track_caller]
fn told(update: Output, world: &World) -> (String, String) {
    let document = update.json();
    let text = |key: &str| document["error"][key].as_str().unwrap_or_default().to_owned();
    let (message, hint) = (text("message"), text("hint"));
    assert!(!hint.is_empty(), "{document}");
    assert!(!message.contains("client error"), "{message}");
    assert_eq!(world.history(), Vec::<String>::new());
    (message, hint)
}

#[test]
fn an_engine_that_is_not_there_is_named_with_the_place_that_names_it() {
    let world = World::new("noengine");
    let place = world.folder.path().join("gone.sock").display().to_string();
    let (message, hint) = said(&world, &format!("unix://{place}"), 1, "engine_unreachable");
    let expected = format!("unix://{place} (DOCKER_HOST): there is no such socket");
    assert_eq!(message, format!("cannot reach the container engine at {expected}"));
    assert!(hint.starts_with("systemctl status docker"), "{hint}");

    // A socket that an engine has left behind.
    drop(UnixListener::bind(&place).expect("a socket"));
    let (message, _) = said(&world, &format!("unix://{place}"), 1, "engine_unreachable");
    assert!(message.ends_with("nobody listens there (connection refused)"), "{message}");

    let (_, hint) = said(&world, "tcp://127.0.0.1:1", 1, "engine_unreachable");
    assert!(hint.starts_with("docker -H tcp://127.0.0.1:1 version"), "{hint}");
    let command = world.command("state", "ssh://ada@host", &["update", "web", "-o", "json"]);
    let update = Running::spawn(command).wait().exits(2).has("/error/code", "usage");
    let (message, hint) = told(update, &world);
    assert!(message.contains("ssh://ada@host is not supported"), "{message}");
    assert!(hint.starts_with("export DOCKER_HOST=unix:///"), "{hint}");
}

#[test]
fn an_engine_that_is_too_old_is_refused_by_its_version() {
    let world = World::new("oldengine");
    let body = r#"{"Version":"19.03.15","ApiVersion":"1.40","MinAPIVersion":"1.12","Os":"linux"}"#;
    let engine = fake(&world, "old", &http("200 OK", body));
    let (message, hint) = said(&world, &engine, 3, "preflight_failed");
    assert!(message.starts_with("Docker 19.03.15 (API 1.40) is too old"), "{message}");
    assert_eq!(hint, "docker version");
}

#[test]
fn what_is_no_engine_is_not_taken_for_an_old_one() {
    let world = World::new("notengine");
    let html = fake(&world, "html", &http("200 OK", "<html>welcome</html>"));
    let (message, _) = said(&world, &html, 1, "engine_unreachable");
    assert!(message.ends_with("what answers there is no container engine"), "{message}");
    let broken = fake(&world, "broken", "\u{1}\u{2}\u{3}\r\n\r\n");
    said(&world, &broken, 1, "engine_unreachable");
    let ill = fake(&world, "ill", &http("500 Ill", r#"{"message":"no root folder"}"#));
    let (message, _) = said(&world, &ill, 1, "engine_unreachable");
    assert!(message.ends_with("no root folder"), "{message}");
}

#[test]
fn an_engine_that_this_user_may_not_use_says_how_to_be_allowed() {
    let world = World::new("denied");
    let folder = world.folder.path();
    let mode = |path: PathBuf, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode is set");
    };
    mode(folder.to_owned(), 0o777);
    let engine = fake(&world, "closed", &http("200 OK", "{}"));
    mode(folder.join("closed.sock"), 0o600);
    let program = folder.join("switchback");
    fs::copy(env!("CARGO_BIN_EXE_switchback"), &program).expect("the program is copied");
    let arguments = ["update", "web", "-y", "-o", "json"];
    let ours = world.command("state", &engine, &arguments);
    let environment = ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
    // Root may use every socket.
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command.args(arguments).env_clear().envs(environment);
    let update = Running::spawn(command).wait().exits(3).has("/outcome", "refused");
    let (message, hint) = told(update.has("/error/code", "not_permitted"), &world);
    assert!(message.starts_with("no permission for the container engine at unix://"), "{message}");
    assert!(hint.contains("usermod -aG docker"), "{hint}");
}
