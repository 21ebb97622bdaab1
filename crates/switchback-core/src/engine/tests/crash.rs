//! Sweeps: the power cut, the full disk, and the cut inside the recovery, at every record.

use super::lab::{COMMIT, Fact, Fault, LIMIT, Lab, SWITCH, World};
use crate::{Cause, Outcome, Record, Step};

/// One moment at which a process can die: what it had written, and how it left the world.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) journal: Vec<(Fact, World)>,
    pub(super) world: World,
    pub(super) place: String,
}

/// After each record: before the next effect, after it, and with it still to come.
pub(super) fn cuts(lab: &Lab) -> Vec<Cut> {
    let written = lab.written();
    let mut cuts = Vec::new();
    for cut in 1..=written.len() {
        let (fact, before) = &written[cut - 1];
        let mut worlds = vec![("before", before.clone())];
        let after =
            written.get(cut).map_or_else(|| lab.world.lock().unwrap().clone(), |it| it.1.clone());
        worlds.push(("after", after));
        if let Record::StepStarted { step, settles_by, .. } = fact {
            let mut later = before.clone();
            let verb = lab.plan.step(*step).map(|it: &Step<String>| it.change.clone());
            later.pending = Some((*settles_by + LIMIT, verb.unwrap()));
            worlds.push(("to come", later));
        }
        cuts.extend(worlds.into_iter().map(|(when, world)| Cut {
            journal: written[..cut].to_vec(),
            world,
            place: format!("after {cut} of {} records, the next effect {when}", written.len()),
        }));
    }
    cuts
}

/// How it has to end, by the records and the target's own word alone.
fn expected(cut: &Cut) -> Outcome {
    let mut cause = Cause::Interrupted;
    let (mut went_back, mut switched) = (false, false);
    for (index, (fact, _)) in cut.journal.iter().enumerate() {
        match fact {
            Record::Committed => return Outcome::Committed,
            Record::Closed { outcome } => return outcome.clone(),
            Record::RollbackStarted { cause: it } => (went_back, cause) = (true, it.clone()),
            Record::StepStarted { step, .. } if [2, 3].contains(&step.0) => switched = true,
            _ => assert!(index < 100, "a journal is short"),
        }
    }
    let is_coming = cut.world.pending.as_ref().is_some_and(|it| it.1 == "confirm");
    if !went_back && (is_coming || cut.world.facts.contains("confirmed")) {
        return Outcome::Committed;
    }
    if switched { Outcome::RolledBack { cause } } else { Outcome::Failed { cause } }
}

fn assert_clean(lab: &Lab, outcome: &Outcome, place: &str) {
    let is_new = *outcome == Outcome::Committed;
    assert_eq!(lab.serves_in_the_end(), if is_new { "new" } else { "old" }, "{place}");
    let facts =
        if is_new { vec!["confirmed", "image", "new", "new up"] } else { vec!["old", "old up"] };
    assert_eq!(lab.facts(), facts, "nothing is left over {place}");
}

/// Every run that the sweeps cut: a good one, and one that fails at each step, either way.
async fn runs() -> Vec<Lab> {
    let mut labs = vec![Lab::new()];
    for verb in ["pull", "create", "stop", "start", "confirm"] {
        labs.extend([Fault::Fails, Fault::Refuses, Fault::Hangs].map(|it| Lab::with((verb, it))));
    }
    for lab in &labs {
        let outcome = lab.update().await.unwrap();
        assert_clean(lab, &outcome, "in the first run");
    }
    labs
}

#[tokio::test]
async fn a_crash_goes_back_until_the_target_has_confirmed_and_forward_after() {
    for run in runs().await {
        for cut in cuts(&run) {
            let lab = Lab::found(&cut.journal, &cut.world);
            let outcome = lab.recover().await;
            assert_eq!(outcome, expected(&cut), "{}", cut.place);
            assert!(lab.world.lock().unwrap().pending.is_none(), "settled {}", cut.place);
            assert_clean(&lab, &outcome, &cut.place);
        }
    }
}

#[tokio::test]
async fn a_crash_inside_the_recovery_ends_the_same_way() {
    for cut in cuts(&runs().await[0]) {
        let first = Lab::found(&cut.journal, &cut.world);
        let _lost_with_the_process = first.recover().await;
        for again in cuts(&first).into_iter().filter(|it| it.journal.len() > cut.journal.len()) {
            let lab = Lab::found(&again.journal, &again.world);
            let outcome = lab.recover().await;
            assert_eq!(outcome, expected(&again), "{}, then {}", cut.place, again.place);
            assert_clean(&lab, &outcome, &again.place);
        }
    }
}

#[tokio::test]
async fn recovering_what_has_ended_does_nothing() {
    for run in runs().await {
        let (records, effects) = (run.written().len(), run.effects());
        let lab = Lab::found(&run.written(), &run.world.lock().unwrap().clone());
        let _as_before = lab.recover().await;
        assert_eq!((lab.written().len(), lab.effects()), (records, effects));
    }
}

