//! Ways back that do not go smoothly, and the ways out of them.

use super::{
    crash::cuts,
    lab::{Fact, Fault, Health, Lab, World, broken},
};
use crate::{
    Before, Cause, Outcome, Record, StepId, TargetError, engine::UNDO_LIMIT_MIN, gate::Baseline,
    gate::ProbeSeen,
};

#[tokio::test]
async fn a_stuck_rollback_can_be_retried() {
    let lab = Lab::with(("start", Fault::Fails));
    lab.fault("start", Fault::UndoFails, 3);
    let stuck = Outcome::Stuck { cause: broken(3, "start"), undo_error: broken(3, "start") };
    assert_eq!(lab.update().await, Ok(stuck));
    assert_eq!(lab.recover().await, Outcome::RolledBack { cause: broken(3, "start") });
    lab.saw(
        "pull, create, stop, start!, undo start!, undo start!, undo start!, \
         undo start, undo stop, probe, undo create, undo pull",
    );
}

#[tokio::test]
async fn an_undo_is_tried_three_times() {
    let lab = Lab::with(("start", Fault::Fails));
    lab.fault("start", Fault::UndoFails, 2);
    assert_eq!(lab.update().await, Ok(Outcome::RolledBack { cause: broken(3, "start") }));
    let lab = Lab::with(("start", Fault::Fails));
    lab.fault("start", Fault::UndoHangs, 3);
    // Longer than the step itself may take: taking back a stop is a start.
    let error = TargetError::TimedOut { after: UNDO_LIMIT_MIN };
    let undo_error = Cause::Step { step: StepId(3), error };
    let stuck = Outcome::Stuck { cause: broken(3, "start"), undo_error };
    assert_eq!(lab.update().await, Ok(stuck));
    assert!(lab.world.lock().unwrap().now < 4 * UNDO_LIMIT_MIN, "each try has its limit");
}

#[tokio::test]
async fn a_staged_step_that_cannot_be_undone_is_left_and_named() {
    for (verb, outcome) in [
        ("create", Outcome::Failed { cause: broken(1, "create") }),
        ("start", Outcome::RolledBack { cause: broken(3, "start") }),
    ] {
        let lab = Lab::with((verb, Fault::Fails));
        lab.fault("create", Fault::UndoFails, 3);
        let (ended, written) = lab.updated().await;
        assert_eq!((ended, lab.serves()), (outcome, "old"));
        let abandoned =
            |it: &Record<_, _>| matches!(it, Record::StepAbandoned { step, .. } if step.0 == 1);
        assert!(written.iter().any(|it| abandoned(&it.0)), "{verb}");
        assert_eq!(lab.facts(), ["new", "old", "old up"], "the image is still taken back");
    }
}

/// The process died while it confirmed, and the target does not say what became of it.
#[tokio::test]
async fn an_unanswered_confirmation_is_asked_again() {
    let whole = Lab::new();
    let _committed = whole.updated().await;
    let confirming =
        |it: &Record<_, _>| matches!(it, Record::StepStarted { step, .. } if step.0 == 4);
    let mut outcomes = Vec::new();
    for cut in cuts(&whole).iter().filter(|it| confirming(&it.journal.last().unwrap().0)) {
        for fault in [Fault::Unanswered, Fault::LookHangs, Fault::SettleHangs] {
            let lab = Lab::found(&cut.journal, &cut.world);
            lab.fault("confirm", fault, 2);
            for _ in 0..2 {
                let stuck = lab.recover().await;
                assert!(matches!(&stuck, Outcome::Stuck { cause: Cause::Interrupted, .. }));
                assert_eq!(lab.serves(), "new", "nothing is taken back on a guess");
            }
            let outcome = lab.recover().await;
            let serves = if outcome == Outcome::Committed { "new" } else { "old" };
            assert_eq!(lab.serves_in_the_end(), serves, "{}", cut.place);
            outcomes.push(outcome == Outcome::Committed);
        }
    }
    assert_eq!(outcomes, [false, false, false, true, true, true, true, true, true]);
}

