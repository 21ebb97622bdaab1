//! Records as they are on disk: what is written means the same when it is read again, and what is
//! not understood is refused.

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};
use switchback_core::{
    Baseline, Before, Cause, Expectation, GatePolicy, Outcome, Plan, ProbeSeen, Record, Step,
    StepId, TargetError,
};

type Fact = Record<String, String>;

fn errors() -> impl Strategy<Value = TargetError> {
    let words = || ".{0,12}";
    prop_oneof![
        (words(), words()).prop_map(|(expected, found)| TargetError::Drifted { expected, found }),
        any::<u64>().prop_map(|after| TargetError::TimedOut { after }),
        (words(), words(), words()).prop_map(|(action, reason, code)| TargetError::Failed {
            action,
            reason,
            code
        }),
    ]
}

fn causes() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Interrupted),
        Just(Cause::Requested),
        Just(Cause::Vanished),
        ".{0,12}".prop_map(|why| Cause::Unobserved { why }),
        (any::<u16>(), errors()).prop_map(|(it, error)| Cause::Step { step: StepId(it), error }),
        ".{0,12}".prop_map(|seen| Cause::NeverReady { seen }),
        ".{0,12}".prop_map(|seen| Cause::Restarted { seen }),
        (any::<i64>(), any::<bool>())
            .prop_map(|(code, out_of_memory)| Cause::Exited { code, out_of_memory }),
        (".{0,9}", ".{0,9}")
            .prop_map(|(expected, found)| Cause::VersionMismatch { expected, found }),
        ".{0,12}".prop_map(|error| Cause::JournalLost { error }),
    ]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Committed),
        Just(Outcome::Accepted),
        causes().prop_map(|cause| Outcome::Failed { cause }),
        causes().prop_map(|cause| Outcome::RolledBack { cause }),
        (causes(), causes()).prop_map(|(cause, undo_error)| Outcome::Stuck { cause, undo_error }),
    ]
}

fn befores() -> impl Strategy<Value = Before> {
    prop_oneof![Just(Before::Absent), Just(Before::Present), ".{0,12}".prop_map(Before::Image),]
}

fn plans() -> impl Strategy<Value = Plan<String>> {
    let step = (any::<u16>(), ".{0,8}", any::<u64>()).prop_map(|(id, change, limit)| Step {
        id: StepId(id),
        change,
        limit,
    });
    let part = || vec(step.clone(), 0..3);
    let probe = (".{0,8}", any::<bool>(), ".{0,8}").prop_map(|(probe, ready, detail)| ProbeSeen {
        probe,
        ready,
        detail,
    });
    let baseline = option::of((any::<[bool; 2]>(), vec(probe, 0..3))).prop_map(|it| {
        it.map(|([running, restarting], probes)| Baseline { running, probes, restarting })
    });
    let gate = (any::<[u64; 4]>(), any::<u32>(), baseline, option::of(".{0,8}")).prop_map(
        |([interval, patience, deadline, window], streak, baseline, version)| GatePolicy {
            interval,
            patience,
            streak: streak as usize,
            deadline,
            window,
            expect: Expectation {
                version,
                one_shot: streak % 2 == 0,
                stopped: streak % 3 == 0,
                beside: vec!["sidecar".to_owned(); streak as usize % 3],
            },
            baseline,
        },
    );
    (part(), part(), gate, part(), part(), any::<bool>()).prop_map(
        |(stage, apply, gate, seal, retire, auto_rollback)| Plan {
            stage,
            apply,
            gate,
            seal,
            retire,
            auto_rollback,
        },
    )
}

fn records() -> impl Strategy<Value = Fact> {
    let step = || any::<u16>().prop_map(StepId);
    prop_oneof![
        (plans(), any::<u16>(), ".{0,12}").prop_map(|(plan, format, holder)| Record::Opened {
            plan,
            format,
            holder
        }),
        (step(), befores(), any::<u64>(), any::<u64>(), any::<bool>()).prop_map(
            |(step, before, at, settles_by, presumed)| Record::StepStarted {
                step,
                before,
                at,
                settles_by,
                presumed
            }
        ),
        (step(), option::of(".{0,12}"))
            .prop_map(|(step, receipt)| Record::StepApplied { step, receipt }),
        (step(), errors()).prop_map(|(step, error)| Record::StepAbandoned { step, error }),
        ".{0,12}".prop_map(|evidence| Record::Verified { evidence }),
        causes().prop_map(|cause| Record::RollbackStarted { cause }),
        step().prop_map(|step| Record::StepUndone { step }),
        outcomes().prop_map(|outcome| Record::Closed { outcome }),
        prop::sample::select(vec![
            Record::Interrupted,
            Record::Retried,
            Record::Accepted,
            Record::Committed
        ]),
    ]
}

