//! Schedules that have found something, each by what happens in it.

use std::collections::BTreeMap;

use super::{
    act::Act,
    less::Missing,
    run::with_room,
    schedule::{Scenario, Schedule, Who},
    schedules::Player,
};

/// Plays a schedule with one happening, at the last request whose line has `word` in it, or so many
/// of them earlier, at most at the first one.
fn plays(scenario: Scenario, word: &str, earlier: usize, act: Act, last: Who) {
    with_room(|| {
        let player = Player::new();
        let lines = player.places(scenario).lines;
        let places = lines.iter().enumerate().filter(|(_, it)| it.contains(word));
        let mut places: Vec<usize> = places.map(|it| it.0).collect();
        places.truncate(places.len().saturating_sub(earlier).max(1));
        let at = places.pop().expect("there is such a request");
        let schedule = Schedule::with(scenario, at, act, Who::Same);
        let schedule = Schedule { last, ..schedule };
        let wrong = player.play(&schedule, Missing::Nothing, |_| ());
        assert!(wrong.is_ok(), "{}", wrong.unwrap_err());
    });
}

/// Both the container that was stopped and the one that is to be started are gone then. Each was made
/// again under the name that the other one needed.
#[test]
fn a_prune_before_the_start_of_a_rollback_leaves_what_ran() {
    plays(Scenario::Rollback, ": start ", 0, Act::Prune, Who::Same);
}

/// The name of the image goes back first, before the container of that image is made again.
#[test]
fn a_prune_before_a_death_at_the_commit_of_a_rollback_leaves_what_ran() {
    plays_each(|player| {
        let scenario = Scenario::Rollback;
        let lines = player.places(scenario).lines;
        let tagged = lines.iter().rposition(|it| it.contains(": tag ")).expect("there is one");
        let acts = [(tagged + 2, Act::Prune), (tagged + 4, Act::DieBefore)];
        let first: BTreeMap<usize, Act> = acts.into();
        vec![Schedule { first, ..Schedule::calm(scenario) }]
    });
}

/// What is gone back to had its restart policy before it was started: an engine that restarted just then
/// started it on the data of the version that had been left, which could not be brought back below it.
#[test]
fn an_engine_that_restarts_before_the_start_of_a_rollback_starts_nothing() {
    plays_each(|player| {
        let scenario = Scenario::Rollback;
        let lines = player.places(scenario).lines;
        let start = lines.iter().rposition(|it| it.contains(": start ")).expect("there is one");
        let acts = [Act::EngineRestart { effect: false }, Act::EngineKilled { effect: false }];
        let before = |act| Schedule::with(scenario, start - 1, act, Who::Same);
        acts.map(before).into()
    });
}

/// The proof was over with the first look that failed, and the way back was stuck although the old
/// version served.
#[test]
fn one_hiccup_of_a_probe_strands_no_way_back() {
    plays(Scenario::IllUpdate, ": exec probe", 2, Act::Hangs { effect: false }, Who::Same);
}

/// It stayed stuck in the history for ever.
#[test]
fn what_is_stuck_here_and_was_mended_by_another_store_is_not_stuck_any_more() {
    plays(Scenario::Update, ": set policy", 0, Act::Away(300_000), Who::Other);
}

/// Only the target had heard that it began, so that every step may have been taken: the image was
/// removed that somebody had pulled before.
#[test]
fn an_image_that_was_there_outlives_an_operation_of_which_little_is_known() {
    let first = usize::MAX;
    plays(Scenario::IllUpdate, "/journal.json", first, Act::DieAfter, Who::Same);
}

/// The record that was to be written to the target first was not written at all, nor was any after it: the
/// journal of an update that had said its end had none, and the next command called it interrupted.
#[test]
fn what_was_said_by_an_update_that_its_engine_left_stays_in_the_history() {
    plays_each(|player| {
        let scenario = Scenario::Update;
        let lines = player.places(scenario).lines;
        let records = lines.iter().enumerate().filter(|(_, it)| it.contains("/journal.json"));
        let away = |(at, _)| Schedule::with(scenario, at, Act::Away(3_000), Who::Same);
        let away = records.map(away).collect::<Vec<_>>();
        assert!(away.len() >= 5, "the target hears of each border");
        away
    });
}