/// Once anything was taken back, the target's confirmation no longer leads forward.
#[tokio::test]
async fn a_stuck_way_back_is_not_turned_round() {
    let whole = Lab::new();
    let written = whole.updated().await.1;
    let confirming =
        |it: &Record<_, _>| matches!(it, Record::StepStarted { step, .. } if step.0 == 4);
    let at = written.iter().position(|it| confirming(&it.0)).unwrap();
    // It looked confirmed when the step began, so the way back leaves the confirmation alone.
    let mut journal = written[..=at].to_vec();
    if let Record::StepStarted { before, .. } = &mut journal[at].0 {
        *before = Before::Present;
    }
    let lab = Lab::found(&journal, &written[at].1);
    lab.fault("stop", Fault::UndoFails, 3);
    let stuck = lab.recover().await;
    assert!(matches!(stuck, Outcome::Stuck { cause: Cause::Interrupted, .. }));
    lab.world.lock().unwrap().make("confirm", true); // By a stranger, or by a late effect.
    let outcome = lab.recover().await;
    assert_eq!(outcome, Outcome::RolledBack { cause: Cause::Interrupted });
    assert_eq!(lab.serves(), "old");
}

#[tokio::test]
async fn an_old_version_that_does_not_come_back_is_stuck() {
    let lab = Lab { health: Health::BothAreIll, ..Lab::with(("start", Fault::Fails)) };
    let (outcome, mut written) = lab.updated().await;
    let is_ill = |it: &Cause| matches!(it, Cause::NeverReady { .. });
    assert!(matches!(&outcome, Outcome::Stuck { undo_error, .. } if is_ill(undo_error)));
    lab.saw("pull, create, stop, start!, undo start, undo stop, probe");
    // It is mended by hand; what was staged goes when it has proven itself.
    let world = lab.world.lock().unwrap().clone();
    let mended = Lab::found(&std::mem::take(&mut written), &world);
    assert_eq!(mended.recover().await, Outcome::RolledBack { cause: broken(3, "start") });
    assert_eq!(mended.facts(), ["old", "old up"]);
}

/// A way back that was left after it had started the old version, or stuck because that one was ill: what
/// was written of it, and the world at that moment.
async fn left_with_the_old_version() -> Vec<(Vec<(Fact, World)>, World)> {
    let lab = Lab { health: Health::BothAreIll, ..Lab::with(("start", Fault::Fails)) };
    let (outcome, written) = lab.updated().await;
    assert!(matches!(outcome, Outcome::Stuck { .. }));
    let is_started = |it: &Record<_, _>| matches!(it, Record::StepUndone { step } if step.0 == 2);
    let at = written.iter().position(|it| is_started(&it.0)).unwrap();
    let worlds = [written[..=at].to_vec(), written];
    worlds.map(|it| (it.clone(), it.last().unwrap().1.clone())).into()
}

#[tokio::test]
async fn an_old_version_that_ended_before_it_had_proven_itself_is_started_once_more() {
    for (written, mut world) in left_with_the_old_version().await {
        world.make("stop", true);
        let lab = Lab::found(&written, &world);
        lab.fault("stop", Fault::UndoFails, 2);
        assert_eq!(lab.recover().await, Outcome::RolledBack { cause: broken(3, "start") });
        assert_eq!(lab.facts(), ["old", "old up"]);
        let log = lab.world.lock().unwrap().log.join(", ");
        assert!(
            log.ends_with("start again, start again, start again, probe, undo create, undo pull")
        );
        // No barrier, which would use force on what serves by then.
        assert!(lab.settled.lock().unwrap().iter().all(|it| it.0 != "stop"));
    }
}

#[tokio::test]
async fn an_old_version_that_cannot_be_started_once_more_is_the_gates_to_judge() {
    for (written, mut world) in left_with_the_old_version().await {
        world.make("stop", true);
        let lab = Lab::found(&written, &world);
        lab.fault("stop", Fault::UndoFails, 3);
        assert!(matches!(lab.recover().await, Outcome::Stuck { .. }));
        assert_eq!(lab.serves(), "nothing");
        assert_eq!(lab.recover().await, Outcome::RolledBack { cause: broken(3, "start") });
    }
}

#[tokio::test]
async fn an_old_version_that_nobody_judges_and_that_cannot_be_started_once_more_is_not_called_back()
{
    let mut lab = Lab::with(("start", Fault::Fails));
    // As of one that was paused, or that the engine kept restarting: it was stopped, and proves nothing.
    lab.plan.gate.baseline = Some(Baseline { running: false, probes: vec![], restarting: false });
    let (_, written) = lab.updated().await;
    let is_started = |it: &Record<_, _>| matches!(it, Record::StepUndone { step } if step.0 == 2);
    let at = written.iter().position(|it| is_started(&it.0)).unwrap();
    let mut world = written[at].1.clone();
    world.make("stop", true);
    let lab = Lab::found(&written[..=at], &world);
    lab.fault("stop", Fault::UndoFails, 3);
    assert!(matches!(lab.recover().await, Outcome::Stuck { .. }));
    assert_eq!(lab.serves(), "nothing");
    assert_eq!(lab.recover().await, Outcome::RolledBack { cause: broken(3, "start") });
    assert_eq!(lab.facts(), ["old", "old up"]);
}

