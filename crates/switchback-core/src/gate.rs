//! From probe samples to a verdict.
//!
//! Ready means ready: every probe, a run of consecutive successes of one process before a deadline,
//! then a window in which neither its restart count nor its process id moves. Without evidence the
//! verdict is never "healthy".

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::{Cause, Millis};

pub use looks::Looks;
pub use seen::{BesideSeen, Blind, ProbeSeen, Seen};

mod looks;
mod seen;

/// Looks at the service once.
pub trait HealthGate: Send + Sync {
    /// One look, at all that is configured. It ends within the policy's patience.
    fn probe(&self) -> impl Future<Output = Seen> + Send;
}

/// One look at the service, `offset` milliseconds after the gate began. A probe that hung has seen
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub offset: Millis,
    /// What, unless it hung.
    pub seen: Option<Seen>,
}

/// What the samples so far say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Proven.
    Healthy,
    /// Look again.
    Undecided,
    /// Not to be kept.
    Unhealthy(Cause),
}

/// How much longer an old version may take on a way back on which nothing could be seen for a time, in
/// milliseconds: nobody is left to go back to, and a person would have to look. Two minutes, in which an
/// engine restarts even on a slow disk.
const MORE_FOR_THE_WAY_BACK: Millis = 120_000;

/// How a version proves itself. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePolicy {
    /// Between two looks.
    pub interval: Millis,
    /// How long one look may take.
    pub patience: Millis,
    /// Consecutive good looks at one process that make it ready.
    pub streak: usize,
    /// How long it may take to become ready.
    pub deadline: Millis,
    /// How long the process must then stay ready, and stay the same.
    pub window: Millis,
    /// What is expected of the new version besides.
    pub expect: Expectation,
    /// How the old version was before, if there was one. A way back is held to no more.
    pub baseline: Option<Baseline>,
}

/// What is expected of the new version besides its probes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Expectation {
    /// The version that it must report, if it reports one.
    pub version: Option<String>,
    /// It is healthy when it has ended with exit code 0.
    pub one_shot: bool,
    /// It was not running and is not started; nothing can be proven.
    pub stopped: bool,
    /// The names of those that go along with it and ran before: they have to stay up as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
}

/// How the old version was before the switch, probe by probe.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// Whether it ran.
    pub running: bool,
    /// Its probes, in the order of the configuration.
    pub probes: Vec<ProbeSeen>,
    /// Whether it had ended by itself and been started again shortly before: nobody can ask of it
    /// on a way back that it stays up.
    #[serde(default)]
    pub restarting: bool,
}

impl Baseline {
    /// Whether all was well.
    pub fn is_healthy(&self) -> bool {
        self.running && !self.restarting && self.probes.iter().all(|it| it.ready)
    }
}

/// Which version is being judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// The new one, by everything.
    New,
    /// The old one on the way back, by what it was before.
    Old,
}

impl GatePolicy {
    /// Whether a way back has anything to prove: an old version that did not run stays as it was.
    pub fn proves_the_way_back(&self) -> bool {
        self.baseline.as_ref().is_some_and(|it| it.running)
    }

    /// Judges the samples so far. The caller probes, sleeps, and asks again.
    ///
    /// A time in which nothing could be seen is no evidence for or against a version: what was seen
    /// before it is forgotten, and what does not hold after it is not held against the release.
    pub fn judge(&self, who: Judged, samples: &[Sample]) -> Verdict {
        let Some(last) = samples.iter().rposition(is_blind) else {
            return self.judge_seen(who, samples);
        };
        let more = if who == Judged::Old { MORE_FOR_THE_WAY_BACK } else { 0 };
        let patient = Self { deadline: self.deadline.saturating_add(more), ..self.clone() };
        if let Some(cause) = patient.blinded(samples) {
            return Verdict::Unhealthy(cause);
        }
        if last + 1 == samples.len() {
            return Verdict::Undecided;
        }
        match patient.judge_seen(who, &samples[last + 1..]) {
            Verdict::Unhealthy(cause @ Cause::VersionMismatch { .. }) => Verdict::Unhealthy(cause),
            Verdict::Unhealthy(cause) => {
                let before = samples[last].seen.as_ref().map(Seen::summary).unwrap_or_default();
                Verdict::Unhealthy(Cause::Unobserved { why: format!("{before}; then {cause}") })
            }
            verdict => verdict,
        }
    }

