//! What can go wrong between a test and the lab.

use std::path::PathBuf;

/// The lab is not there, or refused what a test asked of it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// `scripts/lab up` has not run, or `scripts/lab down` has.
    #[error("there is no lab: {} cannot be read\n  to fix, run: scripts/lab up (and, if it is in engines/NAME: scripts/lab engine NAME)", path.display())]
    NotUp {
        /// The settings file that was looked for.
        path: PathBuf,
        /// Why it could not be read.
        source: std::io::Error,
    },
    /// The settings are there, and one that is needed is not in them.
    #[error("the lab's settings in {} lack {key}\n  to fix, run: scripts/lab up", path.display())]
    SettingMissing {
        /// The settings file.
        path: PathBuf,
        /// The name of the setting.
        key: &'static str,
    },
    /// The settings are left over: a machine that was restarted, or a process that has died.
    #[error("the lab's {part} at {address} does not answer\n  to fix, run: scripts/lab up")]
    PartDown {
        /// `engine` or `registry`.
        part: &'static str,
        /// Where it should listen.
        address: String,
        /// What connecting to it said.
        source: std::io::Error,
    },
    /// The file of an image layer is missing or is not what `scripts/lab` writes.
    #[error("the image layer {} cannot be used: {problem}\n  to fix, run: scripts/lab up", path.display())]
    Layer {
        /// The layer.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An HTTP request did not get an answer.
    #[error("{request} got no answer: {problem}")]
    NoAnswer {
        /// Method and address.
        request: String,
        /// What the connection said.
        problem: String,
    },
    /// The registry answered, but not with what the step needs.
    #[error("{request} was answered with {status}: {body}")]
    Refused {
        /// Method and address.
        request: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
    /// The docker client failed, or could not be run.
    #[error("docker {arguments} failed: {message}")]
    Docker {
        /// The arguments, as typed.
        arguments: String,
        /// What it said on stderr.
        message: String,
    },
    /// A port was asked for, and all that were tried are taken.
    #[error("no free port was found between 20000 and 29999")]
    NoFreePort,
}
