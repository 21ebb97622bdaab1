//! The notice that a newer Switchback exists: shown from what an earlier look remembered.
//!
//! A command never waits for it. At its end it reads one small file; if the answer in there is
//! old, it starts a process of its own, which nobody waits for, that asks the registry and writes
//! the file for the next command.

mod cache;
mod decide;
mod refresh;
mod registry;

use std::path::{Path, PathBuf};
use std::time::Duration;

use switchback_core::Millis;

pub use decide::Reasons;
pub use refresh::{REFRESH_ARGUMENT, refresh_if_asked};

/// How long an answer is good for unless the configuration says otherwise.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a command hands in at its end.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where the answer is remembered; without such a place there are no notices.
    pub cache: Option<PathBuf>,
    /// What to start for a look at the registry: this very program.
    pub program: Option<PathBuf>,
    /// How long an answer is good for; zero turns notices off.
    pub interval: Duration,
    /// Another registry than the public one. The look refuses it unless it is on this machine.
    pub registry: Option<String>,
}

impl Setting {
    /// The setting of this process, with answers that are good for `interval`.
    pub fn of_this_process(interval: Duration) -> Self {
        Self {
            cache: cache::default_path(),
            program: std::env::current_exe().ok(),
            interval,
            registry: std::env::var(registry::VARIABLE).ok(),
        }
    }
}

/// The lines to show at the end of a command, if there are any; starts a look at the registry
/// where it is due. Silent whatever goes wrong.
pub fn at_end(reasons: Reasons, setting: &Setting, now: Millis) -> Option<String> {
    if !decide::is_wanted(reasons, setting.interval) {
        return None;
    }
    let cache = setting.cache.as_deref()?;
    let remembered = cache::read(cache);
    if decide::is_due(&remembered, now, setting.interval) {
        look_again(cache, setting, now);
    }
    decide::notice(&remembered, env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}

/// Starts a look, unless another command just did. The attempt is on disk before the process
/// starts: where it cannot be written, every command would start one, so none does.
fn look_again(cache: &Path, setting: &Setting, now: Millis) {
    let Some(program) = &setting.program else { return };
    let Some(_lock) = cache::try_lock(cache) else { return };
    let remembered = cache::read(cache);
    if decide::is_due(&remembered, now, setting.interval)
        && cache::write(cache, &cache::Remembered { attempted_at: now, ..remembered }).is_ok()
    {
        refresh::start(program, cache, setting.registry.as_deref());
    }
}
