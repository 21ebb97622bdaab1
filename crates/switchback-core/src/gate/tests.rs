//! The gate, sample by sample.

use super::*;

pub(super) const POLICY: GatePolicy = GatePolicy {
    interval: 500,
    patience: 5_000,
    streak: 3,
    deadline: 60_000,
    window: 10_000,
    expect: Expectation { version: None, one_shot: false, stopped: false, beside: Vec::new() },
    baseline: None,
};

pub(super) fn seen(ready: bool) -> Seen {
    let probe = ProbeSeen { probe: "http".into(), ready, detail: "HTTP 500".into() };
    Seen { running: true, pid: 42, probes: vec![probe], ..Seen::default() }
}

/// Looks every half second at what `at` shows, until the gate has decided.
fn judge(
    policy: &GatePolicy,
    who: Judged,
    at: impl Fn(Millis) -> Option<Seen>,
) -> (Millis, Verdict) {
    let mut samples = Vec::new();
    for offset in (0..).step_by(500) {
        samples.push(Sample { offset, seen: at(offset) });
        match policy.judge(who, &samples) {
            Verdict::Undecided => assert!(offset < 200_000, "the gate never decides"),
            verdict => return (offset, verdict),
        }
    }
    unreachable!("the loop has no end")
}

#[test]
fn three_good_looks_and_ten_quiet_seconds_are_healthy() {
    assert_eq!(judge(&POLICY, Judged::New, |_| Some(seen(true))), (11_000, Verdict::Healthy));
}

#[test]
fn a_service_that_never_answers_is_unhealthy_at_the_deadline() {
    let (at, verdict) = judge(&POLICY, Judged::New, |_| Some(seen(false)));
    assert_eq!(at, 60_000);
    assert_eq!(verdict, Verdict::Unhealthy(Cause::NeverReady { seen: "HTTP 500".into() }));
}

#[test]
fn probes_that_hang_are_no_evidence() {
    let (at, verdict) = judge(&POLICY, Judged::New, |_| None);
    assert_eq!(at, 60_000);
    assert!(matches!(verdict, Verdict::Unhealthy(Cause::NeverReady { .. })));
}

#[test]
fn a_crash_in_the_window_is_unhealthy_at_once() {
    let crash = |at| {
        let restarts = u32::from(at >= 8_000);
        Some(Seen { restarts, pid: 42 + restarts, ..seen(true) })
    };
    let (at, verdict) = judge(&POLICY, Judged::New, crash);
    assert_eq!(at, 8_000);
    assert!(matches!(verdict, Verdict::Unhealthy(Cause::Restarted { .. })));
}

#[test]
fn crashes_before_it_is_ready_are_forgiven_until_the_deadline() {
    let slow = |at: Millis| {
        let restarts = u32::try_from(at.min(20_000) / 5_000).unwrap();
        Some(Seen { restarts, pid: restarts, ..seen(at >= 20_000) })
    };
    assert_eq!(judge(&POLICY, Judged::New, slow), (31_000, Verdict::Healthy));
}

#[test]
fn a_flapping_service_is_never_healthy() {
    let (_, verdict) = judge(&POLICY, Judged::New, |at| Some(seen(at / 2_000 % 2 == 0)));
    assert!(matches!(verdict, Verdict::Unhealthy(Cause::NeverReady { .. })));
}

#[test]
fn after_a_look_that_failed_the_proof_begins_anew() {
    for who in [Judged::New, Judged::Old] {
        let hiccup = |at| if at == 8_000 { None } else { Some(seen(true)) };
        assert_eq!(judge(&POLICY, who, hiccup), (19_500, Verdict::Healthy), "{who:?}");
    }
    let (at, verdict) = judge(&POLICY, Judged::New, |at| Some(seen(at < 8_000)));
    assert!(matches!(verdict, Verdict::Unhealthy(Cause::NeverReady { .. })));
    assert_eq!(at, 70_000, "the deadline and the window");
}

#[test]
fn a_process_that_ended_for_good_is_not_waited_for() {
    let ended =
        |_| Some(Seen { running: false, exited: Some(137), out_of_memory: true, ..seen(false) });
    let (at, verdict) = judge(&POLICY, Judged::New, ended);
    assert_eq!(at, 0);
    assert_eq!(verdict, Verdict::Unhealthy(Cause::Exited { code: 137, out_of_memory: true }));
}

