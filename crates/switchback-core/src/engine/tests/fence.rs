//! The lease lost, and the wish to stop, at every record.

use super::{
    crash::cuts,
    lab::{COMMIT, Fault, Lab, SWITCH, VERIFIED, broken, plan_of},
};
use crate::{Cause, Outcome, Record, engine::RecoverError};

#[tokio::test]
async fn without_the_lease_nothing_is_changed_any_more() {
    for fault in [None, Some(("start", Fault::Fails))] {
        let lab = || fault.map_or_else(Lab::new, Lab::with);
        let written = lab().updated().await.1;
        let last = written.last().unwrap().1.effects();
        for lost in 0..=written.len() {
            let fenced = Lab { lease_until: Some(lost), ..lab() };
            let result = fenced.update().await;
            let had = lost.checked_sub(1).map_or(0, |it| written[it].1.effects());
            assert_eq!(fenced.effects(), had, "no effect after {lost} records");
            let is_over = had == last && lost >= written.len() - 1;
            assert_eq!(result.is_ok(), is_over, "{result:?} after {lost} records");
        }
    }
}

/// Whoever takes the lease takes the place with it where the journal is written.
#[tokio::test]
async fn a_journal_lost_together_with_the_lease_is_no_outcome() {
    let whole = Lab::new().updated().await.1.len();
    for lost in 0..whole {
        let fenced = Lab { room: Some(lost), lease_until: Some(lost), ..Lab::new() };
        assert!(fenced.update().await.is_err(), "after {lost} records");
        assert_eq!(fenced.written().len(), lost);
    }
}

#[tokio::test]
async fn a_recovery_without_the_lease_changes_nothing() {
    let whole = Lab::new();
    let _committed = whole.updated().await;
    for cut in cuts(&whole) {
        let lab = Lab { lease_until: Some(0), ..Lab::found(&cut.journal, &cut.world) };
        let result = lab.try_recover().await;
        assert_eq!(lab.effects(), cut.world.effects(), "{}", cut.place);
        let was_committed = cut.journal.iter().any(|it| it.0 == Record::Committed);
        let is_committed = lab.written().iter().any(|it| it.0 == Record::Committed);
        assert_eq!(is_committed, was_committed, "nothing is committed {}", cut.place);
        let (rest, opened) = (cut.journal.len() >= COMMIT + 3, cut.journal.len() == 1);
        assert!(
            matches!(result, Err(RecoverError::Fenced(_))) || rest || opened,
            "{result:?} {}",
            cut.place
        );
    }
}

/// A plan with neither a seal nor anything to retire has no effect after its gate.
#[tokio::test]
async fn a_lease_lost_in_the_stability_window_commits_nothing() {
    let plan = plan_of([&["pull", "create"], &["stop", "start"], &[], &[]]);
    let lab = Lab { plan, lease_until: Some(VERIFIED), ..Lab::new() };
    assert!(lab.update().await.is_err());
    lab.saw("pull, create, stop, start, probe");
    assert!(!lab.written().iter().any(|it| it.0 == Record::Committed));
}

#[tokio::test]
async fn a_wish_to_stop_goes_back_until_the_target_has_confirmed() {
    let whole = Lab::new().updated().await.1.len();
    for asked in 1..=whole {
        let lab = Lab { interrupt_at: Some(asked), ..Lab::new() };
        let cause = Cause::Interrupted;
        let (serves, outcome) = match asked {
            COMMIT.. => ("new", Outcome::Committed),
            it if it > SWITCH => ("old", Outcome::RolledBack { cause }),
            _ => ("old", Outcome::Failed { cause }),
        };
        assert_eq!(lab.update().await.unwrap(), outcome, "asked after {asked} records");
        assert_eq!(lab.serves_in_the_end(), serves, "asked after {asked} records");
    }
}

#[tokio::test]
async fn a_wish_to_stop_does_not_stop_the_way_back() {
    let failing = || Lab::with(("start", Fault::Fails));
    let whole = failing().updated().await.1;
    let rollback = whole.iter().position(|it| matches!(it.0, Record::RollbackStarted { .. }));
    for asked in rollback.unwrap() + 1..=whole.len() {
        let lab = Lab { interrupt_at: Some(asked), ..failing() };
        let outcome = lab.update().await.unwrap();
        assert_eq!(outcome, Outcome::RolledBack { cause: broken(3, "start") });
        assert_eq!(lab.serves_in_the_end(), "old", "asked after {asked} records");
    }
}

#[tokio::test]
async fn a_wish_to_stop_ends_a_pull_at_once() {
    let lab = Lab::with(("pull", Fault::HangsAndInterrupts));
    let outcome = lab.update().await.unwrap();
    assert_eq!(outcome, Outcome::Failed { cause: Cause::Interrupted });
    assert_eq!(lab.world.lock().unwrap().now, 0, "nobody waited for the pull's limit");
    lab.saw("pull…");
}

#[tokio::test]
async fn a_wish_to_stop_lets_a_step_of_the_switch_end() {
    let lab = Lab::with(("stop", Fault::HangsAndInterrupts));
    let outcome = lab.update().await.unwrap();
    assert_eq!(outcome, Outcome::RolledBack { cause: super::lab::late(2) });
    assert_eq!(lab.serves(), "old");
}
