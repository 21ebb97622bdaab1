//! The container in which the keeper's programs run.

use std::time::Duration;

use switchback_core::Fenced;

use super::{ANCHOR, lease::TargetLease};

/// What a program of the keeper may take before the lease has to be certain again.
const HORIZON_MS: u64 = 1_000;

/// A container that is being removed has stopped, and is there for a while: for less than a second,
/// under load for some. Programs fail in it, and a renewal still succeeds.
const REMOVAL_LOOKS: u32 = 75;
const REMOVAL_PAUSE: Duration = Duration::from_millis(200);

/// The container in which the keeper's programs run. That of a lease is always named by its id: by
/// its name, a late holder would run programs in its successor's.
#[derive(Debug, Clone)]
pub enum Keeper {
    /// The anchor, for whoever only looks.
    Anchor,
    /// The container of a lease that we hold, whichever that is by now.
    Lease(Box<TargetLease>),
}

impl Keeper {
    /// The container's id, or the anchor's name.
    pub fn id(&self) -> String {
        match self {
            Self::Anchor => ANCHOR.to_owned(),
            Self::Lease(lease) => lease.id(),
        }
    }

    /// Asked after a program has ended in another way than by its own word: whether its container
    /// was taken from under it, and there is a new one.
    pub(super) async fn has_moved_from(&self, id: &str) -> Result<bool, Fenced> {
        let Self::Lease(lease) = self else { return Ok(false) };
        for _ in 0..REMOVAL_LOOKS {
            lease.confirm(HORIZON_MS).await?;
            if lease.id() != id {
                return Ok(true);
            }
            if lease.runs().await {
                break;
            }
            tokio::time::sleep(REMOVAL_PAUSE).await;
        }
        Ok(false)
    }
}
