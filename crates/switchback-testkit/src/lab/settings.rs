//! The file that `scripts/lab up` writes: `NAME=value`, one a line.

use std::collections::HashMap;
use std::fmt;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;

use super::LabError;

/// A user and a password; `Debug` shows the user only.
#[derive(Clone)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password in clear.
    pub password: String,
}

impl Credentials {
    /// The value of an `Authorization` header, marked so that it is not shown in logs.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let encoded = BASE64_STANDARD.encode(format!("{}:{}", self.user, self.password));
        let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The settings, and where they were read.
pub(super) struct Settings {
    path: PathBuf,
    values: HashMap<String, String>,
}

impl Settings {
    /// Reads the file.
    pub(super) fn read(path: PathBuf) -> Result<Self, LabError> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(LabError::NotUp { path, source }),
        };
        let values = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self { path, values })
    }

    /// One setting.
    pub(super) fn get(&self, key: &'static str) -> Result<String, LabError> {
        self.values
            .get(key)
            .cloned()
            .ok_or_else(|| LabError::SettingMissing { path: self.path.clone(), key })
    }
}

/// A file in `$SWITCHBACK_LAB`, else `$XDG_CACHE_HOME/switchback-lab`, else `~/.cache/switchback-lab`.
pub(super) fn file(name: &str) -> PathBuf {
    let folder =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache =
        || folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    folder("SWITCHBACK_LAB")
        .or_else(|| cache().map(|cache| cache.join("switchback-lab")))
        .unwrap_or_default()
        .join(name)
}

/// Connects to a `unix:///…`, `tcp://host:port` or `host:port` address and hangs up again.
pub(super) fn must_answer(part: &'static str, address: &str) -> Result<(), LabError> {
    let connected = match address.strip_prefix("unix://") {
        Some(path) => UnixStream::connect(path).map(drop),
        None => TcpStream::connect(address.trim_start_matches("tcp://")).map(drop),
    };
    connected.map_err(|source| LabError::PartDown { part, address: address.to_owned(), source })
}
