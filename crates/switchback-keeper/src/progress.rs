//! Progress as JSON lines, at most ten a second.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Ten lines a second: smooth for an eye, and nothing for a pipe.
const INTERVAL: Duration = Duration::from_millis(100);

/// Counts bytes and now and then says so. A reader that has gone away changes nothing: the work
/// goes on, and what it did is on the disk.
pub struct Progress {
    output: Box<dyn Write>,
    item: String,
    done_bytes: u64,
    total_bytes: Option<u64>,
    said: Option<Instant>,
}

impl Progress {
    /// Says it to `output`.
    pub fn new(output: Box<dyn Write>) -> Self {
        Self { output, item: String::new(), done_bytes: 0, total_bytes: None, said: None }
    }

    /// Begins a new item, which is said at once.
    pub fn begin(&mut self, item: impl Into<String>, total_bytes: Option<u64>) {
        self.item = item.into();
        self.total_bytes = total_bytes;
        self.done_bytes = 0;
        self.said = None;
        self.advance(0);
    }

    /// So many bytes more are done.
    pub fn advance(&mut self, bytes: u64) {
        self.done_bytes = self.done_bytes.saturating_add(bytes);
        let now = Instant::now();
        if self.said.is_some_and(|said| now.duration_since(said) < INTERVAL) {
            return;
        }
        self.said = Some(now);
        let mut line = json!({ "item": self.item, "done": self.done_bytes });
        if let Some(total) = self.total_bytes {
            line["total"] = Value::from(total);
        }
        self.say(&line);
    }

    /// The last line: `{"result":…}`.
    pub fn result(&mut self, result: &Value) {
        self.say(&json!({ "result": result }));
    }

    fn say(&mut self, line: &Value) {
        let written = writeln!(self.output, "{line}").and_then(|()| self.output.flush());
        written.ok();
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { item, done_bytes, total_bytes, .. } = self;
        write!(formatter, "Progress {{ {item}, {done_bytes} of {total_bytes:?} }}")
    }
}