    /// What ends the waiting while nothing can be seen.
    fn blinded(&self, samples: &[Sample]) -> Option<Cause> {
        let latest = samples.last()?;
        let recent = &samples[samples.len().saturating_sub(self.streak.max(1))..];
        let is_gone =
            |it: &Sample| it.seen.as_ref().is_some_and(|it| it.blind == Some(Blind::Gone));
        if recent.len() == self.streak.max(1) && recent.iter().all(is_gone) {
            return Some(Cause::Vanished);
        }
        let is_late =
            is_blind(latest) && latest.offset >= self.deadline.saturating_add(self.window);
        is_late.then(|| Cause::Unobserved { why: last_words(samples) })
    }

    fn judge_seen(&self, who: Judged, samples: &[Sample]) -> Verdict {
        if who == Judged::Old && self.baseline.as_ref().is_some_and(|it| it.restarting) {
            return self.judge_what_kept_restarting(samples);
        }
        if who == Judged::New && (self.expect.stopped || self.expect.one_shot) {
            return self.judge_without_a_service(samples);
        }
        let is_ready = |it: &Sample| it.seen.as_ref().is_some_and(|it| self.is_ready(who, it));
        let streak = self.streak.max(1); // Without evidence, nothing is healthy.
        let begun = |samples: &[Sample]| {
            let is_run =
                |run: &[Sample]| run.iter().all(|it| is_ready(it) && !has_moved(&run[0], it));
            samples.windows(streak).position(is_run).map(|it| it + streak - 1)
        };
        let now = samples.last().map_or(0, |it| it.offset);
        let window = &samples[begun(samples).unwrap_or(samples.len())..];
        if let Some(cause) = self.fatal(who, samples) {
            return Verdict::Unhealthy(cause);
        }
        // One look that fails may be the probe's own hiccup: the proof begins anew after it.
        let failed = samples.iter().rposition(|it| !is_ready(it)).map_or(0, |it| it + 1);
        let since = begun(&samples[failed..]).map(|it| samples[failed + it].offset);
        match window.first() {
            Some(first) if window.iter().any(|it| has_moved(first, it)) => Verdict::Unhealthy(
                moved_beside(first, window)
                    .unwrap_or_else(|| Cause::Restarted { seen: restarts(samples) }),
            ),
            Some(_) if since.is_some_and(|it| now - it >= self.window) => Verdict::Healthy,
            Some(_) if now < self.deadline.saturating_add(self.window) => Verdict::Undecided,
            None if now < self.deadline => Verdict::Undecided,
            _ => Verdict::Unhealthy(Cause::NeverReady { seen: last_words(samples) }),
        }
    }

    /// An old version that kept restarting before is back as it was once it has been seen for as
    /// long as makes another one ready, whether it runs at the moment or is about to.
    fn judge_what_kept_restarting(&self, samples: &[Sample]) -> Verdict {
        match samples.last().and_then(|it| it.seen.as_ref()) {
            Some(Seen { exited: Some(code), out_of_memory, .. }) => {
                Verdict::Unhealthy(Cause::Exited { code: *code, out_of_memory: *out_of_memory })
            }
            Some(_) if samples.len() >= self.streak.max(1) => Verdict::Healthy,
            _ if samples.last().is_none_or(|it| it.offset < self.deadline) => Verdict::Undecided,
            _ => Verdict::Unhealthy(Cause::NeverReady { seen: last_words(samples) }),
        }
    }

    /// What no waiting can mend: it has ended for good, or it is ready as another version.
    fn fatal(&self, who: Judged, samples: &[Sample]) -> Option<Cause> {
        let last = samples.last()?.seen.as_ref()?;
        if let Some(code) = last.exited {
            return Some(Cause::Exited { code, out_of_memory: last.out_of_memory });
        }
        if let Some(cause) = ended_beside(last) {
            return Some(cause);
        }
        let expected = self.expect.version.as_ref().filter(|_| who == Judged::New)?;
        let recent = samples.len().checked_sub(self.streak.max(1))?;
        let wrong = |it: &Sample| {
            let seen = it.seen.as_ref()?;
            let found = seen.version.as_ref().filter(|it| !same_version(expected, it))?;
            seen.is_ready().then(|| found.clone())
        };
        let found: Option<Vec<String>> = samples[recent..].iter().map(wrong).collect();
        let found = found?.pop()?;
        Some(Cause::VersionMismatch { expected: expected.clone(), found })
    }

    fn judge_without_a_service(&self, samples: &[Sample]) -> Verdict {
        let Some(last) = samples.last() else { return Verdict::Undecided };
        if let Some(cause) = last.seen.as_ref().and_then(ended_beside) {
            return Verdict::Unhealthy(cause);
        }
        let is_well = last.seen.as_ref().is_some_and(|it| {
            let has_done_its_work = it.exited == Some(0) && !it.out_of_memory;
            (self.expect.stopped && !it.running) || has_done_its_work
        });
        match last.seen.as_ref() {
            Some(_) if is_well && self.stay_up_beside(samples) => Verdict::Healthy,
            Some(Seen { exited: Some(code), out_of_memory, .. }) if !is_well => {
                Verdict::Unhealthy(Cause::Exited { code: *code, out_of_memory: *out_of_memory })
            }
            _ if last.offset < self.deadline => Verdict::Undecided,
            _ => Verdict::Unhealthy(Cause::NeverReady { seen: last_words(samples) }),
        }
    }

