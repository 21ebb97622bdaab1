//! A wish to stop, handed in.

use tokio::sync::watch;

/// A wish to stop: everything uncommitted goes back.
#[derive(Debug, Clone)]
pub struct Interrupt(pub watch::Receiver<bool>);

impl Interrupt {
    /// One that never comes.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// Whether somebody has asked us to stop.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once somebody asks us to stop.
    pub async fn asked(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|it| *it).await.is_err() {
            std::future::pending::<()>().await; // Whoever could have asked is gone.
        }
    }
}
