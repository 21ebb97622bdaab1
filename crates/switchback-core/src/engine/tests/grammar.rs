//! Properties of the grammar and the policy, on any journal that the grammar allows.

use proptest::{collection::vec, prelude::*, sample::select};

use super::lab::{Fact, broken, late, plan_of};
use crate::{
    Before, Cause, JournalError, Next, Outcome, Plan, Record, State, Step, StepId, TargetError,
    decide::{setback, unwritten},
    next,
};

type Journaled = State<String, String>;

/// A plan with up to two steps in each part.
fn plans() -> impl Strategy<Value = Plan<String>> {
    let verbs = ["pull", "create"];
    ([0..=2_usize, 0..=2, 0..=2, 0..=2], any::<bool>(), any::<bool>()).prop_map(
        move |(sizes, is_first, auto_rollback)| {
            let mut plan = plan_of(sizes.map(|it| &verbs[..it]));
            plan.gate.baseline = plan.gate.baseline.filter(|_| !is_first);
            Plan { auto_rollback, ..plan }
        },
    )
}

fn causes() -> Vec<Cause> {
    let seen = "HTTP 500".to_owned();
    vec![
        Cause::Interrupted,
        broken(0, "pull"),
        late(2),
        Cause::NeverReady { seen: seen.clone() },
        Cause::Restarted { seen: seen.clone() },
        Cause::Beside { name: "sidecar".to_owned(), seen },
        Cause::JournalLost { error: "no space left".to_owned() },
        Cause::Requested,
        Cause::Vanished,
        Cause::Unobserved { why: "connection refused".to_owned() },
    ]
}

/// Every kind of record, about every step of the plan and one that it does not have.
fn alphabet(plan: &Plan<String>) -> Vec<Fact> {
    let evidence = "3 looks".to_owned();
    let mut all = vec![
        Record::Opened { plan: plan.clone(), format: 1, holder: "lab".to_owned() },
        Record::Verified { evidence },
        Record::Interrupted,
        Record::Retried,
        Record::Accepted,
        Record::Committed,
        Record::Closed { outcome: Outcome::Committed },
    ];
    for cause in causes() {
        let undo_error = broken(1, "create");
        all.extend([
            Record::RollbackStarted { cause: cause.clone() },
            Record::Closed { outcome: Outcome::Failed { cause: cause.clone() } },
            Record::Closed { outcome: Outcome::RolledBack { cause: cause.clone() } },
            Record::Closed { outcome: Outcome::Stuck { cause, undo_error } },
        ]);
    }
    let steps: Vec<StepId> = plan.steps().map(|(_, it)| it.id).chain([StepId(99)]).collect();
    for step in steps {
        let error = TargetError::failed("injected", "pull", "it was told to");
        let started =
            |before| Record::StepStarted { step, before, at: 1, settles_by: 2, presumed: false };
        all.extend([
            started(Before::Absent),
            started(Before::Present),
            started(Before::Image("the old one".to_owned())),
            Record::StepApplied { step, receipt: Some("id".to_owned()) },
            Record::StepApplied { step, receipt: None },
            Record::StepAbandoned { step, error },
            Record::StepUndone { step },
        ]);
    }
    all
}

/// Writes one legal record after another, as `choices` fall: every other time any record at all,
/// else one that the engine would write, since chance alone rarely gets far.
fn walk(plan: &Plan<String>, choices: &[usize]) -> (Vec<Fact>, Journaled) {
    let opened = Record::Opened { plan: plan.clone(), format: 1, holder: "lab".to_owned() };
    let (mut records, mut state) = (vec![opened.clone()], State::open(plan.clone()));
    state.record(&opened).unwrap();
    for choice in choices {
        let mut candidates: Vec<_> = match choice % 3 {
            0 => alphabet(plan),
            1 => success(&state).into_iter().collect(),
            _ => success(&state).into_iter().chain(failures(&state)).collect(),
        };
        candidates.retain(|it| state.after(it).is_some());
        let Some(record) = candidates.get(choice / 3 % candidates.len().max(1)) else { continue };
        state.record(record).unwrap();
        records.push(record.clone());
    }
    (records, state)
}

/// What the engine writes after this move, if all goes well.
fn success(state: &Journaled) -> Option<Fact> {
    let applied = |step: &Step<String>| Record::StepApplied { step: step.id, receipt: None };
    Some(match next(state) {
        Next::Done(_) => return None,
        Next::Write(record) => record,
        Next::Start(step) => Record::StepStarted {
            step: step.id,
            before: Before::Absent,
            at: 1,
            settles_by: 2,
            presumed: false,
        },
        Next::Apply((step, _)) | Next::Retire((step, _)) | Next::Ask((step, _)) => applied(step),
        Next::Verify => Record::Verified { evidence: "3 looks".to_owned() },
        Next::Undo((step, _)) => Record::StepUndone { step: step.id },
    })
}

