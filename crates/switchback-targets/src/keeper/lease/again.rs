//! A lease whose container somebody has removed, taken anew by its own holder.
//!
//! Whoever takes a lease over removes its container as well, and a person who tidies up does no
//! more than that. The two are told apart by the target's journal: who has taken over writes there
//! before it acts. So the holder asks for the name again, which the engine gives to one only, and goes
//! on if the journal is, byte for byte, what it has written itself.

use std::{sync::PoisonError, time::Duration};

use super::{NotRenewed, TargetLease, look, seen::remove};
use crate::{
    engine_api::EngineError,
    keeper::{self, programs},
};

/// The file that says who acted last.
const JOURNAL_FILE: &str = "journal.json";

/// While an engine removes a container its name stays taken: for less than a second, under load for some.
const REMOVAL_LOOKS: u32 = 75;
const REMOVAL_PAUSE: Duration = Duration::from_millis(200);

/// What the holder has written into the target's journal.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// What stands there for certain.
    written: Option<Vec<u8>>,
    /// What may stand there as well: a write whose end nobody heard of.
    tried: Option<Vec<u8>>,
}

impl Witness {
    fn knows(&self, found: &[u8]) -> bool {
        [&self.written, &self.tried].into_iter().flatten().any(|it| it == found)
    }

    fn is_empty(&self) -> bool {
        self.written.is_none() && self.tried.is_none()
    }
}

impl TargetLease {
    /// Writes the journal that is kept with the target, in one piece.
    pub async fn write_journal(&self, bytes: Vec<u8>) -> Result<(), programs::KeeperError> {
        let path = format!("{}/{JOURNAL_FILE}", keeper::target_folder(&self.target));
        self.witness(|it| it.tried = Some(bytes.clone()));
        let (engine, keeper) = (self.guarded_engine(), self.keeper());
        programs::put(&engine, &keeper, &path, bytes).await?;
        self.witness(|it| it.written = it.tried.take());
        Ok(())
    }

    fn witness<T>(&self, with: impl FnOnce(&mut Witness) -> T) -> T {
        with(&mut self.state.witness.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the lease anew in place of the container `gone`, to the end: in a task of its own, since
    /// whoever waits for it may be given up in its middle, by a limit or at the end of the operation, and
    /// would leave a container of which nobody knows.
    pub(super) async fn taken_anew(&self, gone: String) -> Result<(), NotRenewed> {
        let lease = self.clone();
        let task = tokio::spawn(async move { lease.take_anew(&gone).await });
        task.await.unwrap_or_else(|_| Err(self.lose()))
    }

    /// Takes the lease anew in place of the container `gone`.
    async fn take_anew(&self, gone: &str) -> Result<(), NotRenewed> {
        let _turn = self.state.turn.lock().await;
        if self.is_lost() {
            return Err(NotRenewed::Lost);
        }
        if self.id() != gone {
            return Ok(()); // It was taken anew while we waited for our turn.
        }
        if self.witness(|it| it.is_empty()) {
            return Err(self.lose());
        }
        let Some(id) = self.create_again(gone).await? else { return Err(self.lose()) };
        // Nothing has to run in one that was given back meanwhile.
        let is_ours = if self.is_lost() { Ok(false) } else { self.prove(&id).await };
        if let Ok(true) = is_ours {
            // Its time counts from the renewal that its caller has asked for before.
            tracing::warn!("the lease's container was removed by somebody; it was made anew");
            self.set_id(id);
            return Ok(());
        }
        let _was_there = self.remove(&id).await?;
        // After an error it is not known to be ours, and is asked for again.
        let _not_ours = is_ours?;
        Err(self.lose())
    }

    /// Asks for the name; none if somebody else has it.
    async fn create_again(&self, gone: &str) -> Result<Option<String>, EngineError> {
        for _ in 0..REMOVAL_LOOKS {
            if self.is_lost() {
                return Ok(None);
            }
            match self.create().await {
                Ok(id) => return Ok(Some(id)),
                Err(EngineError::Refused { status: 409, .. }) => {}
                // The image, which anybody may remove while no container of it is there.
                Err(EngineError::Refused { status: 404, .. }) => {
                    keeper::ensure(&self.engine).await?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            match look(&self.engine, &self.target).await {
                // An answer of an earlier try was lost: nobody but this process is this holder.
                Ok(Some(held)) if held.holder == self.holder && held.id != gone => {
                    return Ok(Some(held.id));
                }
                Ok(Some(held)) if held.id != gone => return Ok(None),
                // A stranger's container has the name.
                Err(EngineError::Refused { .. }) => return Ok(None),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(REMOVAL_PAUSE).await;
        }
        Ok(None)
    }

    /// Whether nobody else has acted since our last word.
    async fn prove(&self, id: &str) -> Result<bool, EngineError> {
        self.begin(id).await?;
        let found = keeper::read_record(&self.engine, &self.target, JOURNAL_FILE).await?;
        Ok(found.is_some_and(|found| self.witness(|it| it.knows(&found))))
    }

    /// Removes a container of this lease. False if it was not there.
    pub(super) async fn remove(&self, id: &str) -> Result<bool, EngineError> {
        remove(&self.engine, id, "give the lease back").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_words_prove_that_nobody_else_has_acted() {
        let mut witness = Witness::default();
        assert!(witness.is_empty());
        witness.tried = Some(b"one".to_vec());
        assert!(witness.knows(b"one"));
        witness.written = witness.tried.take();
        witness.tried = Some(b"two".to_vec());
        assert!(witness.knows(b"one") && witness.knows(b"two"), "either may stand there");
        assert!(!witness.knows(b"three") && !witness.knows(b""));
    }
}