fn read(value: &Value) -> Result<Fact, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

/// The fields of a record, without its tag and those that may be missing.
fn needed(value: &Value) -> Vec<String> {
    let fields = value.as_object().expect("a record is an object").keys();
    fields.filter(|it| !["record", "receipt", "presumed"].contains(&it.as_str())).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_record_that_is_read_again_is_the_same(record in records()) {
        let text = serde_json::to_string(&record).unwrap();
        prop_assert!(!text.contains('\n'), "one record is one line");
        prop_assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), record);
    }

    #[test]
    fn a_record_of_a_kind_that_is_not_known_is_refused(record in records(), kind in "[a-z_]{1,12}x") {
        let mut value = serde_json::to_value(&record).unwrap();
        value["record"] = json!(kind);
        prop_assert!(read(&value).is_err(), "{value}");
    }

    #[test]
    fn a_record_that_lacks_a_field_is_refused(record in records()) {
        let value = serde_json::to_value(&record).unwrap();
        for field in needed(&value) {
            let mut poorer = value.clone();
            poorer.as_object_mut().unwrap().remove(&field);
            prop_assert!(read(&poorer).is_err(), "{poorer} without {field}");
        }
    }

    /// A write that was cut off by a power failure.
    #[test]
    fn a_torn_record_is_refused(record in records(), at in any::<prop::sample::Index>()) {
        let text = serde_json::to_vec(&record).unwrap();
        let torn = &text[..at.index(text.len())];
        prop_assert!(serde_json::from_slice::<Fact>(torn).is_err());
    }
}

/// The words on disk, once for each kind. Whoever changes one of them breaks every journal that is
/// half-full at that moment, so a new fact gets a new kind.
#[test]
fn the_words_on_disk_stay_as_they_are() {
    let step = StepId(3);
    let error = TargetError::failed("pull_failed", "pull web", "no such host");
    let all: [(Fact, Value); 11] = [
        (
            Record::StepStarted {
                step,
                before: Before::Image("a".into()),
                at: 1,
                settles_by: 2,
                presumed: false,
            },
            json!({"record": "step_started", "step": 3, "before": {"image": "a"}, "at": 1,
                   "settles_by": 2}),
        ),
        (
            Record::StepApplied { step, receipt: Some("id".into()) },
            json!({"record": "step_applied", "step": 3, "receipt": "id"}),
        ),
        (
            Record::StepAbandoned { step, error: error.clone() },
            json!({"record": "step_abandoned", "step": 3, "error": {"failed":
                   {"action": "pull web", "reason": "no such host", "code": "pull_failed"}}}),
        ),
        (
            Record::Verified { evidence: "3 looks".into() },
            json!({"record": "verified", "evidence": "3 looks"}),
        ),
        (Record::Interrupted, json!({"record": "interrupted"})),
        (
            Record::RollbackStarted { cause: Cause::Step { step, error } },
            json!({"record": "rollback_started", "cause": {"cause": "step", "step": 3, "error":
                   {"failed": {"action": "pull web", "reason": "no such host",
                               "code": "pull_failed"}}}}),
        ),
        (Record::StepUndone { step }, json!({"record": "step_undone", "step": 3})),
        (Record::Retried, json!({"record": "retried"})),
        (Record::Accepted, json!({"record": "accepted"})),
        (Record::Committed, json!({"record": "committed"})),
        (
            Record::Closed { outcome: Outcome::Failed { cause: Cause::Interrupted } },
            json!({"record": "closed", "outcome": {"outcome": "failed",
                   "cause": {"cause": "interrupted"}}}),
        ),
    ];
    for (record, words) in all {
        assert_eq!(serde_json::to_value(&record).unwrap(), words);
        assert_eq!(read(&words).unwrap(), record);
    }
}
