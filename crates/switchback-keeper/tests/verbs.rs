//! The small verbs, and process 1.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop a test as tests do")]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Lab, fail, keeper, succeed};
use switchback_keeper::files;

fn put(path: &Path, content: &[u8]) -> std::process::Output {
    put_of(path, content.len(), content)
}

fn put_of(path: &Path, bytes: usize, content: &[u8]) -> std::process::Output {
    let mut command = keeper();
    command.arg("put").arg(path).arg(bytes.to_string());
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A refusal closes the pipe before all is written.
    drop(child.stdin.take().unwrap().write_all(content));
    child.wait_with_output().unwrap()
}

#[test]
fn what_is_put_can_be_got_listed_and_removed() {
    let lab = Lab::new();
    let path = lab.path("store/web/record.json");
    assert!(put(&path, b"first").status.success());
    assert!(put(&path, b"second").status.success());
    assert_eq!(succeed(keeper().arg("get").arg(&path)).stdout, b"second");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(lab.path("store")).unwrap().mode() & 0o777, 0o700);

    fs::write(lab.path("store/web/.unfinished-9"), b"left by a kill").unwrap();
    let listed = succeed(keeper().arg("list").arg(lab.path("store/web"))).stdout;
    let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!(listed["name"], "record.json");
    assert_eq!((&listed["kind"], &listed["bytes"]), (&"file".into(), &6.into()));
}

#[test]
fn an_input_that_is_too_large_replaces_nothing() {
    let lab = Lab::new();
    let path = lab.path("store/record");
    assert!(put(&path, b"small").status.success());
    let limit = usize::try_from(files::PUT_LIMIT_BYTES).unwrap();
    assert!(put(&path, &vec![b'x'; limit]).status.success());
    let refused = put(&path, &vec![b'y'; limit + 1]);
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(fs::metadata(&path).unwrap().len(), files::PUT_LIMIT_BYTES);
    assert_eq!(fs::read_dir(lab.path("store")).unwrap().count(), 1, "no rest lies about");
}

#[test]
fn an_input_that_breaks_off_replaces_nothing() {
    let lab = Lab::new();
    let path = lab.path("store/record");
    assert!(put(&path, b"whole").status.success());
    for part in [&b""[..], b"a par"] {
        let refused = put_of(&path, 6, part);
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }
    assert_eq!(fs::read_dir(lab.path("store")).unwrap().count(), 1, "no rest lies about");
}

#[test]
fn what_is_not_there_is_an_error_with_its_number() {
    let lab = Lab::new();
    for verb in ["get", "list"] {
        let (code, error) = fail(keeper().arg(verb).arg(lab.path("nothing")));
        assert_eq!((code, &error["errno"]), (1, &2.into()), "{verb}");
    }
}

#[test]
fn only_what_lies_below_the_store_is_removed() {
    for path in [
        "/etc/nothing-of-ours",
        "/switchback",
        "/switchback/",
        "/switchback/../etc",
        "switchback/x",
    ] {
        let (code, error) = fail(keeper().args(["remove", path]));
        assert_eq!(code, 3, "{path}");
        assert_eq!(error["what"], "only what lies below /switchback may be removed");
    }
}

#[test]
fn removing_follows_no_link_and_can_be_repeated() {
    let lab = Lab::new();
    let store = lab.path("store");
    fs::create_dir_all(store.join("old/tree")).unwrap();
    fs::write(store.join("old/tree/file"), b"x").unwrap();
    fs::write(lab.data().join("precious"), b"x").unwrap();
    symlink(lab.data(), store.join("old/link")).unwrap();
    symlink(lab.data(), store.join("away")).unwrap();

    let through_a_link = files::remove(&store, &store.join("away/precious"));
    assert_eq!(through_a_link.unwrap_err().exit_code(), 1);
    files::remove(&store, &store.join("old")).unwrap();
    files::remove(&store, &store.join("old")).unwrap();
    files::remove(&store, &store.join("away")).unwrap();
    assert_eq!(fs::read_dir(&store).unwrap().count(), 0);
    assert!(lab.data().join("precious").exists());
}

#[test]
fn a_command_line_that_makes_no_sense_is_said_to_make_none() {
    let cases: [&[&str]; 10] = [
        &[],
        &["dance"],
        &["put"],
        &["put", "/a"],
        &["put", "/a", "many"],
        &["get", "/a", "/b"],
        &["snapshot", "--mount", "a=/a", "--at", "now"],
        &["usage", "--mount", "../a=/a"],
        &["usage", "--mount", "a=/a", "--mount", "a=/b"],
        &["usage", "--mount", "a=/a", "--exclude", "a=../b"],
    ];
    for case in cases {
        let (code, error) = fail(keeper().args(case));
        assert_eq!(code, 2, "{case:?}: {error}");
    }
}

/// Waits for `child` at most two seconds.
fn ends(child: &mut Child) -> Option<std::process::ExitStatus> {
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        sleep(Duration::from_millis(10));
    }
    None
}

fn children(of: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "it did not happen in 5 s");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn process_1_reaps_orphans_and_ends_at_once_when_told() {
    let program = keeper().get_program().to_owned();
    let mut namespace = Command::new("unshare");
    let mut namespace = namespace
        .args(["--pid", "--fork", "--kill-child"])
        .arg(program)
        .arg("hold")
        .spawn()
        .unwrap();
    let hold = eventually(|| children(namespace.id()).first().copied());
    let name = || fs::read_to_string(format!("/proc/{hold}/comm")).unwrap();
    eventually(|| name().starts_with("switchback-keep").then_some(()));

    // An orphan of the namespace becomes a child of its process 1, ends, and must be reaped.
    let mut enter = Command::new("nsenter");
    enter.args(["--target", &hold.to_string(), "--pid", "sh", "-c", "sleep 0.3 >&2 & exit 0"]);
    assert!(enter.stderr(Stdio::null()).status().unwrap().success());
    assert_eq!(children(hold).len(), 1, "the orphan has come to process 1");
    eventually(|| children(hold).is_empty().then_some(()));

    let pid = rustix::process::Pid::from_raw(i32::try_from(hold).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = ends(&mut namespace);
    if status.is_none() {
        namespace.kill().unwrap();
    }
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

#[test]
fn holding_costs_nothing_and_an_interrupt_ends_it() {
    let mut hold = keeper().arg("hold").spawn().unwrap();
    sleep(Duration::from_millis(300));
    let stat = fs::read_to_string(format!("/proc/{}/stat", hold.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    assert_eq!(fields[0], "S", "it sleeps");
    assert_eq!((fields[11], fields[12]), ("0", "0"), "it has used no processor time");
    let pid = rustix::process::Pid::from_child(&hold);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(ends(&mut hold).is_some_and(|status| status.success()));
}