    /// Whether those that go along have stayed up for the whole window; nobody goes along: at once.
    fn stay_up_beside(&self, samples: &[Sample]) -> bool {
        let runs = |it: &&Sample| it.seen.as_ref().is_some_and(Seen::all_run_beside);
        let Some(last) = samples.last().filter(runs) else { return false };
        let is_same = |it: &Sample| beside(it) == beside(last);
        let first = samples.iter().rev().take_while(|it| runs(it) && is_same(it)).last();
        beside(last).is_empty() || first.is_some_and(|it| last.offset - it.offset >= self.window)
    }

    fn is_ready(&self, who: Judged, seen: &Seen) -> bool {
        match (who, &self.baseline) {
            (Judged::New, _) => {
                let expected = self.expect.version.as_ref();
                let version = expected.zip(seen.version.as_ref());
                seen.is_ready() && version.is_none_or(|(expected, it)| same_version(expected, it))
            }
            (Judged::Old, Some(before)) => {
                let probes = before.probes.iter().zip(&seen.probes);
                let mut probes = probes.into_iter();
                seen.running
                    && seen.all_run_beside()
                    && probes.all(|(before, now)| now.ready || !before.ready)
            }
            (Judged::Old, None) => seen.running && seen.all_run_beside(),
        }
    }
}

fn is_blind(it: &Sample) -> bool {
    it.seen.as_ref().is_some_and(|it| it.blind.is_some())
}

/// Whether a sample shows another process than `first` did.
fn has_moved(first: &Sample, it: &Sample) -> bool {
    let process = |it: &Sample| it.seen.as_ref().map(|it| (it.restarts, it.pid));
    it.seen.is_some() && (process(it) != process(first) || beside(it) != beside(first))
}

/// The processes of those that go along.
fn beside(it: &Sample) -> Vec<(&str, u32, u32)> {
    let all = it.seen.iter().flat_map(|it| &it.beside);
    all.map(|it| (it.name.as_str(), it.restarts, it.pid)).collect()
}

/// Who of those that go along has ended, and nothing starts it again.
fn ended_beside(seen: &Seen) -> Option<Cause> {
    let ended = seen.beside.iter().find(|it| it.exited.is_some())?;
    Some(Cause::Beside { name: ended.name.clone(), seen: ended.summary() })
}

/// Who of those that go along has moved within the window.
fn moved_beside(first: &Sample, window: &[Sample]) -> Option<Cause> {
    let before = &first.seen.as_ref()?.beside;
    let process = |it: &BesideSeen| (it.restarts, it.pid);
    let mut seen = window.iter().filter_map(|it| it.seen.as_ref());
    let moved = seen.find_map(|it| {
        let mut pairs = before.iter().zip(&it.beside);
        pairs.find(|(old, new)| process(old) != process(new)).map(|it| it.1)
    })?;
    Some(Cause::Beside { name: moved.name.clone(), seen: moved.summary() })
}

/// `1.4.2`, `v1.4.2`; people write both. A commit is compared by a prefix of at least seven.
pub fn same_version(expected: &str, found: &str) -> bool {
    let plain = |it: &str| it.trim().trim_start_matches(['v', 'V']).to_owned();
    let (expected, found) = (plain(expected), plain(found));
    let is_commit = |it: &str| it.len() >= 7 && it.bytes().all(|it| it.is_ascii_hexdigit());
    let prefix = |a: &str, b: &str| is_commit(a) && is_commit(b) && a.starts_with(b);
    expected == found || prefix(&expected, &found) || prefix(&found, &expected)
}

fn restarts(samples: &[Sample]) -> String {
    let count =
        |it: Option<&Sample>| it.and_then(|it| it.seen.as_ref()).map_or(0, |it| it.restarts);
    let moved = count(samples.last()).saturating_sub(count(samples.first()));
    match moved {
        0 => "its process was replaced within the stability window".to_owned(),
        1 => "it was restarted once within the stability window".to_owned(),
        more => format!("it was restarted {more} times"),
    }
}

fn last_words(samples: &[Sample]) -> String {
    let last = samples.last().and_then(|it| it.seen.as_ref());
    last.map_or_else(|| "no answer within the probe's time".to_owned(), Seen::summary)
}

#[cfg(test)]
#[path = "gate/tests.rs"]
mod tests;
