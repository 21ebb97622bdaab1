//! An engine that this test has for itself: it may be pruned, killed and started again.

use std::{
    fs::File,
    ops::Deref,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use switchback_testkit::lab::{Lab, SpareEngine};

/// An engine with many containers was seen to need ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where this engine keeps what Switchback records.
const RECORDS: &str = "/var/lib/docker/volumes/switchback/_data";

/// Where it keeps everything: images, containers, volumes.
const ROOT: &str = "/var/lib/docker";

/// The spare engine, until this is dropped. Others who want it wait.
#[derive(Debug)]
pub(crate) struct Spare {
    machine: Machine,
    _alone: File,
}

/// What can be done to it. Unlike [`Spare`] it may be given to threads that outlive the test.
#[derive(Debug, Clone)]
pub(crate) struct Machine(SpareEngine);

impl Deref for Spare {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

/// Whatever a test has done to it, whoever is next finds it going.
impl Drop for Spare {
    fn drop(&mut self) {
        // A test that has failed because its engine is away says so itself.
        self.machine.try_signal_engine("CONT").ok();
    }
}

impl Spare {
    /// Waits until nobody else has it.
    #[track_caller]
    pub(crate) fn take() -> Self {
        let engine = Lab::spare().unwrap_or_else(|error| panic!("{error}"));
        let lock = File::create(&engine.lock).expect("a lock file beside the engine");
        lock.lock().expect("the lock");
        let spare = Self { machine: Machine(engine), _alone: lock };
        // A test that was killed may have left it standing still.
        spare.try_signal_engine("CONT").ok();
        spare.wait_until_it_answers();
        // Of a test that was killed.
        spare.leave_small_disk();
        spare
    }

    /// For those who let something happen to it.
    pub(crate) fn machine(&self) -> Machine {
        self.machine.clone()
    }
}

impl Machine {
    /// For `DOCKER_HOST`.
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// What a cron job somewhere does each night.
    pub(crate) fn prune(&self) -> String {
        self.docker(&["system", "prune", "--all", "--force", "--volumes"])
    }

    /// Ends the engine in the middle of what it does. It is started again at once, as by a service
    /// manager; containers live until then.
    pub(crate) fn kill_engine(&self) {
        self.signal_engine("KILL");
    }

    /// Stops the engine's process where it is; containers go on.
    pub(crate) fn freeze_engine(&self) {
        self.signal_engine("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw_engine(&self) {
        self.signal_engine("CONT");
    }

    fn signal_engine(&self, signal: &str) {
        self.try_signal_engine(signal).unwrap_or_else(|it| panic!("SIG{signal}: {it}"));
    }

    /// Ends everything on the engine's machine at once, and starts the machine again.
    pub(crate) fn restart_machine(&self) {
        self.lab(&["restart", "--time", "0", &self.0.container]);
    }

    /// Runs a command on its machine.
    #[track_caller]
    pub(crate) fn shell(&self, words: &str) -> String {
        self.try_shell(words).unwrap_or_else(|it| panic!("{words}: {it}"))
    }

    fn try_shell(&self, words: &str) -> Result<String, String> {
        docker(&self.0.lab, &["exec", &self.0.container, "/bin/sh", "-c", words])
    }

    /// Gives the records and snapshots a small file system of their own, empty, until this is dropped.
    #[track_caller]
    pub(crate) fn on_small_records(&self, size_mib: u32) -> SmallRecords {
        self.docker(&["volume", "create", "switchback"]);
        self.remove_anchor();
        self.shell(&format!("mount -t tmpfs -o size={size_mib}m switchback-test {RECORDS}"));
        SmallRecords(self.clone())
    }

    /// Whether the small file system takes writes.
    #[track_caller]
    pub(crate) fn records_take_writes(&self, takes: bool) {
        let how = if takes { "rw" } else { "ro" };
        self.shell(&format!("mount -o remount,{how} {RECORDS}"));
    }

    /// Leaves so much room on the small file system.
    #[track_caller]
    pub(crate) fn fill_records(&self, but_mib: u32) {
        let fill = format!("dd if=/dev/zero of={RECORDS}/filler bs=64k 2>/dev/null");
        self.shell(&format!("{fill}; truncate -s -{but_mib}M {RECORDS}/filler"));
    }

    /// Gives the room back.
    #[track_caller]
    pub(crate) fn clear_records(&self) {
        self.shell(&format!("rm {RECORDS}/filler"));
    }

    /// Starts the engine anew on a small file system of its own, with nothing on it, until this is
    /// dropped.
    #[track_caller]
    pub(crate) fn on_small_disk(&self, size_mib: u32) -> SmallDisk {
        self.remove_anchor();
        let mount = format!("mount -t tmpfs -o size={size_mib}m switchback-test {ROOT}");
        self.start_anew(&mount).unwrap_or_else(|it| panic!("{mount}: {it}"));
        self.wait_until_it_answers();
        SmallDisk(self.clone())
    }

    /// Leaves no room on the small file system: it has as many blocks as are in use.
    #[track_caller]
    pub(crate) fn fill_disk(&self) {
        let used = format!("$(df -k --output=used {ROOT} | tail -n 1)");
        // What is written in between makes that too few, and the kernel refuses.
        let shrink = format!("mount -o remount,size=$(echo {used})k {ROOT}");
        self.shell(&format!("for try in 1 2 3 4 5 6 7 8 9; do {shrink} && exit 0; done; exit 1"));
    }

    /// Gives it so much room.
    #[track_caller]
    pub(crate) fn grow_disk(&self, size_mib: u32) {
        self.shell(&format!("mount -o remount,size={size_mib}m {ROOT}"));
    }

    /// Back to the disk that it was on; does nothing if it is there.
    fn leave_small_disk(&self) {
        let is_small = format!("grep -q ' {ROOT} tmpfs ' /proc/mounts");
        if self.try_shell(&is_small).is_ok() {
            // What holds the small one goes first.
            let all = docker(self.url(), &["ps", "--all", "--quiet"]).unwrap_or_default();
            let arguments = ["rm", "--force"].into_iter().chain(all.lines());
            docker(self.url(), &arguments.collect::<Vec<_>>()).ok();
            self.start_anew(&format!("umount --lazy {ROOT}")).ok();
            self.wait_until_it_answers();
        }
    }

    /// Starts the engine anew after a change of what is mounted, of which it sees nothing while it runs.
    fn start_anew(&self, change: &str) -> Result<String, String> {
        self.try_signal_engine("STOP")?;
        let changed = self.try_shell(change);
        self.try_signal_engine("KILL")?;
        changed
    }

    /// It holds the file system that it was started on; the next command makes it again.
    fn remove_anchor(&self) {
        docker(self.url(), &["rm", "--force", "switchback-anchor"]).ok();
    }

    /// Waits for an engine that was killed.
    pub(crate) fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            assert!(Instant::now() < deadline, "the engine {} came back", self.url());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        docker(self.url(), &["version"]).is_ok()
    }

    /// A command to it.
    #[track_caller]
    pub(super) fn docker(&self, arguments: &[&str]) -> String {
        docker(self.url(), arguments).unwrap_or_else(|it| panic!("docker {arguments:?}: {it}"))
    }

    /// A command to the engine on which this one is a container.
    fn lab(&self, arguments: &[&str]) {
        docker(&self.0.lab, arguments).unwrap_or_else(|it| panic!("{arguments:?}: {it}"));
    }

    fn try_signal_engine(&self, signal: &str) -> Result<String, String> {
        self.try_shell(&format!("kill -{signal} $(cat /run/docker.pid)"))
    }
}

/// The small file system of the records.
#[derive(Debug)]
pub(crate) struct SmallRecords(Machine);

impl Drop for SmallRecords {
    fn drop(&mut self) {
        self.0.remove_anchor();
        // Without a panic: the test may be failing already.
        self.0.try_shell(&format!("umount --lazy {RECORDS}")).ok();
    }
}

/// The small file system of the engine itself.
#[derive(Debug)]
pub(crate) struct SmallDisk(Machine);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.0.leave_small_disk();
    }
}

fn docker(engine: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("docker");
    command.args(arguments).env("DOCKER_HOST", engine).stdin(Stdio::null());
    let output = command.output().map_err(|it| it.to_string())?;
    let text = |it: &[u8]| String::from_utf8_lossy(it).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