#[test]
fn another_version_than_the_target_is_a_mismatch() {
    let expect = Expectation { version: Some("2.0.0".into()), ..Expectation::default() };
    let policy = GatePolicy { expect, ..POLICY };
    let found = |it: &str| Some(Seen { version: Some(it.into()), ..seen(true) });
    let (at, verdict) = judge(&policy, Judged::New, |_| found("1.0.0"));
    assert_eq!(at, 1_000);
    let mismatch = Cause::VersionMismatch { expected: "2.0.0".into(), found: "1.0.0".into() };
    assert_eq!(verdict, Verdict::Unhealthy(mismatch));
    assert_eq!(judge(&policy, Judged::New, |_| found("v2.0.0")).1, Verdict::Healthy);
}

#[test]
fn a_one_shot_is_healthy_when_it_has_ended_with_0() {
    let policy =
        GatePolicy { expect: Expectation { one_shot: true, ..Expectation::default() }, ..POLICY };
    let ends = |code| {
        move |at| {
            let exited = (at >= 3_000).then_some(code);
            Some(Seen { running: exited.is_none(), exited, ..Seen::default() })
        }
    };
    assert_eq!(judge(&policy, Judged::New, ends(0)), (3_000, Verdict::Healthy));
    assert!(matches!(
        judge(&policy, Judged::New, ends(2)).1,
        Verdict::Unhealthy(Cause::Exited { .. })
    ));
}

#[test]
fn the_way_back_is_held_to_what_was_before_and_no_more() {
    let ill = Baseline { running: true, probes: seen(false).probes, restarting: false };
    let policy = GatePolicy { baseline: Some(ill), ..POLICY };
    assert_eq!(judge(&policy, Judged::Old, |_| Some(seen(false))).1, Verdict::Healthy);
    let well = Baseline { running: true, probes: seen(true).probes, restarting: false };
    let policy = GatePolicy { baseline: Some(well), ..POLICY };
    assert!(matches!(judge(&policy, Judged::Old, |_| Some(seen(false))).1, Verdict::Unhealthy(_)));
}

#[test]
fn commits_are_compared_by_a_prefix_of_seven() {
    assert!(same_version("0123456789abcdef", "0123456"));
    assert!(!same_version("0123456789abcdef", "012345"));
    assert!(!same_version("1.2.3", "1.2"));
}

#[test]
fn an_engine_that_does_not_answer_says_nothing_about_the_version() {
    let why = "connection refused".to_owned();
    let blind = Seen { blind: Some(Blind::Unreachable { why: why.clone() }), ..Seen::default() };
    let (at, verdict) = judge(&POLICY, Judged::New, |_| Some(blind.clone()));
    assert_eq!(at, 70_000);
    assert_eq!(verdict, Verdict::Unhealthy(Cause::Unobserved { why }));
    let stopped = Expectation { stopped: true, ..Expectation::default() };
    let policy = GatePolicy { expect: stopped, ..POLICY };
    assert_eq!(judge(&policy, Judged::New, |_| Some(blind.clone())).1, verdict);
}

/// It was stuck, and a person had to look, although the old version served.
#[test]
fn a_way_back_on_which_nothing_could_be_seen_for_a_time_is_given_more() {
    let well = Baseline { running: true, probes: seen(true).probes, restarting: false };
    let policy = GatePolicy { baseline: Some(well), ..POLICY };
    let away = |until: Millis| {
        move |at: Millis| {
            let why = "connection refused".to_owned();
            let blind = (at < until).then_some(Blind::Unreachable { why });
            Some(Seen { blind, ..seen(true) })
        }
    };
    // Until the last look at which a new version would be given up.
    assert_eq!(judge(&policy, Judged::Old, away(70_500)), (81_500, Verdict::Healthy));
    let (at, verdict) = judge(&policy, Judged::Old, away(Millis::MAX));
    assert_eq!(at, 190_000);
    assert!(matches!(verdict, Verdict::Unhealthy(Cause::Unobserved { .. })));
    let ill = |at| away(5_000)(at).map(|it| Seen { blind: it.blind, ..seen(false) });
    assert_eq!(judge(&policy, Judged::Old, ill).0, 180_000, "and no more");
}

