//! What can go wrong with one request: its effect, its answer, and what happens in between.

use switchback_core::Millis;

use crate::engine::Request;

/// The verb of every request.
pub const ANY: &str = "any";

/// What one request meets in place of an ordinary day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The verb of the request, see [`Request::verb`], or [`ANY`].
    pub verb: &'static str,
    /// How many requests of that verb go well before.
    pub after: usize,
    /// What happens just before the effect.
    pub before: Option<Event>,
    /// What becomes of the effect.
    pub effect: Effect,
    /// What happens between the effect and the answer.
    pub between: Option<Event>,
    /// What the caller learns.
    pub reply: Reply,
}

impl Fault {
    /// A fault of the next request of that verb, with no event.
    pub fn of(verb: &'static str, effect: Effect, reply: Reply) -> Self {
        Self { verb, after: 0, before: None, effect, between: None, reply }
    }

    /// The caller waits for ever, and the effect comes after `span` milliseconds.
    pub fn late(verb: &'static str, span: Millis) -> Self {
        Self::of(verb, Effect::Late(span), Reply::Never)
    }
}

/// What becomes of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It happens.
    Whole,
    /// It happens twice, as when a proxy repeats a request.
    Twice,
    /// Half of it: a stop marks and does not end, a start fails after its ports were taken and
    /// given back, a create takes the name and shows nothing until an engine restart frees it, a
    /// remove leaves a dead container, a pull has no name. What is atomic on an engine does not
    /// happen at all.
    Half,
    /// It does not happen.
    Never,
    /// It happens so many milliseconds after the request, unless the engine restarts before.
    Late(Millis),
}

/// What the caller learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What the engine has to say.
    True,
    /// An error of that status, whatever happened.
    Refused(u16),
    /// Nothing: the connection is lost.
    Lost,
    /// Nothing, and the connection stays open.
    Never,
}

/// Something that nobody of ours asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The engine is restarted, or its machine.
    EngineRestart,
    /// The engine is killed, and started again while its containers live: it stops them, and takes that
    /// for a stop by hand.
    EngineKilled,
    /// Somebody prunes containers and images, and with `volumes` the volumes.
    Prune {
        /// Whether named volumes go too.
        volumes: bool,
    },
    /// Somebody else asks for something.
    Stranger(Request),
    /// The process of that container ends with that code.
    Crash {
        /// Its name.
        container: String,
        /// The exit code.
        code: i64,
    },
}
