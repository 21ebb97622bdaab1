//! What is wanted of a container deployment.

use serde_json::Value;
use switchback_core::Millis;

use super::{decisions::Decisions, hash::HashKey, settings::ContainerSettings};

/// What is wanted, with everything that planning needs besides what was observed.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The id of the operation that would do it. It is part of the names of temporary things.
    pub operation: String,
    /// Milliseconds since the epoch.
    pub now: Millis,
    /// What a person has configured.
    pub settings: ContainerSettings,
    /// Where to.
    pub goal: Goal,
    /// The store's key for hashes of specifications.
    pub key: HashKey,
    /// What is decided about the target with it. A rollback adds what it leaves.
    pub decisions: Decisions,
    /// A person accepts that data is lost (`--accept-loss`).
    pub accept_loss: bool,
}

/// Where to.
#[derive(Debug, Clone)]
pub enum Goal {
    /// To an image of a registry, or one that is only here.
    Update(Box<IncomingImage>),
    /// Back to a kept release.
    Rollback {
        /// Its number.
        number: u32,
        /// Whether the data goes back too.
        with_data: bool,
    },
}

/// The image that an update installs.
#[derive(Debug, Clone)]
pub struct IncomingImage {
    /// As people name it: `repository:tag`.
    pub reference: String,
    /// `repository@digest`; none for an image that no registry knows.
    pub digest: Option<String>,
    /// Its id, where it is here already.
    pub id: Option<String>,
    /// What the engine will use as its `Config`.
    pub config: Value,
    /// What people call it (`1.4.2`).
    pub label: Option<String>,
    /// Compressed bytes.
    pub size_bytes: Option<u64>,
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
}

impl IncomingImage {
    /// What identifies it for ever: the digest, or its id.
    pub fn version(&self) -> String {
        let digest =
            self.digest.as_deref().and_then(|it| it.split_once('@')).map(|it| it.1.to_owned());
        digest.or_else(|| self.id.clone()).unwrap_or_default()
    }

    /// What a container is made from, so that its inspect names the tag that people follow and the
    /// digest that it really is.
    pub fn create_reference(&self) -> String {
        match (&self.digest, &self.id) {
            (Some(digest), _) => {
                let digest = digest.split_once('@').map_or("", |it| it.1);
                let plain = self.reference.split('@').next().unwrap_or(&self.reference);
                format!("{plain}@{digest}")
            }
            (None, Some(id)) => id.clone(),
            (None, None) => self.reference.clone(),
        }
    }
}