/// Without the barrier, or without the look, the sweeps above would be red.
#[tokio::test]
async fn the_sweep_sees_a_missing_barrier_and_a_missing_look() {
    let whole = Lab::new();
    let _committed = whole.updated().await;
    let mut wrong = [0, 0];
    for cut in cuts(&whole) {
        let hasty = Lab { skips_settle: true, ..Lab::found(&cut.journal, &cut.world) };
        let outcome = hasty.recover().await;
        let serves = if outcome == Outcome::Committed { "new" } else { "old" };
        wrong[0] += usize::from(hasty.serves_in_the_end() != serves);
        let blind = Lab { looks_away: true, ..Lab::found(&cut.journal, &cut.world) };
        wrong[1] += usize::from(blind.recover().await != expected(&cut));
    }
    assert!(wrong[0] > 0, "the effect that comes late");
    assert!(wrong[1] > 0, "the target's own confirmation");
}

/// The journal takes no record from the n-th on, and takes them again for the recovery.
#[tokio::test]
async fn a_full_disk_leaves_the_old_version_serving_until_the_commit() {
    let whole = Lab::new().updated().await.1.len();
    for room in 0..=whole {
        let mut lab = Lab { room: Some(room), ..Lab::new() };
        // From the intent to confirm on the target's own word counts, which nobody has to write down.
        let is_final = room >= COMMIT - 1;
        let expected = (is_final, if is_final { "new" } else { "old" });
        let outcome = lab.update().await.unwrap();
        assert_eq!((outcome == Outcome::Committed, lab.serves()), expected, "room for {room}");
        assert_eq!(matches!(outcome, Outcome::Failed { .. }), room <= SWITCH, "room for {room}");
        lab.room = None;
        if room == 0 {
            continue; // Not even the beginning was written, so there is nothing to recover.
        }
        let outcome = lab.recover().await;
        assert_eq!((outcome == Outcome::Committed, lab.serves()), expected, "room for {room}");
        assert_clean(&lab, &outcome, &format!("with room for {room}"));
    }
}

#[tokio::test]
async fn a_way_back_needs_no_record() {
    let failing = Lab::with(("start", Fault::Fails));
    let whole = failing.updated().await.1.len();
    for room in 0..=whole {
        let mut lab = Lab { room: Some(room), ..Lab::with(("start", Fault::Fails)) };
        let outcome = lab.update().await.unwrap();
        assert_clean(&lab, &outcome, &format!("with room for {room}"));
        lab.room = None;
        if room > 0 {
            let outcome = lab.recover().await;
            assert_clean(&lab, &outcome, &format!("recovered, with room for {room}"));
        }
    }
}

/// The journal fails once, at any record, and takes the next.
#[tokio::test]
async fn a_record_that_was_not_taken_leaves_a_whole_journal() {
    let labs = || [Lab::new(), Lab::with(("start", Fault::Fails))];
    for (at, run) in labs().into_iter().enumerate() {
        let whole = run.updated().await.1.len();
        for stumbles_at in 0..whole {
            let [good, failing] = labs();
            let lab =
                Lab { stumbles_at: Some(stumbles_at), ..if at == 0 { good } else { failing } };
            let outcome = lab.update().await.unwrap();
            let (written, world) = (lab.written(), lab.world.lock().unwrap().clone());
            let last = &written.last().expect("it was taken the second time").0;
            if matches!(last, Record::Closed { .. }) {
                assert_clean(&lab, &outcome, &format!("without record {stumbles_at}"));
            } else {
                // Of the retiring the rest is left, and is done later.
                assert!(stumbles_at > COMMIT && outcome == Outcome::Committed, "{last:?}");
            }
            let later = Lab::found(&written, &world);
            assert_eq!(later.recover().await, outcome, "without record {stumbles_at}");
            assert_clean(&later, &outcome, &format!("later, without record {stumbles_at}"));
            let went_back_again = outcome != Outcome::Committed && later.effects() > lab.effects();
            assert!(!went_back_again, "without record {stumbles_at}");
        }
    }
}

/// A crash, and a disk that is full when the next process looks.
#[tokio::test]
async fn a_recovery_without_room_ends_with_one_version() {
    for cut in cuts(&runs().await[0]) {
        let room = Some(cut.journal.len());
        let mut lab = Lab { room, ..Lab::found(&cut.journal, &cut.world) };
        let outcome = lab.recover().await;
        let is_new = |it: &Outcome| *it == Outcome::Committed;
        assert_eq!(is_new(&outcome), is_new(&expected(&cut)), "{}", cut.place);
        let serves = if is_new(&outcome) { "new" } else { "old" };
        assert_eq!(lab.serves_in_the_end(), serves, "{}", cut.place);
        lab.room = None;
        let again = lab.recover().await;
        assert_eq!(is_new(&again), is_new(&outcome), "{}", cut.place);
        assert_clean(&lab, &outcome, &cut.place);
    }
}
