//! A disk that forgets at a power cut what was not synced, and that can fill up or fail at any sync.
//!
//! It is mounted by FUSE, which takes `/dev/fuse` and the right to mount, and has one folder. What is
//! on it can be looked at in the middle of each request, while the program that asked waits.

mod contents;
mod file_system;
mod mounted;

use std::{
    fmt, io,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use contents::{Contents, Fate};
pub use file_system::{FileSystem, Found};
use fuser::{BackgroundSession, Config, Errno, MountOption};
use mounted::Mounted;

/// What every request meets that would put something on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No space is left.
    Full,
    /// The disk fails.
    Ill,
}

impl Trouble {
    fn errno(self) -> Errno {
        match self {
            Self::Full => Errno::ENOSPC,
            Self::Ill => Errno::EIO,
        }
    }
}

/// Called after each request that has changed something.
type Watcher = Box<dyn FnMut(&Contents) + Send>;

#[derive(Default)]
struct Shared {
    contents: Contents,
    /// From which sync on.
    trouble: Option<(usize, Trouble)>,
    watcher: Option<Watcher>,
}

impl Shared {
    fn trouble(&self) -> Option<Errno> {
        let (from, trouble) = self.trouble?;
        (self.contents.syncs >= from).then(|| trouble.errno())
    }

    fn is_ill(&self) -> bool {
        let ill = |it: &(usize, Trouble)| it.1 == Trouble::Ill && self.contents.syncs >= it.0;
        self.trouble.as_ref().is_some_and(ill)
    }

    fn changed(&mut self) {
        if let Some(watcher) = &mut self.watcher {
            watcher(&self.contents);
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mounted disk; dropped, it is gone with all that was on it.
pub struct Disk {
    shared: Arc<Mutex<Shared>>,
    session: Option<BackgroundSession>,
    folder: tempfile::TempDir,
    /// What lies over the file of shared memory.
    aside: Option<tempfile::NamedTempFile>,
}

impl Drop for Disk {
    fn drop(&mut self) {
        // With all that is mounted on it, also while a program that was killed still has it open.
        drop(mount(Command::new("umount").args(["--recursive", "--lazy"]).arg(self.path())));
        drop(self.session.take());
    }
}

fn mount(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(io::Error::other(said)) }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Disk {
    /// Mounts an empty one.
    pub fn mount() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let shared = Arc::<Mutex<Shared>>::default();
        let mut options = Config::default();
        options.mount_options = vec![MountOption::FSName("forgetful".to_owned())];
        let mounted = Mounted::new(Arc::clone(&shared));
        let session = fuser::spawn_mount(mounted, folder.path(), &options)?;
        Ok(Self { shared, session: Some(session), folder, aside: None })
    }

    /// The same for programs that share memory through the file `shared_memory`. That one lies
    /// elsewhere, on a disk of the machine, and is never synced nor kept: a process that mapped a file
    /// of this disk and met a missing page would wait for a thread of its own, which may be waiting
    /// for that very page.
    pub fn mount_beside(shared_memory: &str) -> io::Result<Self> {
        let (mut disk, aside) = (Self::mount()?, tempfile::NamedTempFile::new()?);
        lock(&disk.shared).contents.create(shared_memory.as_ref(), 0o600);
        let cover = disk.path().join(shared_memory);
        mount(Command::new("mount").arg("--bind").arg(aside.path()).arg(cover))?;
        disk.aside = Some(aside);
        Ok(disk)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How often a file was synced so far.
    pub fn syncs(&self) -> usize {
        lock(&self.shared).contents.syncs
    }

    /// What is on it now.
    pub fn contents(&self) -> Contents {
        lock(&self.shared).contents.clone()
    }

    /// From so many syncs on, counted from now, nothing more can be written; `None`: all is well again.
    pub fn fails_after(&self, trouble: Option<(usize, Trouble)>) {
        let mut shared = lock(&self.shared);
        shared.trouble = trouble.map(|(more, it)| (shared.contents.syncs + more, it));
    }

    /// From now on a sync is answered and does nothing.
    pub fn lies(&self) {
        lock(&self.shared).contents.lies = true;
    }

    /// Calls this after each change, while whoever made it waits. It must not use this disk.
    pub fn watch(&self, watcher: Option<Box<dyn FnMut(&Contents) + Send>>) {
        lock(&self.shared).watcher = watcher;
    }
}
