//! The power is cut after each write and each sync of the disk that the keeper works on; what such a
//! disk leaves is mounted again, and looked at.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop a test as tests do")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use common::{Lab, Tree, assert_same, keeper, look, set_attribute};
use switchback_testkit::disk::{Contents, Fate, FileSystem, Found};

/// Where a record lies.
const RECORD: &str = "web/state.json";

/// Larger than a sector and than a block, so that it can arrive in part.
const RECORD_BYTES: usize = 9_000;

/// The disk at one moment.
struct Cut {
    contents: Contents,
    /// Whether the program had said that it was done.
    is_done: bool,
}

/// Every moment at which the disk changes while `act` is at work, and the one after it.
fn cuts(on: &FileSystem, act: impl FnOnce()) -> Vec<Cut> {
    // What was made before is not what is being tested.
    rustix::fs::syncfs(File::open(on.path()).unwrap()).unwrap();
    let all = Arc::<Mutex<Vec<Cut>>>::default();
    let seen = Arc::clone(&all);
    on.disk().watch(Some(Box::new(move |contents| {
        let contents = contents.for_a_power_cut();
        seen.lock().unwrap().push(Cut { contents, is_done: false });
    })));
    act();
    on.disk().watch(None);
    let mut all = std::mem::take(&mut *all.lock().unwrap());
    all.push(Cut { contents: on.disk().contents().for_a_power_cut(), is_done: true });
    all
}

/// What can become of what was not synced: nothing of it arrives, all of it, or some of it, in other
/// ways at each cut. With `SWITCHBACK_SWEEP=full` in the environment, in eight more.
fn fates(number: usize) -> Vec<Fate> {
    let is_full = std::env::var("SWITCHBACK_SWEEP").is_ok_and(|it| it == "full");
    let torn = (0..if is_full { 9 } else { 1 }).map(|it| Fate::Torn(number as u64 + 1000 * it));
    [Fate::Lost, Fate::Kept].into_iter().chain(torn).collect()
}

/// What `judge` finds wrong with what each cut leaves, which it gets mounted.
fn sweep(cuts: &[Cut], judge: impl Fn(&Path, bool) -> Result<(), String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut tried_syncs = None;
    for (number, cut) in cuts.iter().enumerate() {
        // Between two syncs, the same arrives for certain.
        let is_tried = tried_syncs.replace(cut.contents.syncs()) == Some(cut.contents.syncs());
        for fate in fates(number) {
            if fate == Fate::Lost && is_tried && !cut.is_done {
                continue;
            }
            let judged = Found::mount(&cut.contents, fate)
                .map_err(|it| format!("cannot mount: {it}"))
                .and_then(|found| judge(found.path(), cut.is_done));
            if let Err(problem) = judged {
                wrong.push(format!("operation {number} of {}, {fate:?}: {problem}", cuts.len()));
            }
        }
    }
    wrong
}

