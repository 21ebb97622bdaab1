//! A schedule: what happens at which request of which process. It follows from its seed alone.

use std::collections::BTreeMap;

use switchback_testkit::Request;

use super::{act::Act, random::Random};

/// What the operators want and what they meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scenario {
    /// The first update ever, to a version that is well.
    Update,
    /// The same to one that never becomes ready.
    IllUpdate,
    /// A third version, where a second one was committed.
    Again,
    /// Back from the second version to the first.
    Rollback,
}

pub(super) const SCENARIOS: [Scenario; 4] =
    [Scenario::Update, Scenario::IllUpdate, Scenario::Again, Scenario::Rollback];

/// Which operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever began.
    Same,
    /// Another one, with a store of its own.
    Other,
}

impl Who {
    pub(super) fn store(self) -> &'static str {
        match self {
            Self::Same => "ours",
            Self::Other => "theirs",
        }
    }
}

/// All that happens.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) scenario: Scenario,
    /// At which requests of the first command what happens.
    pub(super) first: BTreeMap<usize, Act>,
    /// Who takes it up after a death, how wrong its clock is, and what happens to that.
    pub(super) second: (Who, i64, BTreeMap<usize, Act>),
    /// Who brings it to its end, undisturbed.
    pub(super) last: Who,
    /// Whether the store of whoever began is lost, so that nothing of it is ever read again.
    pub(super) is_lost: bool,
}

/// Requests of a command that nothing happens to, by their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// A line for each.
    pub(super) lines: Vec<String>,
    /// Those that change something.
    pub(super) changes: Vec<usize>,
    /// Those whose effect can come after their caller has left.
    pub(super) late: Vec<usize>,
}

impl Schedule {
    /// Nothing happens.
    pub(super) fn calm(scenario: Scenario) -> Self {
        let second = (Who::Same, 0, BTreeMap::new());
        Self { scenario, first: BTreeMap::new(), second, last: Who::Same, is_lost: false }
    }

    /// One thing happens to the first command, and `who` takes it up after a death.
    pub(super) fn with(scenario: Scenario, at: usize, act: Act, who: Who) -> Self {
        let first = BTreeMap::from([(at, act)]);
        Self {
            first,
            second: (who, 0, BTreeMap::new()),
            last: who,
            is_lost: who == Who::Other,
            ..Self::calm(scenario)
        }
    }

    /// The schedule of a seed.
    pub(super) fn random(seed: u64, places: impl Fn(Scenario) -> Places) -> Self {
        let mut random = Random::new(seed);
        let scenario = random.one(&SCENARIOS);
        let places = places(scenario);
        let happenings = 1 + random.below(3);
        let first = (0..happenings).map(|_| happening(&mut random, &places)).collect();
        let mut second = BTreeMap::new();
        if random.once_in(2) {
            second.extend([happening(&mut random, &places)]);
        }
        let who = |random: &mut Random| match random.once_in(3) {
            true => Who::Other,
            false => Who::Same,
        };
        let wrong_by = random.one(&[0, 0, -86_400_000, -600_000, 600_000, 86_400_000]);
        let second = (who(&mut random), wrong_by, second);
        let last = who(&mut random);
        let is_lost = last == Who::Other && random.once_in(2);
        Self { scenario, first, second, last, is_lost }
    }

    /// Whether this happens at some time.
    pub(super) fn has(&self, act: &Act) -> bool {
        self.first.values().chain(self.second.2.values()).any(|it| it == act)
    }

    /// Whether somebody else has done something to what is ours.
    pub(super) fn has_strangers(&self) -> bool {
        self.first.values().chain(self.second.2.values()).any(Act::is_a_strangers)
    }
}

impl Schedule {
    /// Whether it may end stuck. An engine that restarts starts what it had stopped a moment ago, with its
    /// policy still there. Another store knows only the borders: not whether the data of what runs there
    /// was handed over, and it brings none back below a service that runs.
    pub(super) fn may_stick(&self) -> bool {
        let mut acts = self.first.values().chain(self.second.2.values());
        let restarts = |it: &Act| {
            matches!(
                it,
                Act::PowerCut { .. } | Act::EngineRestart { .. } | Act::EngineKilled { .. }
            )
        };
        let takes_part = self.second.0 == Who::Other || self.last == Who::Other;
        takes_part && acts.any(restarts)
    }
}

/// Half of what happens does at a request that changes something: they are the fewer.
fn happening(random: &mut Random, places: &Places) -> (usize, Act) {
    let any = usize::try_from(random.below(places.lines.len() as u64 + 3)).expect("some hundred");
    let at = if random.once_in(2) { any } else { random.one(&places.changes) };
    (at, act(random))
}

fn act(random: &mut Random) -> Act {
    let effect = random.once_in(2);
    let later = 1_000 + random.below(19_000);
    if random.once_in(3) {
        return random.one(&[Act::DieBefore, Act::DieAfter, Act::DieDuring(later)]);
    }
    match random.below(16) {
        0 => Act::PowerCut { effect },
        1 => Act::EngineRestart { effect },
        2 => Act::Fails { effect },
        3 => Act::Hangs { effect },
        4 => Act::Late(later),
        5 => Act::Lost { effect },
        6 => Act::Twice,
        7 => Act::Away(random.one(&[3_000, 20_000, 60_000, 300_000])),
        8 => Act::Suspend(random.one(&[5_000, 40_000, 3_600_000])),
        9 => Act::TakenOver,
        10 => Act::Interrupt,
        11 => Act::Crash,
        12 => random.one(&[Act::RemoveLease, Act::Prune]),
        13 => Act::EngineKilled { effect },
        14 => Act::Half,
        _ => Act::Stranger(stranger(random)),
    }
}

fn stranger(random: &mut Random) -> Request {
    let container = "web".to_owned();
    match random.below(5) {
        0 => Request::Remove { container, force: true },
        1 => Request::Stop { container },
        2 => Request::Start { container },
        3 => Request::Rename { container, name: "mine".to_owned() },
        _ => Request::Pause { container },
    }
}
