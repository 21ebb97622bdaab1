//! Stores that cannot be used: each is named with its cause and the next command, and left as it is.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use crate::common::{
    World,
    disk::SmallDisk,
    process::{Output, Running},
    proxy::{Moment, Proxy},
};

/// Nobody's number on every Linux.
const NOBODY: u32 = 65_534;

/// All that needs the store, those that change something first.
const COMMANDS: [&[&str]; 9] = [
    &["update", "web", "-y"],
    &["rollback", "web", "-y"],
    &["recover", "-y"],
    &["adopt", "web", "-y"],
    &["forget", "web", "-y"],
    &["quarantine", "web", "add", "latest"],
    &["check"],
    &["plan", "web"],
    &["status", "web"],
];

/// A service that was updated to 1.1.0, with 1.2.0 to be had.
fn updated(name: &str) -> World {
    let world = World::new(name);
    world.publish("1.0.0", &[]);
    world.start_service();
    world.publish("1.1.0", &[]);
    world.run(&["update", "web", "-y"]).exits(0).says("1.1.0");
    world.publish("1.2.0", &[]);
    world
}

/// What must not change: the container, what we made, and each file of the store.
fn picture(world: &World, folder: &Path) -> (String, Vec<String>, BTreeMap<PathBuf, Vec<u8>>) {
    let service = world.service();
    let container = format!("{} {}", service["Id"], service["State"]["StartedAt"]);
    let files = fs::read_dir(folder).expect("the folder of the store can be read");
    let files = files.map(|it| it.expect("an entry can be read").path());
    let contents = files.map(|it| (it.clone(), fs::read(&it).unwrap_or_default()));
    // A reader makes the files of the log too; an empty one says nothing.
    let ending = |it: &Path, ending: &str| it.extension().is_some_and(|it| it == ending);
    let contents = contents.filter(|(path, bytes)| {
        !ending(path, "db-shm") && (!ending(path, "db-wal") || !bytes.is_empty())
    });
    (container, world.temporary_containers(), contents.collect())
}

/// Holds an error to what people need, and returns the command that it tells to type.
#[track_caller]
fn hint(output: Output, error: &str) -> String {
    let document = output.exits(1).has("/error/code", error).json();
    let text = |key: &str| document["error"][key].as_str().unwrap_or_default().to_owned();
    let message = text("message");
    assert!(!message.is_empty() && !message.contains("Error code"), "{message}");
    assert!(!text("hint").is_empty(), "{document}");
    text("hint")
}

/// Each command fails with that error, by `run`, and nothing changes; returns the last hint.
#[track_caller]
fn refuses(world: &World, folder: &Path, error: &str, run: impl Fn(&[&str]) -> Output) -> String {
    let before = picture(world, folder);
    let mut last = String::new();
    for command in COMMANDS {
        last = hint(run(&[command, &["-o", "json"]].concat()), error);
        let after = picture(world, folder);
        assert_eq!((&after.0, &after.1), (&before.0, &before.1), "{command:?}");
        let names = |it: &BTreeMap<PathBuf, Vec<u8>>| it.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after.2), names(&before.2), "{command:?}");
        assert!(after.2 == before.2, "{command:?} has changed a file of the store");
    }
    last
}

#[test]
fn a_damaged_store_is_left_alone_and_rebuilt_by_the_printed_command() {
    let world = updated("damaged");
    let folder = world.state("state");
    let database = folder.join("switchback.db");
    let whole = fs::read(&database).expect("a store");
    let noise: Vec<u8> =
        (0..=u8::MAX).cycle().take(whole.len()).map(|it| it.wrapping_mul(31)).collect();
    let cut = |at: usize| whole[..at.min(whole.len() - 1)].to_vec();
    let mut printed = String::new();
    for content in [Vec::new(), noise, b"notes\n".to_vec(), cut(50), cut(4096), cut(20_000)] {
        for name in ["switchback.db-wal", "switchback.db-shm"] {
            fs::remove_file(folder.join(name)).ok();
        }
        fs::write(&database, &content).expect("the store is damaged");
        printed = refuses(&world, &folder, "store_unusable", |it| world.run(it));
    }
    let (_, command) = printed.split_once("mv ").expect("it says how to set it aside");
    let command = format!("mv {command}");
    let words = world.command("state", world.lab.engine_url(), &[]);
    let environment = words.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).env_clear().envs(environment);
    let _aside = Running::spawn(shell).wait().exits(0);
    world.run(&["adopt", "--take-over", "web", "-y"]).exits(0);
    world.run(&["rollback", "web", "-y"]).exits(0).says("1.0.0");
    assert_eq!(world.serving(), "1.0.0");
}

