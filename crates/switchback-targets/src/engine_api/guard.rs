//! Who must agree before the engine is asked to change anything.
//!
//! The lease is asked before each effect by whoever carries out a transaction, but one effect takes
//! several requests, and a process can stand still between any two of them. So a client that acts
//! under a lease asks once more, as near to the request as can be.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use switchback_core::Fenced;

use super::{EngineClient, EngineError};

/// Asked before every request that changes something.
pub trait Guard: std::fmt::Debug + Send + Sync {
    /// Returns once a change may be asked for.
    fn pass(&self) -> BoxFuture<'_, Result<(), Fenced>>;
}

impl EngineClient {
    /// The same engine, of which changes are asked only while `guard` agrees.
    #[must_use]
    pub fn guarded_by(&self, guard: Arc<dyn Guard>) -> Self {
        Self { guard: Some(guard), ..self.clone() }
    }

    pub(super) async fn pass(&self) -> Result<(), EngineError> {
        match &self.guard {
            Some(guard) => Ok(guard.pass().await?),
            None => Ok(()),
        }
    }
}
