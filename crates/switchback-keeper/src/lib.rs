//! The keeper: a small static program that runs in a container of its own beside a service.
//!
//! While it holds the service's volumes they are in use and no prune can take them; it keeps the
//! record of a transaction with the target; and it copies snapshots at the speed of the disk,
//! whichever way the controller reaches the engine. It has no network and runs no shell.

pub mod args;
pub mod copy;
pub mod durable;
pub mod exclusions;
pub mod failure;
pub mod files;
pub mod hold;
pub mod lock;
pub mod manifest;
pub mod metadata;
pub mod open;
pub mod progress;
mod prune;
pub mod removal;
pub mod restore;
mod siblings;
pub mod snapshot;
pub mod usage;
pub mod walk;

use std::ffi::OsString;
use std::io::{Write, stdin, stdout};
use std::path::Path;

use serde_json::json;

use args::{Command, STORE};
use failure::Failure;
use progress::Progress;

/// Does what the arguments (without the program's name) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    match args::parse(arguments)? {
        Command::Hold => hold::hold(),
        Command::Put(path, bytes) => files::put(&path, bytes, &mut stdin().lock()),
        Command::Get(path) => files::get(&path, &mut stdout().lock()),
        Command::List(path) => files::list(&path, &mut stdout().lock()),
        Command::Remove(path) => files::remove(Path::new(STORE), &path),
        Command::Usage { mounts, store } => {
            for mount in &mounts {
                say(&usage::of_mount(mount)?)?;
            }
            say(&usage::free(&store)?)
        }
        Command::Snapshot(request) => {
            let mut progress = Progress::new(Box::new(stdout()));
            let manifest = snapshot::snapshot(&request, &mut progress)?;
            progress.result(&json!(manifest));
            Ok(())
        }
        Command::Restore(request) => {
            let mut progress = Progress::new(Box::new(stdout()));
            let restored = restore::restore(&request, &mut progress)?;
            progress.result(&json!({ "mounts": restored.mounts, "aside": restored.aside }));
            Ok(())
        }
    }
}

fn say(line: &serde_json::Value) -> Result<(), Failure> {
    writeln!(stdout(), "{line}")
        .map_err(|error| Failure::io("cannot write to standard output", "", &error))
}
