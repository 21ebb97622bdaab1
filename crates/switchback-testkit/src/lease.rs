//! A lease that lasts until the test takes it away.

use std::sync::{Mutex, PoisonError};

use switchback_core::{Fenced, Lease, Millis};

/// Counts how often it was asked, and can go to somebody else.
#[derive(Debug, Default)]
pub struct FakeLease(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    asked: Vec<Millis>,
    lost_after: Option<usize>,
    holder: String,
}

impl FakeLease {
    /// One that goes to `holder` once it has been asked `times` times.
    pub fn lost_after(times: usize, holder: &str) -> Self {
        let (asked, holder) = (Vec::new(), holder.to_owned());
        Self(Mutex::new(Inner { asked, lost_after: Some(times), holder }))
    }

    /// The horizons that it was asked for so far.
    pub fn asked(&self) -> Vec<Millis> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

impl Lease for FakeLease {
    async fn hold(&self, horizon: Millis) -> Result<(), Fenced> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.lost_after.is_some_and(|it| inner.asked.len() >= it) {
            return Err(Fenced { holder: inner.holder.clone() });
        }
        inner.asked.push(horizon);
        Ok(())
    }
}