#[test]
fn after_an_engine_has_been_away_the_proof_begins_anew() {
    let away = |from: Millis, pid| {
        move |at: Millis| {
            let why = "connection refused".to_owned();
            let blind = (from..from + 3_000).contains(&at).then_some(Blind::Unreachable { why });
            let pid = if at < from { 42 } else { pid };
            Some(Seen { pid, blind, ..seen(true) })
        }
    };
    assert_eq!(judge(&POLICY, Judged::New, away(5_000, 43)), (19_000, Verdict::Healthy));
    // What it left broken is not the release's fault: nothing that is remembered.
    let broken = |at: Millis| {
        away(5_000, 43)(at).map(|it| Seen { exited: (at >= 8_000).then_some(137), ..it })
    };
    let (_, verdict) = judge(&POLICY, Judged::New, broken);
    let Verdict::Unhealthy(cause) = verdict else { panic!("{verdict:?}") };
    assert!(!cause.is_verdict(), "{cause:?}");
}

#[test]
fn a_container_that_somebody_took_away_is_not_waited_for() {
    let gone = |at| {
        let blind = (at >= 3_000).then_some(Blind::Gone);
        Some(Seen { blind, ..seen(true) })
    };
    assert_eq!(judge(&POLICY, Judged::New, gone), (4_000, Verdict::Unhealthy(Cause::Vanished)));
}

#[test]
fn an_old_version_that_kept_restarting_need_not_stay_up() {
    let looping = |at: Millis| {
        let restarts = u32::try_from(at / 1_000).unwrap();
        Some(Seen { restarts, pid: restarts, running: at.is_multiple_of(1_000), ..seen(false) })
    };
    let before = Baseline { running: true, restarting: true, ..Baseline::default() };
    let policy = GatePolicy { baseline: Some(before), ..POLICY };
    assert_eq!(judge(&policy, Judged::Old, looping), (1_000, Verdict::Healthy));
    assert!(matches!(judge(&policy, Judged::New, looping).1, Verdict::Unhealthy(_)));
}

/// A sidecar beside a service that is ready.
fn with_sidecar(running: bool, pid: u32, exited: Option<i64>) -> Option<Seen> {
    let name = "sidecar".to_owned();
    Some(Seen {
        beside: vec![BesideSeen { name, running, pid, restarts: 0, exited }],
        ..seen(true)
    })
}

fn sidecar(seen: &str) -> Verdict {
    Verdict::Unhealthy(Cause::Beside { name: "sidecar".to_owned(), seen: seen.to_owned() })
}

#[test]
fn whoever_goes_along_has_to_stay_up_too() {
    let steady = |_| with_sidecar(true, 7, None);
    assert_eq!(judge(&POLICY, Judged::New, steady), (11_000, Verdict::Healthy));
    let ends = |at: Millis| with_sidecar(at < 3_000, 7, (at >= 3_000).then_some(3));
    let ended = sidecar("it has ended with exit code 3");
    assert_eq!(judge(&POLICY, Judged::New, ends), (3_000, ended.clone()));
    assert_eq!(judge(&POLICY, Judged::Old, ends), (3_000, ended));
    let restarts = |at: Millis| with_sidecar(true, if at < 8_000 { 7 } else { 8 }, None);
    assert_eq!(judge(&POLICY, Judged::New, restarts), (8_000, sidecar("its process was replaced")));
    let (_, verdict) = judge(&POLICY, Judged::New, |_| with_sidecar(false, 0, None));
    let Verdict::Unhealthy(cause) = verdict else { panic!("{verdict:?}") };
    assert!(cause.to_string().contains("sidecar, which goes along with it: it is not running"));
}

#[test]
fn whoever_goes_along_with_one_that_is_stopped_has_to_stay_up() {
    let expect = Expectation { stopped: true, ..Expectation::default() };
    let policy = GatePolicy { expect, ..POLICY };
    let stopped = |it: Option<Seen>| it.map(|it| Seen { running: false, ..it });
    let steady = |_| stopped(with_sidecar(true, 7, None));
    assert_eq!(judge(&policy, Judged::New, steady), (10_000, Verdict::Healthy));
    let ends = |at: Millis| stopped(with_sidecar(at < 3_000, 7, (at >= 3_000).then_some(0)));
    let ended = sidecar("it has ended with exit code 0");
    assert_eq!(judge(&policy, Judged::New, ends), (3_000, ended));
}
