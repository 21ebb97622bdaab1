//! What is kept with the target: who owns it, what runs, and every release that one can go back to.
//!
//! One file, written in one piece by rename, so that a reader finds the state before a commit or
//! the one after it and nothing between. It holds inspects with environments, which are secret: it
//! lies on the engine, where `docker inspect` shows them anyhow, and its copies go nowhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_core::{Millis, release::Release};

use super::{decisions::Decisions, specification::Specification};

/// The format that this version writes.
pub const FORMAT: u16 = 1;

/// Operations that are remembered with a target, the newest: daily updates of a year, with as many
/// that failed.
const OPERATIONS_MAX: usize = 730;

/// The state of one target.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetState {
    /// [`FORMAT`] of the writer.
    pub format: u16,
    /// The name that people use for it.
    pub deployment: String,
    /// Who may change it.
    pub owner: Owner,
    /// The operation that wrote this.
    pub operation: String,
    /// The number of the release that runs; 0 before the first.
    pub current: u32,
    /// The highest number that was ever given: none is used twice.
    #[serde(default)]
    pub highest: u32,
    /// The kept releases, the oldest first.
    pub releases: Vec<KeptRelease>,
    /// What is skipped, where it is held, and what it follows.
    #[serde(flatten)]
    pub decisions: Decisions,
    /// Operations of any store that came to their end here, the oldest first: what carries their ids,
    /// and is needed by no release, was left behind by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
}

/// Whose target it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The id of the owner's store.
    pub store: String,
    /// Who took it.
    pub user: String,
    /// From where.
    pub host: String,
    /// When, in milliseconds since the epoch.
    pub since: Millis,
}

/// A release and the way back to it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptRelease {
    /// Number, version, evidence.
    pub release: Release,
    /// The id of its container.
    pub container: String,
    /// The name that its container has, or is parked under.
    pub name: String,
    /// The id of its image.
    pub image: String,
    /// The image as people name it.
    pub reference: String,
    /// `repository@digest`, if a registry knows it.
    pub digest: Option<String>,
    /// Its image's name of ours.
    pub keep: Option<String>,
    /// What makes its container again.
    pub specification: Specification,
    /// The full inspect of its container, at the commit.
    pub inspect: Value,
    /// What went along with it when it was left, and is parked as long as its container is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<KeptDependent>,
}

/// A parked container that went along with a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDependent {
    /// Its id.
    pub container: String,
    /// The name that it is parked under.
    pub name: String,
}

impl std::fmt::Debug for TargetState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetState")
            .field("deployment", &self.deployment)
            .field("owner", &self.owner)
            .field("current", &self.current)
            .field("releases", &self.releases)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for KeptRelease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptRelease")
            .field("release", &self.release)
            .field("container", &self.container)
            .finish_non_exhaustive()
    }
}

/// Why a target's state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is damaged.
    #[error("the record kept with the target is damaged")]
    Damaged(#[source] serde_json::Error),
    /// A newer version wrote it.
    #[error(
        "the record kept with the target has format {found}; this version reads up to {FORMAT}"
    )]
    TooNew {
        /// The format found.
        found: u16,
    },
}

impl TargetState {
    /// The state of a target that nobody had before.
    pub fn new(deployment: &str, owner: Owner, operation: &str) -> Self {
        Self {
            format: FORMAT,
            deployment: deployment.to_owned(),
            owner,
            operation: operation.to_owned(),
            current: 0,
            highest: 0,
            releases: Vec::new(),
            decisions: Decisions::default(),
            operations: Vec::new(),
        }
    }

    /// Reads a state. The format is looked at first: a newer one may mean anything.
    pub fn read(bytes: &[u8]) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Head {
            format: u16,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(StateError::Damaged)?;
        if head.format > FORMAT {
            return Err(StateError::TooNew { found: head.format });
        }
        serde_json::from_slice(bytes).map_err(StateError::Damaged)
    }

    /// The bytes to keep.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The release that runs, as far as is recorded.
    pub fn running(&self) -> Option<&KeptRelease> {
        self.release(self.current)
    }

    /// A kept release by its number.
    pub fn release(&self, number: u32) -> Option<&KeptRelease> {
        self.releases.iter().find(|it| it.release.number == number)
    }

    /// The number that the next release gets.
    pub fn next_number(&self) -> u32 {
        self.highest + 1
    }

    /// Notes that an operation came to its end.
    pub fn note_end(&mut self, operation: &str) {
        self.operations.retain(|it| it != operation);
        self.operations.push(operation.to_owned());
        let surplus = self.operations.len().saturating_sub(OPERATIONS_MAX);
        drop(self.operations.drain(..surplus));
    }

