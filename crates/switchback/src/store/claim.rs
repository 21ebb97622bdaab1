//! Which operations a process of this store is at work on, known as long as it lives: a file for each,
//! which the kernel unlocks when its process ends, however it ends.
//!
//! A copy of the store on another machine has its id, perhaps its host's name, and even the number of a
//! boot that was resumed twice. It has no file of an operation that was begun after it was copied.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::PoisonError,
};

use super::Store;

/// What an open store claims.
#[derive(Debug, Default)]
pub(super) struct Claims(Vec<Claim>);

#[derive(Debug)]
struct Claim {
    path: PathBuf,
    /// Locked as long as it is open.
    _file: File,
    /// The lease is still there: the file has to tell that its holder has ended.
    stays: bool,
}

impl Store {
    /// Says that this process is at work on an operation, for as long as the store is open. Where it
    /// cannot be said (a full disk), others wait until the lease has expired.
    pub fn claim(&self, operation: &str) {
        let path = self.claim_file(operation);
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        if claims.0.iter().any(|it| it.path == path) {
            return;
        }
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        match opened.map(|file| file.try_lock().map(|()| file)) {
            Ok(Ok(file)) => claims.0.push(Claim { path, _file: file, stays: false }),
            Ok(Err(error)) => tracing::debug!(%error, "the operation was not claimed"),
            Err(error) => tracing::debug!(%error, "the operation was not claimed"),
        }
    }

    /// Leaves the file of a claim behind, unlocked: the lease was not given back.
    pub fn keep_claim(&self, operation: &str) {
        let path = self.claim_file(operation);
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.0.iter_mut().filter(|it| it.path == path).for_each(|it| it.stays = true);
    }

    /// Whether an operation was claimed by a process that has ended since. Not known is not ended.
    pub fn is_abandoned(&self, operation: &str) -> bool {
        // A new handle, because a lock of ours would not keep ourselves out.
        File::open(self.claim_file(operation)).is_ok_and(|file| file.try_lock_shared().is_ok())
    }

    /// Takes away what a process that has ended left of its claim.
    pub fn drop_claim(&self, operation: &str) {
        if self.is_abandoned(operation) {
            // What cannot be removed does no harm.
            drop(std::fs::remove_file(self.claim_file(operation)));
        }
    }

    fn claim_file(&self, operation: &str) -> PathBuf {
        // An id is of digits and letters; one that came from elsewhere stays in this folder.
        let plain = operation.chars().filter(char::is_ascii_alphanumeric);
        self.dir.join(format!("at-work-{}", plain.collect::<String>()))
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        for claim in self.0.iter().filter(|it| !it.stays) {
            drop(std::fs::remove_file(&claim.path));
        }
    }
}
