//! The manifest: a snapshot exists once this file is on the disk, and not before.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::copy::Copied;
use crate::durable;
use crate::exclusions::Exclusions;
use crate::failure::{Failure, Meaning};
use crate::open::path_bytes;

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Name of the manifest in the directory of its snapshot.
pub const FILE_NAME: &str = "manifest.json";

/// A manifest names at most 1,000 left-out entries a mount, so this is ample.
const LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// See [`FORMAT`].
    pub format: u32,
    /// When it was taken, RFC 3339, as the controller's clock said.
    pub at: String,
    /// How long it took.
    pub duration_seconds: f64,
    /// One entry a mount.
    pub mounts: Vec<SavedMount>,
}

/// One mount of a snapshot; its tree lies under `tree/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedMount {
    /// Name that the controller gave it.
    pub name: String,
    /// Entries, directories included.
    pub files: u64,
    /// Bytes of content without holes, each inode once.
    pub bytes: u64,
    /// Subtrees that are neither in the snapshot nor touched by a restore.
    pub excluded: Vec<RawPath>,
    /// What is not in the snapshot, the first thousand by name.
    pub left_out: Vec<Omission>,
    /// How many are not.
    pub left_out_count: u64,
}

/// Something that is not in the snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Omission {
    /// Path below the root of the mount.
    pub path: RawPath,
    /// `socket`, `mount`, `excluded` or `attribute NAME`.
    pub why: String,
}

/// A path as a string, or as an array of bytes where it is not UTF-8.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RawPath {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for RawPath {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

impl RawPath {
    /// The bytes of the path.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl SavedMount {
    /// What the copy of one mount has come to.
    pub fn new(name: &str, copied: Copied, exclusions: &Exclusions) -> Self {
        Self {
            name: name.to_owned(),
            files: copied.files,
            bytes: copied.bytes,
            excluded: exclusions.paths().iter().cloned().map(RawPath::from).collect(),
            left_out: copied
                .left_out
                .into_iter()
                .map(|left| Omission { path: left.path.into(), why: left.why })
                .collect(),
            left_out_count: copied.left_out_count,
        }
    }

    /// What a restore of this mount leaves as it is.
    pub fn exclusions(&self) -> Exclusions {
        Exclusions::new(self.excluded.iter().map(|path| path.as_bytes().to_vec()).collect())
    }
}

impl Manifest {
    /// Reads the manifest of the snapshot in `directory`; `None` where there is none, that is,
    /// where no snapshot exists. One that cannot be understood is refused, never guessed at.
    pub fn read(directory: &Path) -> Result<Option<Self>, Failure> {
        let path = directory.join(FILE_NAME);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("cannot read", path_bytes(&path), &error)),
        };
        let mut text = Vec::new();
        file.take(LIMIT_BYTES)
            .read_to_end(&mut text)
            .map_err(|error| Failure::io("cannot read", path_bytes(&path), &error))?;
        let refused = |what: String| Failure::new(Meaning::Refused, what, path_bytes(&path));
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("the manifest cannot be understood: {error}")))?;
        if manifest.format > FORMAT {
            let newer = format!("format {} is newer than this program ({FORMAT})", manifest.format);
            return Err(refused(newer));
        }
        Ok(Some(manifest))
    }

    /// Writes it durably. Everything that it names must be on the disk before.
    pub fn write(&self, directory: &Path) -> Result<(), Failure> {
        let path = directory.join(FILE_NAME);
        let text = serde_json::to_vec_pretty(self).map_err(|error| {
            Failure::new(Meaning::Failed, format!("cannot write JSON: {error}"), path_bytes(&path))
        })?;
        let length = durable::Length { at_least: 0, at_most: LIMIT_BYTES };
        durable::write_file(&path, &mut text.as_slice(), length)
    }
}
