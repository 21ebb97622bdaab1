//! What the store promises, shown whole.

mod claim;
mod crash;
mod damage;
mod deployments;
mod full_disk;
mod journal;
mod migrating;
mod opening;
mod operations;
mod places;
mod power_cut;
mod quarantine;
mod releases;
mod scale;
mod sharing;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::Finish;
use super::Mode;
use super::NewOperation;
use super::Store;

/// A new store in a folder of its own, which goes with the first value.
fn fresh() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state"), Mode::Create).unwrap();
    (dir, store)
}

/// An update of `web` that Ada began.
fn update(id: &str, started_at: u64) -> NewOperation {
    NewOperation {
        id: id.to_owned(),
        deployment: "web".to_owned(),
        target_key: "container:7f3a".to_owned(),
        action: "update".to_owned(),
        trigger: "manual".to_owned(),
        user: "ada".to_owned(),
        host: "laptop".to_owned(),
        pid: 4711,
        command_line: "switchback update web".to_owned(),
        started_at,
    }
}

fn committed(finished_at: u64) -> Finish {
    Finish {
        finished_at,
        outcome: "committed".to_owned(),
        exit_code: 0,
        error_code: None,
        result_json: r#"{"outcome":"committed"}"#.to_owned(),
        related: None,
    }
}

/// The names in a folder, sorted.
fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A small file system of the test's own. Mounting takes root or its capability; without it these
/// tests fail and say so, since nothing else fills up or turns read-only for root too.
struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    fn new(size_kib: u32) -> Self {
        let disk = Self { dir: tempfile::tempdir().unwrap() };
        disk.run("mount", &["-t", "tmpfs", "-o", &format!("size={size_kib}k"), "switchback-test"]);
        disk
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn remount(&self, access: &str) {
        self.run("mount", &["-o", &format!("remount,{access}")]);
    }

    /// Leaves not a single free byte; removing the file that is returned gives all of it back.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for _ in 0..2 {
            let full = std::iter::repeat_with(|| std::io::Write::write_all(&mut file, &[1; 4096]))
                .find_map(Result::err)
                .unwrap();
            assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
            // What a store removed when it was closed may become free only now (see `run`).
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        path
    }

    /// Tries for two seconds: a test beside this one that starts a program has, between its fork
    /// and its exec, our open files too, and a file system with one of them does not turn read-only.
    fn run(&self, program: &str, arguments: &[&str]) {
        let mut said = String::new();
        for _ in 0..100 {
            let output = Command::new(program).args(arguments).arg(self.path()).output().unwrap();
            if output.status.success() {
                return;
            }
            said = String::from_utf8_lossy(&output.stderr).into_owned();
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("this test needs the right to mount a tmpfs (run it as root): {said}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever is still open must not keep the folder from being removed.
        drop(Command::new("umount").arg("--lazy").arg(self.path()).output());
    }
}
