//! A time of day that jumps, for one program: libfaketime, preloaded.
//!
//! Only the time of day: the clocks that measure spans go on as those of a machine do whose time of
//! day somebody sets.

use std::{fs, path::PathBuf, process::Command};

use super::World;

/// Where Debian and its descendants have it.
const LIBRARIES: &str = "/usr/lib";

/// How far the time of day of whoever is started with it is from the right one.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    file: PathBuf,
}

impl Clock {
    /// A clock that is off by so many days.
    pub(crate) fn off_by(world: &World, name: &str, days: i32) -> Self {
        let clock = Self { file: world.folder.path().join(format!("clock-{name}")) };
        clock.jump_to(days);
        clock
    }

    /// From here on it is off by so many days.
    pub(crate) fn jump_to(&self, days: i32) {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{days:+}d\n")).expect("the clock's file is written");
        fs::rename(&new, &self.file).expect("the clock's file is put in its place");
    }

    /// A command with this clock.
    pub(crate) fn of(&self, mut command: Command) -> Command {
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir(LIBRARIES).into_iter().flatten().filter_map(Result::ok);
    let mut found = folders.map(|it| it.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|it| it.exists()).expect("libfaketime is there: apt-get install faketime")
}
