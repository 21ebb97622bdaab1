//! Transcripts: what one fault does to an update. A line is a look or an effect that took place.

use super::lab::{Fault, Health, LIMIT, Lab, broken, late, plan_of};
use crate::{
    Cause, Outcome, Record, StepId, TargetError,
    event::{EventKind, PhaseName, StepState},
};

fn drifted(step: u16) -> Cause {
    let (expected, found) = ("ours".to_owned(), "a stranger's".to_owned());
    Cause::Step { step: StepId(step), error: TargetError::Drifted { expected, found } }
}

#[tokio::test]
async fn a_healthy_update_is_sealed_and_committed() {
    let lab = Lab::new();
    assert_eq!(lab.update().await, Ok(Outcome::Committed));
    lab.saw("pull, create, stop, start, probe, confirm, remove");
    assert_eq!(lab.serves(), "new");
}

#[tokio::test]
async fn a_failed_step_is_undone_first_and_the_rest_in_reverse() {
    let lab = Lab::with(("start", Fault::Fails));
    assert_eq!(lab.update().await, Ok(Outcome::RolledBack { cause: broken(3, "start") }));
    lab.saw("pull, create, stop, start!, undo start, undo stop, probe, undo create, undo pull");
}

#[tokio::test]
async fn before_the_switch_a_failure_costs_no_downtime() {
    let lab = Lab::with(("create", Fault::Fails));
    assert_eq!(lab.update().await, Ok(Outcome::Failed { cause: broken(1, "create") }));
    lab.saw("pull, create!, undo create, undo pull");
}

#[tokio::test]
async fn what_was_present_before_is_neither_made_again_nor_undone() {
    let lab = Lab::in_world(&["old", "old up", "image"]);
    lab.fault("create", Fault::Fails, 1);
    let _failed = lab.update().await;
    lab.saw("create!, undo create");
    let blind = Lab { looks_away: true, ..Lab::in_world(&["old", "old up", "image"]) };
    blind.fault("create", Fault::Fails, 1);
    let _failed = blind.update().await;
    // Without the look, the user's image is gone.
    blind.saw("pull, create!, undo create, undo pull");
}

#[tokio::test]
async fn a_late_effect_is_settled_before_the_undo() {
    let lab = Lab::with(("stop", Fault::Late));
    assert_eq!(lab.update().await, Ok(Outcome::RolledBack { cause: late(2) }));
    lab.saw("pull, create, stop…, settle stop, undo stop, probe, undo create, undo pull");
    assert_eq!(lab.serves_in_the_end(), "old");
    let hasty = Lab { skips_settle: true, ..Lab::with(("stop", Fault::Late)) };
    assert!(matches!(hasty.update().await, Ok(Outcome::RolledBack { .. })));
    assert_eq!(hasty.serves_in_the_end(), "nothing"); // Without the barrier, the claim is false.
}

#[tokio::test]
async fn every_step_may_take_effect_long_after_its_time() {
    for (verb, step) in [("pull", 0), ("create", 1), ("stop", 2), ("start", 3), ("confirm", 4)] {
        let lab = Lab::with((verb, Fault::Late));
        let outcome = lab.update().await.unwrap();
        let cause = late(step);
        let (failed, back) =
            (Outcome::Failed { cause: cause.clone() }, Outcome::RolledBack { cause });
        assert_eq!(outcome, if step < 2 { failed } else { back });
        assert_eq!(
            (lab.serves_in_the_end(), lab.facts()),
            ("old", vec!["old", "old up"]),
            "{verb}"
        );
    }
}

/// The second try of a step whose first caller died must not meet the first one's effect.
#[tokio::test]
async fn a_retired_step_is_settled_before_it_is_tried_again() {
    let whole = Lab::new().updated().await.1;
    let removing = |it: &Record<_, _>| matches!(it, Record::StepStarted { step: StepId(5), .. });
    let started = whole.iter().position(|it| removing(&it.0)).unwrap();
    let mut world = whole[started].1.clone();
    world.pending = Some((world.now + 5 * LIMIT, "remove".to_owned()));
    world.log.clear();
    let lab = Lab::found(&whole[..=started], &world);
    assert_eq!(lab.recover().await, Outcome::Committed);
    lab.saw("settle remove, remove");
}

#[tokio::test]
async fn what_cannot_be_retired_is_left_and_named() {
    for fault in [Fault::Refuses, Fault::Hangs, Fault::Drifts, Fault::Unanswered] {
        let lab = Lab::with(("remove", fault));
        let (outcome, written) = lab.updated().await;
        assert_eq!((outcome, lab.serves()), (Outcome::Committed, "new"));
        let abandoned =
            |it: &Record<_, _>| matches!(it, Record::StepAbandoned { step, .. } if step.0 == 5);
        assert!(written.iter().any(|it| abandoned(&it.0)), "{fault:?}");
    }
}

