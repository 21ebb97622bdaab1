//! Snapshot and restore, beside `tar` on the same files.

use std::{
    fs::File,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::{
    table::{Goal, Samples, Table},
    tree::{Tree, dress},
};

/// 20,000 files of 50 KiB are one gigabyte.
const FILES: usize = 20_000;
const FILE_BYTES: usize = 50 * 1024;

pub(crate) fn measure(table: &mut Table, runs: usize) {
    let keeper = std::env::var("SWITCHBACK_BENCH_KEEPER").expect("run scripts/bench");
    // On a real disk; a folder in memory would measure nothing.
    let place = std::env::var("SWITCHBACK_BENCH_FOLDER").map_or_else(|_| ".".into(), PathBuf::from);
    let folder = tempfile::tempdir_in(place).unwrap();
    let data = folder.path().join("data");
    make(&data);
    let original = Tree::look(&data);
    // Else nobody would notice that they were lost.
    assert!(original.oddities().iter().all(|it| *it > 0), "{:?}", original.oddities());
    let archive = folder.path().join("data.tar");
    let mut ratios = [Samples::default(), Samples::default(), Samples::default()];
    let mut memory_mb = Samples::default();
    for run in 0..runs {
        let (store, unpacked) =
            (folder.path().join("store"), folder.path().join(format!("unpacked{run}")));
        fs_err::create_dir(&store).unwrap();
        fs_err::create_dir(&unpacked).unwrap();
        // Each has a name of its own, as an operation has: see `durable::spread` of the keeper.
        let snapshot = store.join(format!("one{run}"));
        let tar = || archived(&data, &archive);
        let ours = || run_keeper(&keeper, "snapshot", &["--to", text(&snapshot)], &data);
        // Which comes first finds a colder cache: they take turns.
        let (tar, (seconds, mb)) = if run % 2 == 0 {
            let tar = tar();
            (tar, ours())
        } else {
            let ours = ours();
            (tar(), ours)
        };
        ratios[0].push(seconds / tar);
        memory_mb.push(mb);
        let untar = unpack(&archive, &unpacked);
        for (at, change) in [(1, touch as fn(&Path)), (2, rewrite)] {
            change(&data);
            let aside = store.join(format!("aside{run}-{at}"));
            let words = ["--from", text(&snapshot), "--aside", text(&aside)];
            let (seconds, mb) = run_keeper(&keeper, "restore", &words, &data);
            Tree::look(&data).assert_is(&original);
            ratios[at].push(seconds / untar);
            memory_mb.push(mb);
        }
        // Whoever copies less has less to do.
        Tree::look(&unpacked).assert_is(&original);
        for it in [store, unpacked] {
            fs_err::remove_dir_all(it).unwrap();
        }
        fs_err::remove_file(&archive).unwrap();
    }
    // Each was compared with the original: metadata, attributes, access lists, holes, links, content.
    let what = "snapshot of 1 GB in 20,000 files / tar to a file, synced";
    table.line(what, "x", Goal::AtMost(1.3), &ratios[0]);
    let what = "restore of it, one file changed / tar from that file, synced";
    table.line(what, "x", Goal::AtMost(1.3), &ratios[1]);
    // All that the new version wrote is set aside first.
    let what = "  the same where every file was written anew";
    table.line(what, "x", Goal::AtMost(1.3), &ratios[2]);
    table.line("  peak memory", "MB", Goal::AtMost(80.0), &memory_mb);
}

fn archived(data: &Path, archive: &Path) -> f64 {
    let words = ["--create", "--xattrs", "--acls", "--sparse", "--file", text(archive)];
    let seconds = timed("tar", &[&words[..], &["--directory", text(data), "."]].concat());
    seconds + timed("sync", &["-f", text(archive)])
}

fn unpack(archive: &Path, to: &Path) -> f64 {
    let words = ["--extract", "--xattrs", "--acls", "--sparse", "--file", text(archive)];
    let seconds = timed("tar", &[&words[..], &["--directory", text(to)]].concat());
    seconds + timed("sync", &["-f", text(to)])
}

fn make(data: &Path) {
    // What is unpacked beside it is not put where something was removed a moment ago.
    let beside = data.parent().expect("it is in a folder");
    drop(Command::new("chattr").arg("+T").arg(beside).output());
    fill(data, 7);
    for number in 0..FILES {
        let folder = data.join(format!("{:03}", number / 100));
        let path = folder.join(format!("{number}"));
        match number % 100 {
            // Hard links, symbolic links and holes are in real data too.
            97 => fs_err::hard_link(folder.join(format!("{}", number - 1)), path).unwrap(),
            98 => symlink("0", path).unwrap(),
            99 => File::create(path).unwrap().set_len(1 << 20).unwrap(),
            // Attributes and access lists too.
            0 | 50 => dress(&path, u32::try_from(number).unwrap()),
            _ => {}
        }
    }
}

/// Changes one file, or a restore that does nothing would do.
fn touch(data: &Path) {
    fs_err::write(data.join("000").join("1"), "changed").unwrap();
}

/// Changes all of them.
fn rewrite(data: &Path) {
    fill(data, 8);
}

/// Writes all plain files.
fn fill(data: &Path, with: u8) {
    let content = vec![with; FILE_BYTES];
    for number in (0..FILES).filter(|it| it % 100 < 97) {
        let folder = data.join(format!("{:03}", number / 100));
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join(format!("{number}")), &content).unwrap();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn timed(program: &str, words: &[&str]) -> f64 {
    let began = Instant::now();
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    began.elapsed().as_secs_f64()
}

/// Seconds, and the most memory that it had, by GNU time.
fn run_keeper(keeper: &str, verb: &str, words: &[&str], data: &Path) -> (f64, f64) {
    let mount = format!("data={}", text(data));
    let began = Instant::now();
    let output = Command::new("/usr/bin/time")
        .args(["--format", "peak %M", keeper, verb])
        .args(words)
        .args(["--at", "2026-01-01T00:00:00Z", "--mount", &mount])
        .output()
        .unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{verb}: {said}");
    let peak = said.lines().rev().find_map(|it| it.strip_prefix("peak ")).unwrap();
    (seconds, peak.parse::<f64>().unwrap() / 1024.0)
}