#[track_caller]
fn assert_none(wrong: &[String], cuts: &[Cut]) {
    let tried = cuts.len();
    assert!(wrong.is_empty(), "{} of {tried} cuts:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 5, "only {tried} operations of the disk were seen");
}

fn record(of: u8) -> Vec<u8> {
    vec![of; RECORD_BYTES]
}

/// `put` of the program, with `content` as its input.
fn put(root: &Path, content: &[u8]) {
    let mut command = keeper();
    command.arg("put").arg(root.join(RECORD)).arg(content.len().to_string());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    assert!(child.wait().unwrap().success());
}

/// The old record or the new one, whole; once it was acknowledged, the new one.
fn judge_record(root: &Path, old: Option<&[u8]>, is_done: bool) -> Result<(), String> {
    let found = fs::read(root.join(RECORD)).ok();
    let found = found.as_deref();
    let is_new = found == Some(&record(b'n'));
    if is_new || !is_done && found == old {
        return Ok(());
    }
    let what = match found {
        None => "nothing".to_owned(),
        Some(_) if found == old => "the old record".to_owned(),
        Some(it) => format!("neither record, but {} bytes", it.len()),
    };
    Err(format!("there is {what} (acknowledged: {is_done})"))
}

#[test]
fn a_put_leaves_the_old_record_or_the_new_one_and_what_was_acknowledged_stays() {
    let on = FileSystem::mount().expect("FUSE, loop devices and the right to mount (be root)");
    let first = cuts(&on, || put(on.path(), &record(b'n')));
    let wrong = sweep(&first, |root, is_done| judge_record(root, None, is_done));
    assert_none(&wrong, &first);

    put(on.path(), &record(b'o'));
    let second = cuts(&on, || put(on.path(), &record(b'n')));
    let wrong = sweep(&second, |root, is_done| {
        judge_record(root, Some(&record(b'o')), is_done)?;
        // What the cut left half-written stands in nobody's way.
        put(root, &record(b'n'));
        judge_record(root, None, true)
    });
    assert_none(&wrong, &second);
}

/// Otherwise the sweep over `put` would prove nothing.
#[test]
fn a_put_on_a_disk_that_only_says_that_it_has_synced_is_seen() {
    let on = FileSystem::mount().unwrap();
    put(on.path(), &record(b'o'));
    let lying = cuts(&on, || {
        on.disk().lies();
        put(on.path(), &record(b'n'));
    });
    let wrong = sweep(&lying, |root, is_done| judge_record(root, Some(&record(b'o')), is_done));
    assert!(wrong.iter().any(|it| it.contains("acknowledged: true")), "{wrong:?}");
}

#[test]
fn a_put_that_does_not_sync_is_seen() {
    let on = FileSystem::mount().unwrap();
    put(on.path(), &record(b'o'));
    let unsynced = cuts(&on, || {
        fs::write(on.path().join("beside"), record(b'n')).unwrap();
        fs::rename(on.path().join("beside"), on.path().join(RECORD)).unwrap();
    });
    let wrong = sweep(&unsynced, |root, is_done| judge_record(root, Some(&record(b'o')), is_done));
    assert!(wrong.iter().any(|it| it.contains("acknowledged: true")), "{wrong:?}");
}

/// Data of a service: files of some blocks, a second name, an attribute, a link, a folder.
fn fill(data: &Path) {
    fs::create_dir_all(data.join("below/empty")).unwrap();
    for number in 0..6_u8 {
        fs::write(data.join(format!("below/file-{number}")), vec![number; 5_000]).unwrap();
    }
    fs::hard_link(data.join("below/file-1"), data.join("second name")).unwrap();
    std::os::unix::fs::symlink("below", data.join("link")).unwrap();
    set_attribute(&data.join("below/file-2"), "user.note", b"kept");
}

/// What a failed version does to it.
fn scramble(data: &Path) {
    fs::write(data.join("below/file-0"), vec![99; 5_000]).unwrap();
    fs::write(data.join("below/file-1"), b"shorter").unwrap();
    fs::remove_file(data.join("below/file-3")).unwrap();
    fs::remove_dir(data.join("below/empty")).unwrap();
    fs::write(data.join("below/empty"), vec![98; 3_000]).unwrap();
    fs::create_dir(data.join("new")).unwrap();
    fs::write(data.join("new/file"), vec![97; 4_000]).unwrap();
}

fn lab_on(on: &FileSystem) -> Lab {
    let lab = Lab::below(on.path());
    fs::create_dir(lab.data()).unwrap();
    fill(&lab.data());
    lab
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(format!("the program ended with: {said}"))
}

fn same(what: &str, found: &Path, expected: &Tree) -> Result<(), String> {
    let is_same = found.is_dir() && look(found) == *expected;
    is_same.then_some(()).ok_or_else(|| format!("{what} is not what it has to be"))
}

/// A manifest says that all of it is there; without one, it can be taken again.
fn judge_snapshot(root: &Path, data: &Tree, is_done: bool) -> Result<(), String> {
    let lab = Lab::below(root);
    same("the data of the service", &lab.data(), data)?;
    let is_declared = lab.path("store/web/op1/manifest.json").exists();
    if is_declared {
        same("the declared snapshot", &lab.saved(), data)?;
    } else if is_done {
        return Err("the snapshot that was acknowledged is lost".to_owned());
    }
    run(&mut lab.snapshot_command(&[]))?;
    same("the snapshot taken again", &lab.saved(), data)
}

#[test]
fn a_snapshot_with_a_manifest_is_whole_and_one_without_is_taken_again() {
    let on = FileSystem::mount().unwrap();
    let lab = lab_on(&on);
    let data = look(&lab.data());
    let cuts = cuts(&on, || drop(lab.snapshot(&[])));
    assert_none(&sweep(&cuts, |root, is_done| judge_snapshot(root, &data, is_done)), &cuts);
}

#[test]
fn a_snapshot_on_a_disk_that_only_says_that_it_has_synced_is_seen() {
    let on = FileSystem::mount().unwrap();
    let lab = lab_on(&on);
    let data = look(&lab.data());
    let cuts = cuts(&on, || {
        on.disk().lies();
        lab.snapshot(&[]);
    });
    // Nothing of the rest is needed: what was acknowledged is gone.
    let wrong = sweep(&cuts[cuts.len() - 1..], |root, it| judge_snapshot(root, &data, it));
    assert!(wrong.iter().any(|it| it.contains("acknowledged is lost")), "{wrong:?}");
}

/// Once it was acknowledged, the data is restored; before that, it can be done again.
fn judge_restore(root: &Path, trees: (&Tree, &Tree), is_done: bool) -> Result<(), String> {
    let lab = Lab::below(root);
    let (good, failed) = trees;
    same("the snapshot", &lab.saved(), good)?;
    if is_done {
        same("the restored data", &lab.data(), good)?;
        same("what was set aside", &lab.aside(), failed)?;
    }
    run(&mut lab.restore_command())?;
    same("the data restored again", &lab.data(), good)?;
    same("what was set aside, after that", &lab.aside(), failed)
}

/// A file system with a snapshot, and data that a failed version has changed since; both trees.
fn failed(on: &FileSystem) -> (Lab, Tree, Tree) {
    let lab = lab_on(on);
    let good = look(&lab.data());
    lab.snapshot(&[]);
    scramble(&lab.data());
    let failed = look(&lab.data());
    (lab, good, failed)
}

#[test]
fn a_restore_that_was_cut_is_done_again_and_what_it_replaces_is_not_lost() {
    let on = FileSystem::mount().unwrap();
    let (lab, good, failed) = failed(&on);
    let cuts = cuts(&on, || drop(lab.restore()));
    assert_same(&look(&lab.data()), &good);
    let judge = |root: &Path, is_done| judge_restore(root, (&good, &failed), is_done);
    assert_none(&sweep(&cuts, judge), &cuts);
}

#[test]
fn a_restore_on_a_disk_that_only_says_that_it_has_synced_is_seen() {
    let on = FileSystem::mount().unwrap();
    let (lab, good, failed) = failed(&on);
    let cuts = cuts(&on, || {
        on.disk().lies();
        lab.restore();
    });
    let judge = |root: &Path, it| judge_restore(root, (&good, &failed), it);
    let wrong = sweep(&cuts[cuts.len() - 1..], judge);
    assert!(wrong.iter().any(|it| it.contains("the restored data")), "{wrong:?}");
}