/// What the engine writes if the move fails, in each way that it can.
fn failures(state: &Journaled) -> Vec<Fact> {
    let errors = [
        TargetError::failed("injected", "act", "it was told to"),
        TargetError::TimedOut { after: 1 },
        TargetError::Drifted { expected: "ours".to_owned(), found: "another".to_owned() },
    ];
    let of = |step: &Step<String>| {
        errors.clone().map(|error| setback(state, Cause::Step { step: step.id, error })).to_vec()
    };
    match next(state) {
        Next::Done(_) | Next::Write(_) => Vec::new(),
        Next::Start(step)
        | Next::Apply((step, _))
        | Next::Retire((step, _))
        | Next::Undo((step, _)) => of(step),
        Next::Ask((step, _)) => {
            [of(step), vec![Record::RollbackStarted { cause: Cause::Interrupted }]].concat()
        }
        Next::Verify => {
            let gate = [Cause::NeverReady { seen: String::new() }, Cause::Interrupted];
            gate.map(|it| setback(state, it)).to_vec()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_policy_writes_is_legal(plan in plans(), choices in vec(0..1000_usize, 0..30)) {
        let (records, state) = walk(&plan, &choices);
        for record in success(&state).into_iter().chain(failures(&state)) {
            prop_assert!(state.after(&record).is_some(), "{record:?} after {records:#?}");
            // And what stands in for it on a full disk.
            let error = JournalError::storage("no space left");
            let instead = unwritten(&state, record.clone(), &error);
            prop_assert!(state.after(&instead).is_some(), "{instead:?} for {record:?} after {records:#?}");
        }
    }

    #[test]
    fn a_journal_folds_to_the_state_of_the_run_that_wrote_it(
        plan in plans(), choices in vec(0..1000_usize, 0..30),
    ) {
        let (records, state) = walk(&plan, &choices);
        let folded = State::fold(&records).unwrap();
        prop_assert_eq!(format!("{folded:?}"), format!("{state:?}"));
    }

    /// Whatever goes wrong on the way, a transaction that is carried on comes to an end.
    #[test]
    fn every_journal_comes_to_an_end(
        plan in plans(), choices in vec(0..1000_usize, 0..30), luck in vec(0..8_usize, 200),
    ) {
        let (records, mut state) = walk(&plan, &choices);
        for luck in luck {
            let Some(good) = success(&state) else { break };
            let bad = failures(&state);
            let record = bad.get(luck).unwrap_or(&good);
            state.record(record).unwrap();
        }
        prop_assert!(matches!(next(&state), Next::Done(_)), "no end after {records:#?}");
    }

    #[test]
    fn nothing_is_committed_that_was_not_verified_and_sealed(
        plan in plans(), choices in vec(0..1000_usize, 0..30),
    ) {
        let (records, _) = walk(&plan, &choices);
        let at = |wanted: &Fact| records.iter().position(|it| it == wanted);
        if let Some(committed) = at(&Record::Committed) {
            let before = &records[..committed];
            let is_verified = before.iter().any(|it| matches!(it, Record::Verified { .. }));
            prop_assert!(is_verified);
            let applied = |id| {
                let mut of = before.iter().filter(|it| it.step() == Some(id));
                of.any(|it| matches!(it, Record::StepApplied { .. }))
            };
            for step in plan.stage.iter().chain(&plan.apply).chain(&plan.seal) {
                prop_assert!(applied(step.id), "{step:?}");
            }
            let after = &records[committed..];
            let is_undone = after.iter().any(|it| matches!(it, Record::StepUndone { .. }));
            prop_assert!(!is_undone);
        }
    }

    #[test]
    fn a_journal_of_another_format_is_refused(plan in plans(), format in select(vec![0_u16, 2, 999])) {
        let opened: Fact = Record::Opened { plan, format, holder: "lab".to_owned() };
        prop_assert!(State::fold(&[opened]).is_err());
    }
}

/// Tries both records after every other record of a good and of a failed update.
#[tokio::test]
async fn committed_is_earned_by_every_step_and_retried_only_by_stuck() {
    use super::lab::{COMMIT, Fault, Lab};
    for lab in [Lab::new(), Lab::with(("start", Fault::Fails))] {
        let (outcome, written) = lab.updated().await;
        let is_legal = |cut: usize, record| {
            let records = written[..cut].iter().map(|it| it.0.clone()).chain([record]);
            State::fold(&records.collect::<Vec<_>>()).is_ok()
        };
        for cut in 1..=written.len() {
            let earned = outcome == Outcome::Committed && cut == COMMIT;
            assert_eq!(is_legal(cut, Record::Committed), earned, "after {cut} of {written:?}");
            assert!(!is_legal(cut, Record::Retried), "after {cut} of {written:?}");
        }
    }
}