/// The old version served again, and only its own store knew. The other store stopped it, to start it as it
/// should, and died in between; the first one had it down as started, found it still, and was stuck.
#[test]
fn what_another_store_has_stopped_on_a_way_back_is_started_by_the_first_one() {
    plays_each(|player| {
        let scenario = Scenario::IllUpdate;
        let lines = player.places(scenario).lines;
        let started = lines.iter().rposition(|it| it.contains(": start ")).expect("it is there");
        let dies = |(first, at)| {
            let first = BTreeMap::from([(first, Act::DieBefore)]);
            let second = (Who::Other, 0, BTreeMap::from([(at, Act::DieAfter)]));
            Schedule { scenario, first, second, last: Who::Same, is_lost: false }
        };
        // From 78 on the other store acts.
        let places = (started + 1..=started + 15).step_by(7);
        places.flat_map(|first| (78..=86).map(move |at| dies((first, at)))).collect()
    });
}

/// Where a schedule is like this one but for when a process dies, at each of those times.
fn plays_each(schedules: impl FnOnce(&Player) -> Vec<Schedule> + Send) {
    with_room(|| {
        let player = Player::new();
        for schedule in schedules(&player) {
            let wrong = player.play(&schedule, Missing::Nothing, |_| ());
            assert!(wrong.is_ok(), "{}", wrong.unwrap_err());
        }
    });
}

fn snapshot_of(player: &Player, scenario: Scenario) -> usize {
    let lines = player.places(scenario).lines;
    lines.iter().position(|it| it.contains("/keeper snapshot")).expect("there is one")
}

/// Only its own store knew that the way back had begun. To the next one the data had been handed over, and
/// the old version, which served again, stood in the way of bringing it back: it was stuck.
#[test]
fn a_way_back_that_another_store_finds_half_done_is_gone_to_its_end() {
    plays_each(|player| {
        let (scenario, last, is_lost) = (Scenario::Rollback, Who::Other, true);
        let snapshot = snapshot_of(player, scenario);
        // From the first look of the way back to the proof of the old version.
        let dies = |later| {
            let acts = [(0, Act::Lost { effect: true }), (later, Act::DieBefore)];
            let first = acts.map(|(it, act)| (snapshot + it, act)).into();
            let second = (Who::Other, 0, BTreeMap::new());
            Schedule { scenario, first, second, last, is_lost }
        };
        (1..=24).map(dies).collect()
    });
}

/// The other store had seen that the new version never ran, and brought no data back. Whoever came after
/// it could not see that any more, and wrote nothing down, because his own store had not heard of it all.
#[test]
fn a_way_back_that_another_store_has_half_done_for_us_is_gone_to_its_end() {
    plays_each(|player| {
        let scenario = Scenario::Again;
        let first = BTreeMap::from([(snapshot_of(player, scenario), Act::DieAfter)]);
        // Up to 77 it waits for the lease, and from 80 on it goes back.
        let dies = |at| {
            let second = (Who::Other, 0, BTreeMap::from([(at, Act::DieBefore)]));
            Schedule { scenario, first: first.clone(), second, last: Who::Same, is_lost: false }
        };
        (78..=108).step_by(3).map(dies).collect()
    });
}

/// The copy in the second store looked like the whole of an operation of its own from then on. Nothing was
/// taken back but what the target had heard of.
#[test]
fn what_another_store_has_copied_before_it_died_is_not_all_that_was_done() {
    plays_each(|player| {
        let scenario = Scenario::Update;
        let lines = player.places(scenario).lines;
        let last =
            |word: &str| lines.iter().rposition(|it| it.contains(word)).expect("it is there");
        let staged = last("/keeper snapshot");
        let staged = lines[..staged].iter().rposition(|it| it.contains("/journal.json"));
        let (staged, started) = (staged.expect("it is there"), last(": start "));
        let (last, is_lost) = (Who::Other, true);
        // From 73 on it copies, and at 78 the target hears of it.
        let dies = |first, at| {
            let second = (Who::Other, 0, BTreeMap::from([(at, Act::DieBefore)]));
            let first = BTreeMap::from([(first, Act::DieBefore)]);
            Schedule { scenario, first, second, last, is_lost }
        };
        (73..=79).flat_map(|at| [dies(staged, at), dies(started + 1, at)]).collect()
    });
}
