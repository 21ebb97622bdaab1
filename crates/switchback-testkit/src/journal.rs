//! A journal in memory, which can be full, and can be cut where a process died.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Serialize, de::DeserializeOwned};
use switchback_core::{Journal, JournalError};

/// Every clone is the same journal, so that a test can look while an engine writes. It keeps the
/// text of each record, so what is read has been through the words that are on disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<String>,
    room: Option<usize>,
}

impl MemoryJournal {
    /// How many records it has.
    pub fn len(&self) -> usize {
        self.inner().lines.len()
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From now on it takes records up to that many in all; `None` lifts the limit.
    pub fn set_room(&self, room: Option<usize>) {
        self.inner().room = room;
    }

    /// A journal of its own with the first `records` of this one: what a process left that died.
    #[must_use]
    pub fn cut(&self, records: usize) -> Self {
        let lines = self.inner().lines.iter().take(records).cloned().collect();
        Self(Arc::new(Mutex::new(Inner { lines, room: None })))
    }

    /// The records as they are on disk, one a line.
    pub fn lines(&self) -> Vec<String> {
        self.inner().lines.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Serialize + DeserializeOwned + Sync> Journal<F> for MemoryJournal {
    async fn append(&mut self, record: &F) -> Result<(), JournalError> {
        let line = serde_json::to_string(record).map_err(JournalError::storage)?;
        let mut inner = self.inner();
        if inner.room.is_some_and(|it| inner.lines.len() >= it) {
            return Err(JournalError::storage("no space left on device"));
        }
        inner.lines.push(line);
        Ok(())
    }

    fn load(&self) -> Result<Vec<F>, JournalError> {
        let inner = self.inner();
        let read = |it: &String| serde_json::from_str(it).map_err(JournalError::storage);
        inner.lines.iter().map(read).collect()
    }
}
