//! Another controller's transaction, of which only the records up to its last phase are known.

use super::{
    crash::{Cut, cuts},
    lab::{COMMIT, Fault, Lab, SWITCH, VERIFIED, World},
};
use crate::{Force, Outcome, Record};

/// The records after which the target learns how far the transaction is: the beginning, the first
/// step of the switch, the open gate, and the commit.
const KNOWN: [usize; 4] = [1, SWITCH + 1, VERIFIED + 1, COMMIT + 1];

/// Reality at every moment at which `known` is the last thing that the target was told. The next
/// thing is told after it is journaled, and before its effect.
fn moments(run: &Lab, known: usize) -> Vec<Cut> {
    let until = KNOWN.into_iter().find(|it| *it > known).unwrap_or(usize::MAX);
    let mut moments = cuts(run);
    moments.retain(|it| (known..until).contains(&it.journal.len()));
    moments
}

#[tokio::test]
async fn by_its_plan_and_phase_alone_it_ends_with_one_version() {
    let whole = Lab::new();
    let (_committed, written) = whole.updated().await;
    for known in KNOWN {
        for Cut { world, place, .. } in moments(&whole, known) {
            let confirming = world.pending.as_ref().is_some_and(|it| it.1 == "confirm");
            let confirmed = confirming || world.facts.contains("confirmed");
            let lab = Lab::found(&written[..known], &world);
            let outcome = lab.recover_foreign().await;
            let place = format!("{place}, {known} are known");
            assert_eq!(outcome == Outcome::Committed, confirmed, "{outcome:?} {place}");
            assert_one(&lab, confirmed, &place);
            assert_eq!(lab.recover().await, outcome, "and that is the end of it {place}");
        }
    }
}

#[tokio::test]
async fn a_way_back_of_another_is_taken_to_its_end() {
    for verb in ["create", "start", "confirm"] {
        let failing = Lab::with((verb, Fault::Fails));
        let (_rolled_back, written) = failing.updated().await;
        let forward = written.iter().position(|it| matches!(it.0, Record::RollbackStarted { .. }));
        let known = KNOWN.into_iter().rfind(|it| *it <= forward.unwrap()).unwrap();
        for Cut { world, place, journal } in cuts(&failing) {
            if journal.len() <= forward.unwrap() {
                continue;
            }
            let lab = Lab::found(&written[..known], &world);
            let outcome = lab.recover_foreign().await;
            // Whoever fails to confirm may have confirmed: the target's word counts.
            let confirmed = world.facts.contains("confirmed");
            assert_eq!(outcome == Outcome::Committed, confirmed, "{verb} {place}");
            assert_one(&lab, confirmed, &place);
        }
    }
}

/// The process that took it over dies as well, and its own journal is taken up.
#[tokio::test]
async fn a_crash_of_the_second_controller_ends_the_same_way() {
    let whole = Lab::new();
    let (_committed, written) = whole.updated().await;
    for known in KNOWN {
        for moment in moments(&whole, known) {
            let first = Lab::found(&written[..known], &moment.world);
            let outcome = first.recover_foreign().await;
            for cut in cuts(&first) {
                // The intents that it presumed are written without an effect of its own.
                if cut.journal.len() <= known || cut.world.pending != moment.world.pending {
                    continue;
                }
                let lab = Lab::found(&cut.journal, &cut.world);
                let again = lab.recover_foreign().await;
                let is_new = again == Outcome::Committed;
                assert_eq!(is_new, outcome == Outcome::Committed, "{} {}", moment.place, cut.place);
                assert_one(&lab, is_new, &cut.place);
            }
        }
    }
}

/// What its records say was started may still come, and is brought about; what is only presumed may
/// never have been asked for, and nothing is stopped or made because of that.
#[tokio::test]
async fn force_is_used_only_where_it_is_known_that_something_was_asked_for() {
    let whole = Lab::new();
    let (_committed, written) = whole.updated().await;
    let (_, world) = &written[SWITCH];
    let lab = Lab::found(&written[..=SWITCH], world);
    let _back = lab.recover_foreign().await;
    let settled = lab.settled.lock().unwrap().clone();
    let known = [("start", Force::Forbidden), ("stop", Force::Allowed), ("create", Force::Allowed)];
    assert_eq!(settled[..3], known.map(|(verb, force)| (verb.to_owned(), force)));
    // It stands in the record, for whoever takes up the recovery in turn.
    let records: Vec<String> =
        lab.written().iter().map(|it| serde_json::to_string(&it.0).unwrap()).collect();
    assert!(records.iter().any(|it| it.contains(r#""step":3"#) && it.contains("presumed")));
    assert!(!records[..=SWITCH].iter().any(|it| it.contains("presumed")));
}

/// The target hears that somebody took it up again, before anything is taken back. Whoever goes on
/// from there, after that one has died too, comes to the same end.
#[tokio::test]
async fn a_third_controller_goes_on_from_where_the_second_took_it_up() {
    let whole = Lab::new();
    let (_committed, written) = whole.updated().await;
    for known in KNOWN {
        for moment in moments(&whole, known) {
            let second = Lab::found(&written[..known], &moment.world);
            let outcome = second.recover_foreign().await;
            let told = second.written();
            let Some(told_last) = told.iter().position(|it| it.0 == Record::Interrupted) else {
                continue; // It was at its end already.
            };
            for cut in cuts(&second).into_iter().filter(|it| it.journal.len() > told_last) {
                if cut.world.pending != moment.world.pending {
                    continue; // An intent that was presumed has no effect of its own.
                }
                let third = Lab::found(&told[..=told_last], &cut.world);
                let again = third.recover_foreign().await;
                let is_new = again == Outcome::Committed;
                assert_eq!(is_new, outcome == Outcome::Committed, "{} {}", moment.place, cut.place);
                assert_one(&third, is_new, &cut.place);
            }
        }
    }
}

/// Exactly one version, and of the other nothing that could start. The image may have been the
/// user's, so it stays.
fn assert_one(lab: &Lab, is_new: bool, place: &str) {
    assert_eq!(lab.serves_in_the_end(), if is_new { "new" } else { "old" }, "{place}");
    let other = if is_new { "old" } else { "new" };
    assert!(!lab.facts().contains(&other), "{other} is gone {place}");
    let World { pending, .. } = lab.world.lock().unwrap().clone();
    assert_eq!(pending, None, "{place}");
}
