//! What an operation logged: the last 256 KiB of it.

use rusqlite::params;

use super::Store;
use super::error::StoreError;
use super::transact::statement;

/// How much of an operation's log is kept, in bytes. A gate's last lines and a build's error are a
/// few KiB; with 100,000 operations, pruned or not, this is what bounds the store.
pub const LOG_BYTES_MAX: usize = 256 * 1024;

/// What a chunk counts at least, so that the number of rows is bounded too (4096).
const CHUNK_BYTES_MIN: usize = 64;

const ADD: &str = "INSERT INTO operation_logs (operation, sequence, stream, charged_bytes, body) \
     SELECT $1, COALESCE(max(sequence) + 1, 0), $2, $3, $4 FROM operation_logs WHERE operation = $1";
const TRIM: &str = "DELETE FROM operation_logs WHERE operation = $1 AND sequence IN (\
     SELECT sequence FROM (SELECT sequence, \
     sum(charged_bytes) OVER (ORDER BY sequence DESC) AS charged_from_here \
     FROM operation_logs WHERE operation = $1) AS summed WHERE charged_from_here > $2)";
pub(super) const READ: &str =
    "SELECT stream, body FROM operation_logs WHERE operation = $1 ORDER BY sequence";

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Where it came from, in the caller's words: `stdout`, `stderr`, the name of a hook.
    pub stream: String,
    /// What was said. It may begin and end in the middle of a line.
    pub text: String,
}

impl Store {
    /// Adds to the log of an operation. Above [`LOG_BYTES_MAX`] the oldest chunks go; of a longer
    /// text the end stays. Each call waits for the disk once, so collect lines before it.
    pub fn add_log(&self, operation: &str, stream: &str, text: &str) -> Result<(), StoreError> {
        let text = last_bytes(text, LOG_BYTES_MAX);
        let charged_bytes = text.len().max(CHUNK_BYTES_MIN) as u64;
        self.write("keep the log", |transaction| {
            statement(transaction, ADD)?.execute(params![
                operation,
                stream,
                charged_bytes,
                text
            ])?;
            statement(transaction, TRIM)?.execute(params![operation, LOG_BYTES_MAX as u64])
        })?;
        Ok(())
    }

    /// The log of an operation, the oldest chunk first.
    pub fn logs(&self, operation: &str) -> Result<Vec<LogChunk>, StoreError> {
        self.read("read the log", |connection| {
            statement(connection, READ)?
                .query_map([operation], |row| {
                    Ok(LogChunk { stream: row.get(0)?, text: row.get(1)? })
                })?
                .collect()
        })
    }
}

/// The end of `text`: at most `limit` bytes, and no half characters.
fn last_bytes(text: &str, limit: usize) -> &str {
    let cut = text.len().saturating_sub(limit);
    let start = (cut..=text.len()).find(|&index| text.is_char_boundary(index));
    &text[start.unwrap_or(text.len())..]
}
