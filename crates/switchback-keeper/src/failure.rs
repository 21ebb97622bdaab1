//! What can go wrong, with which exit code it ends, and how the controller reads it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;
use serde_json::{Value, json};

/// What an error means to the controller; each meaning has an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The system said no. Exit code 1.
    Failed,
    /// The command line cannot be understood. Exit code 2.
    Usage,
    /// Looked at and declined before anything was changed. Exit code 3.
    Refused,
    /// Another keeper works on the same snapshots. Exit code 16, the number of `EBUSY`.
    Busy,
    /// A disk or a quota is full. Exit code 28, the number of `ENOSPC`.
    NoSpace,
}

/// One error: what was being done, to what, and what the system answered.
#[derive(Debug)]
pub struct Failure {
    meaning: Meaning,
    what: Cow<'static, str>,
    path: Vec<u8>,
    errno: Option<Errno>,
}

impl Failure {
    /// The system refused `what` at `path`; a full disk is told apart from the rest.
    pub fn system(
        what: impl Into<Cow<'static, str>>,
        path: impl AsRef<[u8]>,
        errno: Errno,
    ) -> Self {
        let meaning = match errno {
            Errno::NOSPC | Errno::DQUOT => Meaning::NoSpace,
            _ => Meaning::Failed,
        };
        Self { meaning, what: what.into(), path: path.as_ref().to_vec(), errno: Some(errno) }
    }

    /// The same for an error of the standard library, which may carry no number.
    pub fn io(
        what: impl Into<Cow<'static, str>>,
        path: impl AsRef<[u8]>,
        error: &std::io::Error,
    ) -> Self {
        match error.raw_os_error() {
            Some(number) => Self::system(what, path, Errno::from_raw_os_error(number)),
            None => Self::new(Meaning::Failed, format!("{}: {error}", what.into()), path),
        }
    }

    /// An error that no system call has answered.
    pub fn new(
        meaning: Meaning,
        what: impl Into<Cow<'static, str>>,
        path: impl AsRef<[u8]>,
    ) -> Self {
        Self { meaning, what: what.into(), path: path.as_ref().to_vec(), errno: None }
    }

    /// The same error, whose path was counted from `root`.
    #[must_use]
    pub fn below(mut self, root: &Path) -> Self {
        let path = root.join(OsStr::from_bytes(&self.path));
        // Joining an empty path would add a slash.
        self.path = if self.path.is_empty() { root.as_os_str() } else { path.as_os_str() }
            .as_bytes()
            .to_vec();
        self
    }

    /// What it means to the controller.
    pub fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// The system's number, where a system call failed.
    pub fn errno(&self) -> Option<Errno> {
        self.errno
    }

    /// The exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self.meaning {
            Meaning::Failed => 1,
            Meaning::Usage => 2,
            Meaning::Refused => 3,
            Meaning::Busy => 16,
            Meaning::NoSpace => 28,
        }
    }

    /// `{"error":{"what":…,"path":…,"errno":…}}`, without the keys that do not apply.
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "what": self.what });
        if !self.path.is_empty() {
            error["path"] = Value::from(String::from_utf8_lossy(&self.path));
        }
        if let Some(errno) = self.errno {
            error["errno"] = Value::from(errno.raw_os_error());
            error["message"] = Value::from(errno.to_string());
        }
        json!({ "error": error })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.what)?;
        if !self.path.is_empty() {
            write!(formatter, ": {}", String::from_utf8_lossy(&self.path))?;
        }
        match self.errno {
            Some(errno) => write!(formatter, ": {errno}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
