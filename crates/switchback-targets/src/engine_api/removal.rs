//! The end of a removal, whoever has asked for it.

use std::time::Duration;

use serde_json::Value;

use super::EngineError;

/// Between two questions whether it is gone.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// How often is asked: for 30 s. Measured: with force and a busy disk a removal takes 2 s; an engine that
/// takes longer than this is stuck in it.
const QUESTIONS: u32 = 150;

/// What is known of a removal.
#[derive(Debug)]
pub(super) enum Removal {
    /// It is at its end. True if the thing was there.
    Over(Result<bool, EngineError>),
    /// Somebody has begun it before: to be asked again.
    UnderWay,
}

/// Reads the answer to a request for removal, which was made for the `asked`-th time.
///
/// An engine goes on with a removal whose asker has died, and refuses the next one with 409 as long
/// as that takes. Only then is the question repeated: if the first removal fails, the next one counts.
pub(super) fn judge(answer: Result<Value, EngineError>, asked: u32) -> Removal {
    match answer {
        Ok(_) => Removal::Over(Ok(true)),
        // Whoever has waited has waited for something that was there.
        Err(EngineError::Refused { status: 404, .. }) => Removal::Over(Ok(asked > 1)),
        Err(error) if is_under_way(&error) && asked < QUESTIONS => Removal::UnderWay,
        Err(error) => Removal::Over(Err(error)),
    }
}

/// The words are the engine's (moby, `daemon/delete.go`); the status alone says any conflict.
fn is_under_way(error: &EngineError) -> bool {
    matches!(error, EngineError::Refused { status: 409, message } if message.contains("already in progress"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, message: &str) -> Result<Value, EngineError> {
        Err(EngineError::Refused { status, message: message.to_owned() })
    }

    fn busy() -> Result<Value, EngineError> {
        refused(409, "removal of container 0bad is already in progress")
    }

    #[test]
    fn a_removal_that_somebody_else_has_begun_is_waited_out() {
        assert!(matches!(judge(busy(), 1), Removal::UnderWay));
        assert!(matches!(judge(refused(404, "No such container"), 2), Removal::Over(Ok(true))));
        assert!(matches!(judge(Ok(Value::Null), 2), Removal::Over(Ok(true))), "the first failed");
    }

    #[test]
    fn what_was_never_there_was_not_removed() {
        assert!(matches!(judge(refused(404, "No such container"), 1), Removal::Over(Ok(false))));
    }

    #[test]
    fn a_removal_without_an_end_and_another_conflict_are_errors() {
        assert!(matches!(judge(busy(), QUESTIONS), Removal::Over(Err(_))));
        assert!(matches!(judge(refused(409, "it is running"), 1), Removal::Over(Err(_))));
    }
}
