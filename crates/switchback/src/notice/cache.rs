//! What the last look at the registry found: one small file, replaced as a whole.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use switchback_core::Millis;

/// More than this is not a file of ours. One of ours has some hundred bytes.
const BYTES_MAX: u64 = 4096;

/// What is remembered. Unknown keys are for newer versions; of an absent or unreadable file,
/// nothing is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Remembered {
    /// When a look was last begun, however it ended; zero is never.
    pub(super) attempted_at: Millis,
    /// When a look last brought an answer; zero is never.
    pub(super) checked_at: Millis,
    /// The newest version there was.
    pub(super) latest: Option<String>,
}

/// `$XDG_CACHE_HOME/switchback/notice.json`, else below `$HOME/.cache`. As the XDG specification
/// says, a relative path does not count.
pub(super) fn default_path() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("switchback").join("notice.json"))
}

/// What is remembered there. Rubbish is as good as nothing.
pub(super) fn read(path: &Path) -> Remembered {
    let mut text = String::new();
    let read = OpenOptions::new()
        .read(true)
        // A pipe in the place of the file must not hold the command up.
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Remembered::default(),
    }
}

/// Replaces what is remembered, atomically. No fsync: what a power cut loses is asked again.
pub(super) fn write(path: &Path, remembered: &Remembered) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    create_folder(folder)?;
    let written = open_new(&temporary).and_then(|mut file| {
        file.write_all(serde_json::to_string(remembered)?.as_bytes())?;
        std::fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _was_not_there = std::fs::remove_file(&temporary);
    }
    written
}

/// The right to begin a look, until the file is dropped; nothing if another command holds it.
pub(super) fn try_lock(path: &Path) -> Option<File> {
    create_folder(path.parent()?).ok()?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.with_extension("lock"))
        .ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A file that is ours alone. What a process of the same number left behind is replaced.
fn open_new(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().create_new(true).write(true).mode(0o600).open(path),
    }
}
