//! One layer of an image, as `scripts/lab` leaves it: `NAME.tar.gz`, and `NAME.layer` with its two digests.

use std::path::{Path, PathBuf};

use hyper::body::Bytes;

use super::LabError;

/// A layer on disk. Its digests were taken when it was made, because unpacking a large one for every
/// image would take longer than all the rest.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    archive: PathBuf,
    digest: String,
    diff_id: String,
    size_bytes: u64,
}

impl Layer {
    /// Reads `NAME.layer`: the digest of the compressed archive, a space, that of the archive itself.
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self, LabError> {
        let archive = folder.join(format!("{name}.tar.gz"));
        let problem = |problem: String| LabError::Layer { path: archive.clone(), problem };
        let described = std::fs::read_to_string(folder.join(format!("{name}.layer")))
            .map_err(|error| problem(format!("{name}.layer: {error}")))?;
        let (digest, diff_id) = described
            .trim()
            .split_once(' ')
            .ok_or_else(|| problem(format!("{name}.layer does not hold two digests")))?;
        let size_bytes =
            std::fs::metadata(&archive).map_err(|error| problem(error.to_string()))?.len();
        Ok(Self { digest: digest.to_owned(), diff_id: diff_id.to_owned(), size_bytes, archive })
    }

    /// The whole compressed archive.
    pub(super) fn read(&self) -> Result<Bytes, LabError> {
        std::fs::read(&self.archive).map(Bytes::from).map_err(|error| LabError::Layer {
            path: self.archive.clone(),
            problem: error.to_string(),
        })
    }

    /// `sha256:…` of the compressed archive: its name in a registry.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// `sha256:…` of the archive itself: its name in an image.
    pub(super) fn diff_id(&self) -> &str {
        &self.diff_id
    }

    /// Of the compressed archive.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}
