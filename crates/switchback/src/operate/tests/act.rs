//! What can happen at one request.

use switchback_core::Millis;
use switchback_testkit::engine::Request;

/// What happens at one request. Its `Debug` is what a failing schedule prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// The process is killed before the request reaches the engine.
    DieBefore,
    /// The process is killed once the effect is there, and before it hears of it.
    DieAfter,
    /// The process is killed, and the effect comes so much later.
    DieDuring(Millis),
    /// The machine of process and engine loses its power, with the effect there or not.
    PowerCut { effect: bool },
    /// The engine restarts, with the effect there or not; nobody answers.
    EngineRestart { effect: bool },
    /// The engine is killed and starts again, and takes what ran for stopped by hand; nobody answers.
    EngineKilled { effect: bool },
    /// It fails with half of its effect there.
    Half,
    /// It fails, with its effect there or not.
    Fails { effect: bool },
    /// Nobody ever answers, with the effect there or not.
    Hangs { effect: bool },
    /// Nobody ever answers, and the effect comes so much later.
    Late(Millis),
    /// The connection is lost, with the effect there or not.
    Lost { effect: bool },
    /// It happens twice, as where something between repeats it.
    Twice,
    /// The engine cannot be reached for so long, from here on.
    Away(Millis),
    /// The machine sleeps for so long.
    Suspend(Millis),
    /// The process stands still, another store takes over, and then the process goes on.
    TakenOver,
    /// A person asks the process to stop.
    Interrupt,
    /// The process of the service that has the name dies.
    Crash,
    /// Somebody removes the container of the lease.
    RemoveLease,
    /// Somebody prunes what does not run, and volumes that nobody has.
    Prune,
    /// Somebody else removes, stops, starts or renames the container of that name.
    Stranger(Request),
}

impl Act {
    /// Whether what runs is somebody else's doing from here on, so that only he knows what is right.
    pub(super) fn is_a_strangers(&self) -> bool {
        matches!(self, Self::Stranger(_))
    }
}

/// Whether the effect of a request can come after its caller has left. The others an engine does at
/// once, under the container's own lock.
pub(super) fn can_be_late(request: &Request) -> bool {
    matches!(
        request,
        Request::Stop { .. }
            | Request::Start { .. }
            | Request::Create { .. }
            | Request::Remove { .. }
            | Request::Pull { .. }
            | Request::Exec { .. }
    )
}
