//! Random schedules: thousands of lives of an update, each with its own misfortunes.
//!
//! 200 in each run of the tests, always the same, so that nobody's change fails by another one's bad luck.
//! `SWITCHBACK_SCHEDULES` says how many, and `SWITCHBACK_SEED` from which seed on; `scripts/sweep schedules`
//! takes another seed each time.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    less::{Missing, take_away},
    run::{Stage, in_virtual_time, with_room},
    schedule::{Places, SCENARIOS, Scenario, Schedule},
};

/// Failures that are shown whole. The first is the one to begin with.
const SHOWN: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|it| it.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// What one thread needs to play schedules.
pub(super) struct Player {
    stage: Stage,
    places: HashMap<Scenario, Places>,
}

impl Player {
    pub(super) fn new() -> Self {
        take_away(Missing::Nothing);
        let stage = in_virtual_time(Stage::new());
        let places = |it| (it, in_virtual_time(stage.places(it)));
        let places = SCENARIOS.into_iter().map(places).collect();
        Self { stage, places }
    }

    /// Where something can happen.
    pub(super) fn places(&self, scenario: Scenario) -> Places {
        self.places[&scenario].clone()
    }

    /// Plays a schedule: what is wrong afterwards, if anything is.
    pub(super) fn play(
        &self,
        schedule: &Schedule,
        missing: Missing,
        disturb: impl FnOnce(&switchback_testkit::World),
    ) -> Result<(), String> {
        take_away(missing);
        let wrong = in_virtual_time(self.stage.play(schedule, disturb));
        take_away(Missing::Nothing);
        wrong
    }
}

#[test]
fn nothing_that_nothing_happens_to_goes_wrong() {
    with_room(|| {
        let player = Player::new();
        for scenario in SCENARIOS {
            let wrong = player.play(&Schedule::calm(scenario), Missing::Nothing, |_| ());
            assert_eq!(wrong, Ok(()), "{scenario:?}");
        }
    });
}

#[test]
fn an_update_proves_itself_or_never_happened_whatever_happens() {
    let runs = usize::try_from(number("SWITCHBACK_SCHEDULES").unwrap_or(200)).expect("fewer");
    // Everywhere the same, so that a change that breaks one is the one that is red; `scripts/sweep schedules`
    // plays new ones.
    let seed = number("SWITCHBACK_SEED").unwrap_or(1000);
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        let player = Player::new();
        loop {
            let run = next.fetch_add(1, Ordering::SeqCst);
            if run >= runs {
                return;
            }
            let of = seed.wrapping_add(run as u64);
            let schedule = Schedule::random(of, |it| player.places(it));
            if let Err(wrong) = player.play(&schedule, Missing::Nothing, |_| ()) {
                let again = format!("SWITCHBACK_SCHEDULES=1 SWITCHBACK_SEED={of}");
                failures.lock().expect("no panic here").push(format!("{again}\n{wrong}"));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(runs);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(|| with_room(work)))));
    let failures = failures.into_inner().expect("no panic here");
    let count = failures.len();
    let shown = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n=====\n");
    assert!(failures.is_empty(), "{count} of {runs} schedules failed:\n\n{shown}");
}
