//! A stream that several writers share, and that gets along with a display which redraws itself.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::MultiProgress;

/// A handle that several writers share. A reader that went away is not an error: whoever pipes
/// into `head` has seen what they wanted.
#[derive(Clone)]
pub struct Stream {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    /// What redraws itself on the same terminal, and has to step aside for a moment.
    live: Option<MultiProgress>,
    /// Whether somebody was found to have stopped reading.
    is_closed: Arc<AtomicBool>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream onto that writer.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        let writer = Arc::new(Mutex::new(Box::new(writer) as Box<dyn Write + Send>));
        Self { writer, live: None, is_closed: Arc::default() }
    }

    /// The same stream, for which what redraws itself there steps aside.
    pub(super) fn beside(self, live: &MultiProgress) -> Self {
        Self { live: Some(live.clone()), ..self }
    }

    /// Writes and flushes; what fails for another reason than a closed pipe is returned.
    pub fn write(&self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let write = || {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.write_all(bytes).and_then(|()| writer.flush())
        };
        let written = match &self.live {
            Some(live) => live.suspend(write),
            None => write(),
        };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            other => other,
        }
    }

    /// Whether nobody reads any more, as far as writing has shown.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Writes a line of progress or warning. Should even standard error be unwritable, there is
    /// nobody left to tell, and the operation is worth more than its display.
    pub fn line(&self, line: &str) {
        let _unwritable = self.write(&format!("{line}\n"));
    }
}

/// For a log that shares the terminal with what redraws itself.
impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_bytes(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a test reads of a stream.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    pub(crate) fn stream(&self) -> Stream {
        Stream::new(self.clone())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_not_an_error_but_a_full_disk_is() {
        struct Fails(ErrorKind);
        impl Write for Fails {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let write = |kind| Stream::new(Fails(kind)).write("x");
        assert!(write(ErrorKind::BrokenPipe).is_ok());
        assert_eq!(write(ErrorKind::StorageFull).unwrap_err().kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn what_one_handle_writes_stands_beside_what_the_other_wrote() {
        let captured = Captured::default();
        let stream = captured.stream();
        let mut log = stream.clone();
        stream.line("one");
        log.write_all(b"two\n").unwrap();
        assert_eq!(captured.text(), "one\ntwo\n");
    }
}
