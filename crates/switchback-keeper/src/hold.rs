//! Waits, as process 1 of the keeper's container: its mounts are what keeps volumes in use.

use rustix::process::{WaitOptions, wait};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// Sleeps until SIGTERM or SIGINT, and reaps what is left to process 1 meanwhile. The kernel gives
/// process 1 no default action for a signal, so without a handler every stop would take ten
/// seconds and end in a kill.
pub fn hold() -> Result<(), Failure> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGCHLD])
        .map_err(|error| Failure::io("cannot wait for signals", "", &error))?;
    reap();
    for signal in signals.forever() {
        if signal != SIGCHLD {
            break;
        }
        reap();
    }
    Ok(())
}

/// Takes every child that has ended; signals of several children may arrive as one.
fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}