#[tokio::test]
async fn an_old_version_that_runs_is_only_judged() {
    for (written, world) in left_with_the_old_version().await {
        let (lab, before) = (Lab::found(&written, &world), world.log.len());
        assert_eq!(lab.recover().await, Outcome::RolledBack { cause: broken(3, "start") });
        let mut log = lab.world.lock().unwrap().log.split_off(before);
        log.retain(|it| it != "probe");
        assert_eq!(log, ["undo create", "undo pull"]);
    }
}

#[tokio::test]
async fn an_old_version_that_was_ill_is_held_to_no_more() {
    let mut lab = Lab { health: Health::BothAreIll, ..Lab::with(("start", Fault::Fails)) };
    let probe = ProbeSeen { probe: "http".into(), ready: false, detail: "HTTP 500".into() };
    lab.plan.gate.baseline =
        Some(Baseline { running: true, probes: vec![probe], restarting: false });
    assert_eq!(lab.update().await, Ok(Outcome::RolledBack { cause: broken(3, "start") }));
}

#[tokio::test]
async fn without_auto_rollback_an_ill_version_stays_until_somebody_decides() {
    let left = async || {
        let mut lab = Lab { health: Health::NewIsIll, ..Lab::new() };
        lab.plan.auto_rollback = false;
        let outcome = lab.update().await.unwrap();
        assert!(matches!(
            outcome,
            Outcome::Stuck { cause: Cause::NeverReady { .. }, undo_error: Cause::Requested }
        ));
        lab.saw("pull, create, stop, start, probe");
        lab
    };
    let lab = left().await;
    let outcome = lab.recover().await;
    assert!(matches!(outcome, Outcome::RolledBack { cause: Cause::NeverReady { .. } }));
    assert_eq!(lab.facts(), ["old", "old up"]);
    let lab = left().await;
    assert_eq!((lab.accept().await, lab.serves()), (Outcome::Accepted, "new"));
    assert_eq!(lab.recover().await, Outcome::Accepted);
}

#[tokio::test]
async fn without_auto_rollback_a_failed_step_still_goes_back() {
    let mut lab = Lab::with(("start", Fault::Fails));
    lab.plan.auto_rollback = false;
    assert_eq!(lab.update().await, Ok(Outcome::RolledBack { cause: broken(3, "start") }));
}

#[tokio::test]
async fn accepting_what_runs_changes_nothing_from_any_phase() {
    let stuck = Lab::with(("start", Fault::Fails));
    stuck.fault("start", Fault::UndoFails, 3);
    for run in [Lab::new(), Lab::with(("start", Fault::Fails)), stuck] {
        let _outcome = run.updated().await;
        for cut in cuts(&run) {
            let lab = Lab::found(&cut.journal, &cut.world);
            let outcome = lab.accept().await;
            if cut.journal.iter().any(|it| it.0 == Record::Committed) {
                assert_eq!(outcome, Outcome::Committed, "only what is left over goes");
                continue;
            }
            match &cut.journal.last().unwrap().0 {
                Record::Closed { outcome: Outcome::Stuck { .. } } => {
                    assert_eq!(outcome, Outcome::Accepted);
                }
                Record::Closed { outcome: ended } => assert_eq!(outcome, *ended),
                _ => assert_eq!(outcome, Outcome::Accepted, "{}", cut.place),
            }
            assert_eq!(lab.effects(), cut.world.effects(), "{}", cut.place);
            assert_eq!(lab.recover().await, outcome, "and that is the end of it");
            assert_eq!(lab.effects(), cut.world.effects(), "{}", cut.place);
        }
    }
}

#[tokio::test]
async fn what_was_learned_before_a_crash_is_handed_over() {
    let written = Lab::new().updated().await.1;
    let lab = Lab::found(&written[..5], &written[4].1);
    let _failed = lab.recover().await;
    assert_eq!(*lab.recalled.lock().unwrap(), ["id of pull", "id of create"]);
}