    /// Takes the names of snapshots out that are kept no longer.
    pub fn drop_snapshots(&mut self, operations: &[String]) {
        for kept in &mut self.releases {
            let named = kept.release.snapshot.as_ref();
            if named.is_some_and(|it| operations.contains(&it.operation)) {
                kept.release.snapshot = None;
            }
        }
    }

    /// Whether an operation is known to have come to its end here.
    pub fn has_ended(&self, operation: &str) -> bool {
        let made = |it: &KeptRelease| {
            let release = &it.release;
            let by_snapshot = release.snapshot.as_ref().is_some_and(|it| it.operation == operation);
            by_snapshot || release.operation.as_deref() == Some(operation)
        };
        self.operations.iter().any(|it| it == operation) || self.releases.iter().any(made)
    }

    /// The state after a commit.
    #[must_use]
    pub fn after(
        mut self,
        operation: &str,
        running: KeptRelease,
        previous: Option<KeptRelease>,
        dropped: &[u32],
    ) -> Self {
        let number = running.release.number;
        let replaced: Vec<u32> =
            previous.iter().map(|it| it.release.number).chain([number]).collect();
        self.releases.retain(|it| {
            let number = it.release.number;
            !replaced.contains(&number) && !dropped.contains(&number)
        });
        self.releases.extend(previous);
        self.releases.push(running);
        self.releases.sort_by_key(|it| it.release.number);
        self.note_end(operation);
        let highest = replaced.into_iter().max().unwrap_or(0).max(self.highest);
        Self { format: FORMAT, operation: operation.to_owned(), current: number, highest, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { store: "s".into(), user: "root".into(), host: "lab".into(), since: 1 }
    }

    #[test]
    fn a_state_of_a_newer_version_is_refused_by_its_format() {
        let text = br#"{"format": 9, "something": "else"}"#;
        assert!(matches!(TargetState::read(text), Err(StateError::TooNew { found: 9 })));
        assert!(matches!(TargetState::read(b"{"), Err(StateError::Damaged(_))));
        let state = TargetState::new("web", owner(), "op");
        assert_eq!(TargetState::read(&state.write()).unwrap(), state);
    }

    #[test]
    fn a_state_from_before_decisions_were_kept_is_read() {
        let state = TargetState::new("web", owner(), "op");
        let text = String::from_utf8(state.write()).unwrap();
        assert!(!text.contains("rejected") && !text.contains("held_at"), "{text}");
        assert_eq!(TargetState::read(text.as_bytes()).unwrap().decisions, Decisions::default());

        let mut state = state;
        state.decisions.held_at = Some("acme/web:1.3".into());
        let text: Value = serde_json::from_slice(&state.write()).unwrap();
        assert_eq!(text["held_at"], "acme/web:1.3");
        assert_eq!(TargetState::read(&state.write()).unwrap(), state);
    }

    #[test]
    fn a_snapshot_that_goes_is_named_no_longer() {
        let release = |number: u32, operation: &str| {
            let at = u64::from(number);
            serde_json::json!({
                "release": { "number": number, "version": "v", "specification": "", "at": at,
                    "evidence": "verified", "snapshot": { "operation": operation, "at": at } },
                "container": "c", "name": "web", "image": "i", "reference": "web:1",
                "specification": { "body": {}, "joins": [], "ambiguous": [] }, "inspect": {},
            })
        };
        let mut state = TargetState::new("web", owner(), "op4");
        state.releases = [release(1, "op2"), release(2, "op3")]
            .map(|it| serde_json::from_value(it).unwrap())
            .to_vec();
        state.drop_snapshots(&["op2".to_owned(), "op9".to_owned()]);
        let named = state.releases.iter().map(|it| it.release.snapshot.as_ref());
        let named: Vec<_> = named.map(|it| it.map(|it| it.operation.as_str())).collect();
        assert_eq!(named, [None, Some("op3")]);
    }

    #[test]
    fn the_operations_that_ended_here_are_known_up_to_a_limit() {
        let mut state = TargetState::new("web", owner(), "op");
        assert!(!state.has_ended("op0"));
        for number in 0..=OPERATIONS_MAX {
            state.note_end(&format!("op{number}"));
        }
        assert!(!state.has_ended("op0") && state.has_ended("op1"));
        assert_eq!(state.operations.len(), OPERATIONS_MAX);
    }

    #[test]
    fn the_first_release_is_number_one() {
        assert_eq!(TargetState::new("web", owner(), "op").next_number(), 1);
    }
}
