//! The notice about a newer version, with the real program asking a registry on this machine.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails is a test that fails")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use switchback::notice::{INTERVAL_DEFAULT, REFRESH_ARGUMENT, Reasons, Setting, at_end};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_switchback");
const WELCOME: Reasons = Reasons { welcome: true, in_ci: false, opted_out: false };
const HOUR_MS: u64 = 3_600_000;

/// Only tells a hang from a busy machine.
const HANG: Duration = Duration::from_secs(60);

/// A registry that counts who asks.
struct Registry {
    address: String,
    hits: Arc<AtomicUsize>,
}

impl Registry {
    /// One that answers every request with that status line and body.
    fn answering(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let hits = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&hits);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap();
                let request = String::from_utf8_lossy(&request[..length]);
                assert!(request.starts_with("GET /api/v1/crates/switchback/versions HTTP/1.1"));
                let length = body.len();
                let _gone = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { address, hits }
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

const NEWER: &str = r#"{"versions": [{"num": "99.0.0"}, {"num": "0.0.1"}]}"#;

/// A registry that takes the connection and never says a word.
fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

fn setting(folder: &TempDir, registry: &str) -> Setting {
    Setting {
        cache: Some(cache(folder)),
        program: Some(PathBuf::from(PROGRAM)),
        interval: INTERVAL_DEFAULT,
        registry: Some(registry.to_owned()),
    }
}

fn cache(folder: &TempDir) -> PathBuf {
    folder.path().join("switchback").join("notice.json")
}

fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap()
}

/// Waits until that holds; ten seconds are twice what a look may take.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn has_answer(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains("99.0.0"))
}

#[test]
fn fifty_commands_in_a_week_ask_once_and_all_but_the_first_have_the_answer() {
    let (folder, registry) = (TempDir::new().unwrap(), Registry::answering("200 OK", NEWER));
    let setting = setting(&folder, &registry.address);

    assert_eq!(at_end(WELCOME, &setting, now()), None, "nothing is known yet, nothing is awaited");
    eventually("the answer is remembered", || has_answer(&cache(&folder)));
    for command in 1..50 {
        let notice = at_end(WELCOME, &setting, now() + command * 3 * HOUR_MS).unwrap();
        assert_eq!(
            notice,
            "Update: A new version of switchback is available: 0.1.0 -> 99.0.0\n  \
             Run: cargo install switchback"
        );
    }
    assert_eq!(registry.hits(), 1);

    at_end(WELCOME, &setting, now() + 8 * 24 * HOUR_MS);
    eventually("a week later it asks again", || registry.hits() == 2);
}

#[test]
fn twenty_commands_at_once_start_one_look() {
    let (folder, registry) = (TempDir::new().unwrap(), Registry::answering("200 OK", NEWER));
    let setting = setting(&folder, &registry.address);
    let at = now();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| at_end(WELCOME, &setting, at));
        }
    });
    eventually("the answer is remembered", || has_answer(&cache(&folder)));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(registry.hits(), 1);
}

#[test]
fn a_registry_in_trouble_is_left_alone_for_a_day_and_nobody_hears_of_it() {
    let registry = Registry::answering("500 Internal Server Error", "");
    let folder = TempDir::new().unwrap();
    let setting = setting(&folder, &registry.address);
    for command in 0..20 {
        assert_eq!(at_end(WELCOME, &setting, now() + command * HOUR_MS), None);
        eventually("the registry was asked", || registry.hits() == 1);
    }
    at_end(WELCOME, &setting, now() + 25 * HOUR_MS);
    eventually("a day later it is asked again", || registry.hits() == 2);
}

#[test]
fn a_black_hole_slows_no_command() {
    let (folder, (_listener, address)) = (TempDir::new().unwrap(), black_hole());
    let setting = setting(&folder, &address);
    let begin = Instant::now();
    for command in 0..15 {
        // Each in a week of its own, so that each wants to look.
        assert_eq!(at_end(WELCOME, &setting, now() + command * 8 * 24 * HOUR_MS), None);
    }
    // A look takes five seconds here, so whoever waited for each would take 75 s.
    assert!(begin.elapsed() < HANG, "{:?}", begin.elapsed());
}

#[test]
fn the_look_itself_ends_after_five_seconds() {
    let (folder, (_listener, address)) = (TempDir::new().unwrap(), black_hole());
    let begin = Instant::now();
    let output = Command::new(PROGRAM)
        .args([REFRESH_ARGUMENT.as_ref(), cache(&folder).as_os_str()])
        .env("SWITCHBACK_NOTICE_REGISTRY", address)
        .output()
        .unwrap();
    assert!(begin.elapsed() < HANG, "{:?}", begin.elapsed());
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
    assert!(!cache(&folder).exists(), "what was not learned is not remembered");
}

#[test]
fn rubbish_in_the_place_of_the_cache_is_silence() {
    let folder = TempDir::new().unwrap();
    let setting = Setting { program: None, ..setting(&folder, "http://127.0.0.1:9") };
    let path = cache(&folder);
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let huge = "9".repeat(1 << 20);
    for rubbish in ["", "{", "null", "[1]", "{\"latest\": 7}", "\u{1b}[2J\0", huge.as_str()] {
        std::fs::write(&path, rubbish).unwrap();
        assert_eq!(at_end(WELCOME, &setting, now()), None, "{rubbish:.20}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(at_end(WELCOME, &setting, now()), None);
    std::fs::remove_dir(&path).unwrap();
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert_eq!(at_end(WELCOME, &setting, now()), None, "a pipe does not hold it up");
}

#[test]
fn who_does_not_want_it_is_not_looked_after() {
    let (folder, registry) = (TempDir::new().unwrap(), Registry::answering("200 OK", NEWER));
    let wanted = setting(&folder, &registry.address);
    let off = Setting { interval: Duration::ZERO, ..wanted.clone() };
    assert_eq!(at_end(Reasons { welcome: false, ..WELCOME }, &wanted, now()), None);
    assert_eq!(at_end(Reasons { in_ci: true, ..WELCOME }, &wanted, now()), None);
    assert_eq!(at_end(Reasons { opted_out: true, ..WELCOME }, &wanted, now()), None);
    assert_eq!(at_end(WELCOME, &off, now()), None);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "not even a folder is made");
    assert_eq!(registry.hits(), 0);
}

#[test]
fn a_cache_that_cannot_be_written_starts_nothing() {
    let registry = Registry::answering("200 OK", NEWER);
    let setting = Setting {
        cache: Some(PathBuf::from("/dev/null/switchback/notice.json")),
        ..setting(&TempDir::new().unwrap(), &registry.address)
    };
    assert_eq!(at_end(WELCOME, &setting, now()), None);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(registry.hits(), 0);
}

#[test]
fn what_is_remembered_is_for_its_owner_only() {
    let (folder, registry) = (TempDir::new().unwrap(), Registry::answering("200 OK", NEWER));
    at_end(WELCOME, &setting(&folder, &registry.address), now());
    let path = cache(&folder);
    eventually("the answer is remembered", || has_answer(&path));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&path.with_extension("lock")), 0o600);
}