#[tokio::test]
async fn what_a_stranger_changed_before_a_step_is_not_touched() {
    let lab = Lab::with(("stop", Fault::Drifts));
    assert_eq!(lab.update().await, Ok(Outcome::Failed { cause: drifted(2) }));
    lab.saw("pull, create, undo create, undo pull");
    let lab = Lab::with(("start", Fault::Drifts));
    assert_eq!(lab.update().await, Ok(Outcome::RolledBack { cause: drifted(3) }));
    lab.saw("pull, create, stop, undo stop, probe, undo create, undo pull");
    assert!(!drifted(3).is_verdict(), "it says nothing about the release");
}

#[tokio::test]
async fn a_look_that_never_ends_is_given_up() {
    for (verb, serves) in [("pull", "old"), ("start", "old"), ("confirm", "old"), ("remove", "new")]
    {
        let lab = Lab::with((verb, Fault::LookHangs));
        let outcome = lab.update().await.unwrap();
        assert_eq!(outcome == Outcome::Committed, serves == "new");
        assert_eq!(lab.serves_in_the_end(), serves);
    }
}

#[tokio::test]
async fn a_barrier_that_never_ends_is_given_up() {
    let lab = Lab::with(("start", Fault::Fails));
    lab.fault("start", Fault::SettleHangs, 3);
    let stuck = Outcome::Stuck { cause: broken(3, "start"), undo_error: late(3) };
    assert_eq!(lab.update().await, Ok(stuck));
    assert_eq!(lab.recover().await, Outcome::RolledBack { cause: broken(3, "start") });
}

#[tokio::test]
async fn a_crash_inside_the_window_is_unhealthy() {
    let lab = Lab { health: Health::NewCrashesAt(3), ..Lab::new() };
    let outcome = lab.update().await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack { cause: Cause::Restarted { .. } }));
    lab.saw(
        "pull, create, stop, start, probe, undo start, undo stop, probe, undo create, undo pull",
    );
}

#[tokio::test]
async fn hanging_probes_meet_the_deadline() {
    let lab = Lab { health: Health::NewHangs, ..Lab::new() };
    let outcome = lab.update().await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack { cause: Cause::NeverReady { .. } }));
    assert!(lab.world.lock().unwrap().now < 2 * lab.plan.gate.deadline);
}

#[tokio::test]
async fn a_first_install_that_fails_leaves_nothing() {
    let first = |fault, health| {
        let mut plan = plan_of([&["pull", "create"], &["start"], &[], &[]]);
        plan.gate.baseline = None;
        let lab = Lab { plan, health, ..Lab::in_world(&[]) };
        if let Some(fault) = fault {
            lab.fault("start", fault, 1);
        }
        lab
    };
    let lab = first(Some(Fault::Fails), Health::Well);
    assert_eq!(lab.update().await, Ok(Outcome::Failed { cause: broken(2, "start") }));
    lab.saw("pull, create, start!, undo start, undo create, undo pull");
    let lab = first(None, Health::NewIsIll);
    let outcome = lab.update().await.unwrap();
    assert!(matches!(outcome, Outcome::Failed { cause: Cause::NeverReady { .. } }));
    assert_eq!(lab.facts(), Vec::<&str>::new());
    let lab = first(None, Health::Well);
    assert_eq!(lab.update().await, Ok(Outcome::Committed));
}

#[tokio::test]
async fn what_is_reported_of_steps_is_on_disk() {
    let whole = Lab::new().updated().await.1.len();
    for room in 0..=whole {
        let lab = Lab { room: Some(room), ..Lab::new() };
        let _outcome = lab.watched().await;
        let written = lab.written();
        let (mut started, mut done) = (0, 0);
        for (fact, _) in &written {
            started += usize::from(matches!(fact, Record::StepStarted { .. }));
            done += usize::from(matches!(fact, Record::StepApplied { .. }));
        }
        let told = |wanted| {
            let events = lab.events.lock().unwrap();
            let is =
                |it: &EventKind| matches!(it, EventKind::Step { state, .. } if *state == wanted);
            events.iter().filter(|it| is(&it.kind)).count()
        };
        assert_eq!((told(StepState::Started), told(StepState::Done)), (started, done), "{room}");
    }
}

#[tokio::test]
async fn the_phases_come_in_their_order() {
    use PhaseName::{Idle, Retiring, RollingBack, Staging, Switching, Verifying};
    let phases = async |lab: Lab| {
        let _outcome = lab.watched().await;
        let events = lab.events.into_inner().unwrap();
        let phase = |it| if let EventKind::Phase { phase } = it { Some(phase) } else { None };
        events.into_iter().filter_map(|it| phase(it.kind)).collect::<Vec<_>>()
    };
    let forward = [Staging, Switching, Verifying, Retiring, Idle];
    assert_eq!(phases(Lab::new()).await, forward);
    let back = [Staging, Switching, RollingBack, Idle];
    assert_eq!(phases(Lab::with(("start", Fault::Fails))).await, back);
}
