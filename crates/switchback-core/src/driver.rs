//! Something that can also be changed. Every method may be called again.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Millis, target::Answer, target::Target};

/// Acts, and decides nothing.
pub trait Driver: Target {
    /// The ids of what a change made. A crash can lose them, so nothing may depend on them.
    type Receipt: Serialize + DeserializeOwned + Clone + Send + Sync;

    /// Looks at what stands where `change` will act.
    fn precheck(&self, change: &Self::Change) -> impl Answer<Before>;

    /// Makes the change.
    fn apply(&self, change: &Self::Change) -> impl Answer<Self::Receipt>;

    /// The barrier: returns once the effect of `change` has happened or can no longer happen.
    /// Waits for `patience`, then uses force if it may, because giving up on a call does not stop its
    /// effect.
    fn settle(&self, change: &Self::Change, patience: Millis, force: Force) -> impl Answer<()>;

    /// Makes `before` hold again. If it does already, by whomever, there is nothing to do.
    fn undo(
        &self,
        change: &Self::Change,
        before: &Before,
        receipt: Option<&Self::Receipt>,
    ) -> impl Answer<()>;

    /// Hands over what an earlier step of the same transaction learned, perhaps before a crash.
    fn recall(&self, change: &Self::Change, receipt: &Self::Receipt);

    /// What stood there before `change`, as far as the plan alone tells. Used when another
    /// controller's transaction is taken back and only its plan and phase are known.
    fn presumed(change: &Self::Change) -> Before;

    /// Lets run again what `change` has ended and its undo has started, if that has ended since. Whatever
    /// runs, and whatever else stands in its place, is left alone.
    fn revive(&self, change: &Self::Change) -> impl Answer<()>;
}

/// What a barrier may do once its patience is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Bring the effect about: it was asked for, so it may come at any time.
    Allowed,
    /// Nothing: perhaps it was never asked for, and what stands there is right. Whoever may have
    /// asked can do so no more, and what he asked for has had its time.
    Forbidden,
}

/// What stood there before a change. What was `Present` is neither made again nor ever undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// Nothing.
    Absent,
    /// Exactly what the change would make.
    Present,
    /// Something else, in the words that `undo` needs to bring it back.
    Image(String),
}