#[test]
fn a_store_of_a_newer_version_is_refused_by_its_version() {
    let world = updated("newer");
    let folder = world.state("state");
    let database = rusqlite::Connection::open(folder.join("switchback.db")).expect("a store");
    let raise = "UPDATE store_meta SET value = '9' WHERE name = 'schema_version';
                 UPDATE store_meta SET value = '4.2.0' WHERE name = 'written_by';";
    database.execute_batch(raise).expect("its format is raised");
    drop(database);
    let next = refuses(&world, &folder, "store_too_new", |it| world.run(it));
    assert!(next.starts_with("install Switchback 4.2.0 or newer"), "{next}");
    world.run(&["history"]).exits(1).says("has format 9, written by Switchback 4.2.0");
}

#[test]
fn a_full_disk_stops_an_update_before_it_begins() {
    let world = updated("storefull");
    let disk = SmallDisk::new(4_096);
    let store = world.state("state").join("switchback.db");
    // The log is in the file once the last program has closed it.
    fs::copy(store, disk.path().join("switchback.db")).expect("the store is moved");
    let filler = disk.fill();
    let run = |arguments: &[&str]| {
        let mut command = world.command("state", world.lab.engine_url(), arguments);
        command.env("SWITCHBACK_STATE", disk.path());
        Running::spawn(command).wait()
    };
    let next = refuses(&world, disk.path(), "no_space", run);
    assert!(next.contains("df -h"), "{next}");

    // Room enough to look, and not for what an update sets aside.
    fs::write(&filler, vec![1; 3_300 << 10]).expect("a smaller filler");
    let update = run(&["update", "web", "-y", "-o", "json"]);
    let update = update.exits(1).has("/error/code", "no_space").has("/outcome", "failed");
    assert!(update.json()["error"]["message"].to_string().contains("reserve"), "{update}");
    assert_eq!(world.serving(), "1.1.0");

    fs::remove_file(filler).expect("the disk has room again");
    run(&["update", "web", "-y"]).exits(0).says("1.2.0");
}

/// The program as another user: root can write everywhere.
struct Nobody<'a> {
    world: &'a World,
    program: PathBuf,
    proxy: Proxy,
}

impl<'a> Nobody<'a> {
    /// Gives the store and a way to the engine to that user.
    fn new(world: &'a World) -> Self {
        let folder = world.folder.path();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode is set");
        };
        mode(folder, 0o755);
        let program = folder.join("switchback");
        fs::copy(env!("CARGO_BIN_EXE_switchback"), &program).expect("the program is copied");
        let store = world.state("state");
        for name in ["", "switchback.db", "switchback.db-wal", "switchback.db-shm", "reserve"] {
            chown(store.join(name), Some(NOBODY), Some(NOBODY)).ok();
        }
        let socket = folder.join("engine.sock");
        let never = (0, Moment::HeldBack, Signal::TERM);
        let proxy = Proxy::start(&socket, world.lab.engine_url(), never);
        mode(&socket, 0o666);
        let quiet = fs::read(world.lab.docker_config().join("config.json")).unwrap_or_default();
        fs::create_dir(folder.join(".docker")).expect("a folder");
        fs::write(folder.join(".docker/config.json"), quiet).expect("a file");
        Self { world, program, proxy }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let ours = self.world.command("state", &self.proxy.url, arguments);
        let environment = ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut command = Command::new("setpriv");
        let user = format!("{NOBODY}");
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(&self.program);
        command.args(arguments).env_clear().envs(environment);
        command.env("DOCKER_CONFIG", self.world.folder.path().join(".docker"));
        let running = Running::spawn(command);
        self.proxy.watch(running.pid());
        running.wait()
    }
}

#[test]
fn a_store_that_its_user_may_not_write_is_read_and_not_used() {
    let world = updated("storero");
    let nobody = Nobody::new(&world);
    nobody.run(&["history"]).exits(0).says("1.1.0");
    let folder = world.state("state");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode is set");
    };

    mode(&folder, 0o555);
    let next = refuses(&world, &folder, "store_unusable", |it| nobody.run(it));
    assert!(next.starts_with(&format!("ls -ld {} ", folder.display())), "{next}");
    // Who only looks is told, and sees.
    for command in [&["history"][..], &["status"]] {
        nobody.run(command).exits(0).says("Warning: the store is only read").says("1.1.0");
    }

    mode(&folder, 0o755);
    mode(&folder.join("switchback.db"), 0o400);
    let next = refuses(&world, &folder, "store_unusable", |it| nobody.run(it));
    assert!(next.contains("switchback.db "), "{next}");

    mode(&folder, 0o000);
    let said = nobody.run(&["status", "-o", "json"]);
    assert!(hint(said, "store_unusable").contains("--state DIR"));
    mode(&folder, 0o755);
    mode(&folder.join("switchback.db"), 0o600);
    // The log that was made meanwhile may not be written either, and is named.
    let next = hint(nobody.run(&["update", "web", "-y", "-o", "json"]), "store_unusable");
    assert!(next.contains("ls -ld") && next.contains("switchback.db-"), "{next}");
    for name in ["switchback.db-wal", "switchback.db-shm"] {
        mode(&folder.join(name), 0o600);
    }
    nobody.run(&["update", "web", "-y"]).exits(0).says("1.2.0");
}
