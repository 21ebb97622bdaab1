//! One writer per target.
//!
//! A lease belongs to the target, not to our name for it. Its holder measures it on a clock that
//! goes on in suspend; who takes it over has watched it go unrenewed for its whole length.

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::{Fenced, Millis};

/// The right to change one target.
pub trait Lease: Send + Sync {
    /// Returns once we are known to hold the lease for at least `horizon` more milliseconds.
    /// Asked before each effect. Inside the switch it answers from the local clock alone.
    fn hold(&self, horizon: Millis) -> impl Future<Output = Result<(), Fenced>> + Send;
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user who started the operation.
    pub user: String,
    /// The host that it runs on.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// Where its number means something: the machine, the boot of its kernel, and the namespace of
    /// processes. Empty: not known.
    #[serde(default)]
    pub place: String,
    /// When the process began, in ticks since that boot: numbers of processes are given again.
    #[serde(default)]
    pub began: u64,
    /// The store that has its journal.
    pub store: String,
    /// The operation.
    pub operation: String,
    /// When it was taken, in milliseconds since the epoch.
    pub since: Millis,
    /// Raised by one each time that it is taken away from the holder before. For people: a late holder is
    /// told apart by the id of the lease's container.
    pub generation: u64,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { user, host, pid, operation, .. } = self;
        write!(f, "{user}@{host} (process {pid}, operation {operation})")
    }
}
