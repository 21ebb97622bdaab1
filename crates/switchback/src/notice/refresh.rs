//! The look at the registry, in a process of its own that nobody waits for.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use switchback_core::Millis;

use super::{cache, registry};

/// The first argument of the process that looks; the second is where to remember the answer.
pub const REFRESH_ARGUMENT: &str = "__refresh-notice";

/// How long the look may take as a whole.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the process and lets go of it. Its own group keeps Ctrl-C from it, the root folder as
/// its place keeps no file system busy, and without our streams no pipe stays open because of it.
pub(super) fn start(program: &Path, cache: &Path, registry: Option<&str>) {
    let started = Command::new(program)
        .envs(registry.map(|registry| (registry::VARIABLE, registry)))
        .arg(REFRESH_ARGUMENT)
        .arg(cache)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    // Not waited for: this process ends in a moment, and init takes care of the other.
    drop(started);
}

/// Looks at the registry if that is what this process was started for, and says whether it was.
/// To be called first thing in `main`, before arguments are parsed.
pub fn refresh_if_asked() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(REFRESH_ARGUMENT)) {
        return false;
    }
    if let Some(cache) = arguments.next().map(PathBuf::from) {
        let now = jiff::Timestamp::now().as_millisecond().try_into().unwrap_or(0);
        refresh(&cache, now);
    }
    true
}

/// Asks, and remembers the answer. A look without an answer leaves what was remembered before;
/// that it was tried stands there already.
fn refresh(cache: &Path, now: Millis) {
    let (name, current) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    if let Ok(newer) = registry::newer(name, current, TIMEOUT) {
        let latest = Some(newer.map_or_else(|| current.to_owned(), |version| version.to_string()));
        let remembered = cache::Remembered { attempted_at: now, checked_at: now, latest };
        // Without a place to remember it there is nothing to tell the next command.
        let _forgotten = cache::write(cache, &remembered);
    }
}
