//! Something running that can be looked at. `status` and `plan` need no more.

use std::{fmt::Display, future::Future};

use serde::{Serialize, de::DeserializeOwned};

use crate::{PlanError, TargetError, plan::Plan};

/// The answer of a target, which may take its time and may fail.
pub trait Answer<T>: Future<Output = Result<T, TargetError>> + Send {}
impl<T, F: Future<Output = Result<T, TargetError>> + Send> Answer<T> for F {}

/// Something running that can be looked at and planned for.
pub trait Target: Send + Sync {
    /// All that was seen, and all that planning needs.
    type Observed: Send;
    /// What is wanted.
    type Desired: Send;
    /// One change as data, so that it can be shown, journaled, and undone after a crash. Its
    /// `Display` is the title that people read while it runs.
    type Change: Serialize + DeserializeOwned + Display + Clone + Send + Sync;

    /// Looks, and changes nothing.
    fn inspect(&self) -> impl Answer<Self::Observed>;

    /// Decides the whole update. Takes no `self`, so planning cannot reach the network.
    fn plan(at: &Self::Observed, to: &Self::Desired) -> Result<Plan<Self::Change>, PlanError>;

    /// Whether nothing can take this change back. Such changes belong in [`Plan::retire`].
    fn is_irreversible(change: &Self::Change) -> bool;
}
