//! What a sweep has seen, for the table of what survives what.
//!
//! `scripts/sweep` names a file in `SWITCHBACK_SURVIVAL`; each case adds a line of JSON to it, and
//! the table in `docs/what-survives-what.md` is made of these.

use std::{
    io::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;

use super::{store::phase_in, world::World};

/// One case of a sweep, from the event to its end.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// What happened to the program or around it.
    pub(crate) event: &'static str,
    /// How far it had come.
    pub(crate) phase: &'static str,
    /// Which version served between the event and the next command.
    pub(crate) meanwhile: &'static str,
}

impl Case {
    /// Looks at what an event has left. `was` and `to` are the versions before and after.
    pub(crate) fn seen(world: &World, event: &'static str, was: &str, to: &str) -> Self {
        Self::seen_in(world.phase(), world, event, was, to)
    }

    /// As [`Case::seen`], where the phase was known only when it happened.
    pub(crate) fn seen_in(
        phase: &'static str,
        world: &World,
        event: &'static str,
        was: &str,
        to: &str,
    ) -> Self {
        let meanwhile = who(&world.serving(), was, to);
        Self { event, phase, meanwhile }
    }

    /// Writes down how it ended, once everything that has to hold was seen to hold.
    pub(crate) fn ended(&self, serving: &str, was: &str, to: &str, by: &str) {
        let Some(path) = std::env::var_os("SWITCHBACK_SURVIVAL") else { return };
        let line = json!({
            "event": self.event, "phase": self.phase, "meanwhile": self.meanwhile,
            "after": who(serving, was, to), "by": by,
        });
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.expect("the file of SWITCHBACK_SURVIVAL can be opened");
        // One write, so that lines of tests that run side by side stay whole.
        file.write_all(format!("{line}\n").as_bytes()).expect("a line is written");
    }
}

/// How far a command had come when something happened to its world, told to those who look later.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    state: PathBuf,
    phase: Arc<Mutex<Option<&'static str>>>,
}

impl Noted {
    pub(crate) fn of(world: &World) -> Self {
        Self { state: world.state("state"), phase: Arc::default() }
    }

    /// It happens now.
    pub(crate) fn now(&self) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = Some(phase_in(&self.state));
    }

    /// The phase at that time; the one before any, if nothing has happened.
    pub(crate) fn phase(&self) -> &'static str {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or("planning")
    }
}

/// A version in the words of the table.
fn who(serving: &str, was: &str, to: &str) -> &'static str {
    match serving {
        "" => "nobody",
        it if it == was => "old",
        it if it == to => "new",
        _ => "another",
    }
}
