//! One change to a container deployment, as data: shown, journaled, and undone after a crash.
//!
//! Nothing secret is in here: a specification is named by a keyed hash, and kept with the target.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_core::{Millis, release::Release};

use super::{decisions::Decisions, document::KeptDependent};

/// A container that a change is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One that was there when the plan was made, by its id.
    Existing(String),
    /// One that this plan makes, by the temporary name it gets; that carries the operation's id.
    Created(String),
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// Brings an image here, by digest.
    PullImage {
        /// `repository@digest`.
        reference: String,
        /// Compressed bytes, as far as the registry tells.
        size_bytes: Option<u64>,
    },
    /// Gives an image a name of ours, so that no prune of unnamed images takes it.
    KeepImage {
        /// Its id, or `repository@digest` where it is only to be pulled.
        image: String,
        /// `repository:tag` of ours.
        reference: String,
        /// Whether it is the image of the version that runs.
        is_current: bool,
    },
    /// Makes a container beside the running one, under its temporary name.
    CreateContainer {
        /// The temporary name.
        name: String,
        /// The name it will have.
        final_name: String,
        /// What it is made from: `repository:tag@digest`, or an id.
        image: String,
        /// Keyed hash of the specification.
        specification: String,
    },
    /// Carries accounts over.
    CopyAccounts {
        /// From this container, by id.
        from: String,
        /// To that one.
        to: Subject,
        /// The names.
        users: Vec<String>,
    },
    /// Runs the person's backup command in the old container.
    BackUpData {
        /// The operation, where the way back notes that the data has to come back.
        operation: String,
        /// The container, by id.
        container: String,
        /// What to run.
        command: Vec<String>,
        /// What brings the data back, in the old container once it runs again.
        restore: Vec<String>,
    },
    /// Stops a container.
    StopContainer {
        /// Which, by id.
        id: String,
        /// Its name, for people.
        name: String,
        /// How long it may take to end by itself, in seconds.
        timeout_s: u64,
        /// What it was doing.
        was: Was,
    },
    /// Copies the data while nothing writes it.
    TakeSnapshot {
        /// What data, and where the copy lies.
        data: DataSet,
    },
    /// Sets a restart policy.
    SetRestartPolicy {
        /// Whose.
        subject: Subject,
        /// The container's name, for people.
        name: String,
        /// What it is, as the engine writes it.
        from: Value,
        /// What it becomes.
        to: Value,
    },
    /// Renames a container.
    Rename {
        /// Which.
        subject: Subject,
        /// What it is called.
        from: String,
        /// What it will be called.
        to: String,
    },
    /// Puts the data of an older release in place (`rollback --with-data`).
    RestoreData {
        /// The data and the snapshot that it comes from.
        data: DataSet,
        /// Where what stands there now is kept, named by the operation.
        aside: String,
    },
    /// From here on the new version may write the data. Taken back, the data goes back.
    HandOverData {
        /// The data and its snapshot.
        data: DataSet,
    },
    /// The same where the data was backed up by a command: taken back, it is noted that the data
    /// has to come back as soon as the old version runs.
    HandOverBackup {
        /// The operation that backed it up.
        operation: String,
    },
    /// Starts a container.
    StartContainer {
        /// Which.
        subject: Subject,
        /// Its final name, for people.
        name: String,
    },
    /// Pauses a container that was paused before.
    PauseContainer {
        /// Which.
        subject: Subject,
        /// Its name, for people.
        name: String,
    },
    /// Points the name that people use at the image that runs.
    MoveTag {
        /// `repository:tag`.
        reference: String,
        /// The image's id, or `repository@digest`.
        image: String,
        /// The id that it pointed at.
        was: Option<String>,
    },
    /// Writes the new state of the target, in one piece: what runs, and the way back.
    RecordRelease {
        /// What is recorded.
        commit: Box<CommitDraft>,
    },
    /// Removes a parked container that no kept release needs.
    RemoveContainer {
        /// By id.
        id: String,
        /// Its name, for people.
        name: String,
    },
    /// Removes a name of ours from an image that no kept release needs.
    RemoveTag {
        /// `repository:tag` of ours.
        reference: String,
    },
    /// Removes a snapshot of ours.
    RemoveSnapshot {
        /// The operation that made it.
        operation: String,
    },
}

/// What a container was doing before it was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Was {
    /// It ran, or the engine kept restarting it.
    Running,
    /// It was paused.
    Paused,
}

/// Data of a service, and a snapshot of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSet {
    /// The operation that the snapshot belongs to.
    pub snapshot: String,
    /// What is in it.
    pub mounts: Vec<DataMount>,
    /// Paths inside the container that are left out.
    pub exclude: Vec<String>,
}

