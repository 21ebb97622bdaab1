//! `status --watch`: drawn on a terminal, a plain stream in a pipe, and ended by Ctrl-C.

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::Signal;

use crate::common::World;

/// What begins each picture on a terminal.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

#[test]
fn on_a_terminal_it_is_drawn_again_until_ctrl_c() {
    let world = World::new("watchtty");
    world.publish("1.0.0", &[]);
    world.start_service();
    let program = env!("CARGO_BIN_EXE_switchback");
    let ours = world.command("state", world.lab.engine_url(), &[]);
    let environment = ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
    // A terminal of its own, in which a keystroke becomes a signal.
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("{program} status web --watch")]);
    script.arg("/dev/null").env_clear().envs(environment).env("TERM", "xterm");
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = script.spawn().expect("script (of util-linux) is installed");
    let mut keyboard = child.stdin.take().expect("its keyboard");
    let mut screen = child.stdout.take().expect("its screen");
    let seen = Arc::new(Mutex::new(String::new()));
    let drawn = Arc::clone(&seen);
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = screen.read(&mut bytes) {
            drawn.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
    world.until("it is drawn twice", || seen.lock().unwrap().matches(CLEAR).count() >= 2);
    keyboard.write_all(b"\x03").expect("a keystroke");
    let status = child.wait().expect("it ends");
    reader.join().expect("the screen was read");
    let seen = seen.lock().unwrap().clone();
    assert_eq!(status.code(), Some(130), "{seen}");
    assert!(seen.contains("healthy") && seen.contains("1.0.0"), "{seen}");
}

#[test]
fn in_a_pipe_it_is_a_stream_without_escapes_until_a_signal() {
    let world = World::new("watchpipe");
    world.publish("1.0.0", &[]);
    world.start_service();
    for (arguments, signal, code) in [
        (&["status", "--watch", "--refresh"][..], Signal::INT, 130),
        (&["status", "web", "--watch", "-o", "ndjson"], Signal::TERM, 143),
    ] {
        let running = world.start(arguments);
        // Two pictures, two seconds apart, on a busy machine.
        std::thread::sleep(Duration::from_secs(8));
        running.signal(signal);
        let output = running.wait().exits(code).says("1.0.0");
        assert!(!output.stdout.contains('\u{1b}'), "{output}");
        assert!(output.stdout.matches("1.0.0").count() >= 2, "{output}");
        if arguments.contains(&"ndjson") {
            for line in output.stdout.lines() {
                let document: serde_json::Value = serde_json::from_str(line).expect("a document");
                assert_eq!(document["deployments"][0]["healthy"], true, "{line}");
            }
        }
    }
}

#[test]
fn when_nobody_reads_any_more_it_ends() {
    let world = World::new("watchclosed");
    let mut command = world.command("state", world.lab.engine_url(), &["status", "--watch"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program can be started");
    drop(child.stdout.take());
    world.until("it has ended", || child.try_wait().expect("a status").is_some());
    assert_eq!(child.wait().expect("a status").code(), Some(0));
}

#[test]
fn what_is_watched_is_no_document() {
    let world = World::new("watchjson");
    let refused = world.run_json(&["status", "web", "--watch"]).exits(2);
    refused.has("/error/code", "usage").has("/error/hint", "switchback status web -w -o ndjson");
}
