//! Another controller's transaction, of which only the records up to its last phase are known.

use super::{
    crash::{Cut, cuts},
    lab::{COMMIT, Fault, Lab, SWITCH, VERIFIED, World},
};
use crate::Outcome;

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
        let forward =
            written.iter().position(|it| matches!(it.0, crate::Record::RollbackStarted { .. }));
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

/// Exactly one version, and of the other nothing that could start. The image may have been the
/// user's, so it stays.
fn assert_one(lab: &Lab, is_new: bool, place: &str) {
    assert_eq!(lab.serves_in_the_end(), if is_new { "new" } else { "old" }, "{place}");
    let other = if is_new { "old" } else { "new" };
    assert!(!lab.facts().contains(&other), "{other} is gone {place}");
    let World { pending, .. } = lab.world.lock().unwrap().clone();
    assert_eq!(pending, None, "{place}");
}