/// A volume or bind directory of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataMount {
    /// Where the service sees it.
    pub target: String,
    /// A volume's name or a folder of the engine's host.
    pub source: String,
    /// Where the keeper sees it.
    pub inside: String,
}

/// What a commit records. The specifications, which are secret, are read where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitDraft {
    /// The operation that commits.
    pub operation: String,
    /// What runs from now on.
    pub release: Release,
    /// Its container.
    pub incoming: Subject,
    /// Its final name.
    pub name: String,
    /// Its image's name of ours.
    pub keep: Option<String>,
    /// What ran before, if anything did, under its number.
    pub previous: Option<PreviousDraft>,
    /// Numbers that are kept no longer.
    pub dropped: Vec<u32>,
    /// What is decided from then on; none in journals from before it was kept with the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Decisions>,
    /// Snapshots that are kept no longer, by the operations that took them; none in journals from
    /// before their names went with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_snapshots: Vec<String>,
}

/// What ran before the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousDraft {
    /// Its number and evidence.
    pub release: Release,
    /// Its container's id.
    pub container: String,
    /// The name that it is parked under.
    pub parked: String,
    /// What went along with it, and is parked with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<KeptDependent>,
    /// Its image's name of ours.
    pub keep: Option<String>,
}

/// Which container a start made run, and the ids of what a change made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Receipt {
    /// The id of the container that was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

impl Change {
    /// How long its effect may take, in milliseconds. It follows from the effect: a stop takes the
    /// container's own time-out and at most fifteen seconds of the engine's; a create may copy an
    /// image's data into a new volume; a pull moves gigabytes.
    pub fn limit(&self) -> Millis {
        const SECOND: Millis = 1_000;
        const HOUR: Millis = 3_600 * SECOND;
        match self {
            Self::PullImage { .. } => 2 * HOUR,
            Self::CreateContainer { .. } => 600 * SECOND,
            Self::StopContainer { timeout_s, .. } => (timeout_s + 15) * SECOND,
            Self::TakeSnapshot { .. } | Self::RestoreData { .. } | Self::HandOverData { .. } => {
                12 * HOUR
            }
            Self::BackUpData { .. } | Self::RemoveSnapshot { .. } => HOUR,
            Self::StartContainer { .. } => 120 * SECOND,
            Self::KeepImage { .. }
            | Self::CopyAccounts { .. }
            | Self::HandOverBackup { .. }
            | Self::SetRestartPolicy { .. }
            | Self::Rename { .. }
            | Self::PauseContainer { .. }
            | Self::MoveTag { .. }
            | Self::RecordRelease { .. }
            | Self::RemoveContainer { .. }
            | Self::RemoveTag { .. } => 60 * SECOND,
        }
    }

    /// Whether nothing can take it back.
    pub fn is_irreversible(&self) -> bool {
        matches!(
            self,
            Self::RemoveContainer { .. } | Self::RemoveTag { .. } | Self::RemoveSnapshot { .. }
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PullImage { .. } => f.write_str("Pulling latest image"),
            Self::KeepImage { is_current: true, .. } => f.write_str("Backing up current image"),
            Self::KeepImage { .. } => f.write_str("Keeping new image"),
            Self::CreateContainer { final_name, .. } => {
                write!(f, "Recreating container {final_name}")
            }
            Self::CopyAccounts { .. } => f.write_str("Recreating users"),
            Self::BackUpData { .. } => f.write_str("Backing up data"),
            Self::StopContainer { name, .. } => write!(f, "Stopping service {name}"),
            Self::TakeSnapshot { .. } => f.write_str("Taking snapshot of data"),
            Self::SetRestartPolicy { name, to, .. } => {
                write!(
                    f,
                    "Setting restart policy of {name} to {}",
                    to["Name"].as_str().unwrap_or("no")
                )
            }
            Self::Rename { from, to, .. } => write!(f, "Renaming {from} to {to}"),
            Self::RestoreData { .. } => f.write_str("Restoring data"),
            Self::HandOverData { .. } | Self::HandOverBackup { .. } => {
                f.write_str("Handing over data")
            }
            Self::StartContainer { name, .. } => write!(f, "Starting service {name}"),
            Self::PauseContainer { name, .. } => write!(f, "Pausing service {name}"),
            Self::MoveTag { reference, .. } => write!(f, "Tagging {reference}"),
            Self::RecordRelease { commit } => {
                write!(f, "Recording release r{}", commit.release.number)
            }
            Self::RemoveContainer { name, .. } => write!(f, "Removing old container {name}"),
            Self::RemoveTag { reference } => write!(f, "Removing old image tag {reference}"),
            Self::RemoveSnapshot { operation } => write!(f, "Removing old snapshot {operation}"),
        }
    }
}
