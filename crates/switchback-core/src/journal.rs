//! Append-only storage for one transaction.

use std::future::Future;

use crate::JournalError;

/// Append-only storage for the facts `F` of one transaction.
pub trait Journal<F>: Send {
    /// Returns once the record is on disk. An error promises that it is not, and never
    /// will be unless it is appended again.
    fn append(&mut self, record: &F) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Everything that was appended, in order.
    fn load(&self) -> Result<Vec<F>, JournalError>;
}
