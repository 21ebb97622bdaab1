//! The looks of one gate, without the time in which the looking process itself stood still.
//!
//! A machine that was suspended, or a process that was stopped, has watched nothing in the meantime:
//! that time counts neither for a version (its window) nor against it (its deadline).

use super::{GatePolicy, Sample, Seen};
use crate::{Millis, clock::stood_still};

/// How many standstills are forgiven. A machine so slow that every look takes seconds longer than it
/// may looks like one that keeps standing still, and there has to be an end to it.
const FORGIVEN: u32 = 20;

/// What was seen so far, and when.
#[derive(Debug, Clone)]
pub struct Looks {
    /// When the gate opened, later by the time of every standstill.
    opened: Millis,
    /// When the last look or pause ended.
    at: Millis,
    standstills: u32,
    samples: Vec<Sample>,
}

impl Looks {
    /// The gate opens now.
    pub fn open(now: Millis) -> Self {
        Self { opened: now, at: now, standstills: 0, samples: Vec::new() }
    }

    /// A look has ended now. One across a standstill may have been cut short by it, and counts for
    /// nothing. False then.
    pub fn push(&mut self, policy: &GatePolicy, now: Millis, seen: Option<Seen>) -> bool {
        let has_watched = !self.has_stood_still(policy.patience, now);
        if has_watched {
            self.samples.push(Sample { offset: now.saturating_sub(self.opened), seen });
        }
        has_watched
    }

    /// A pause between two looks has ended now.
    pub fn pause(&mut self, policy: &GatePolicy, now: Millis) {
        self.has_stood_still(policy.interval, now);
    }

    /// What was seen, in its order.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn has_stood_still(&mut self, limit: Millis, now: Millis) -> bool {
        let still = stood_still(now.saturating_sub(self.at), limit);
        self.at = now;
        if still == 0 || self.standstills == FORGIVEN {
            return false;
        }
        self.opened += still;
        self.standstills += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::{Verdict, gate::Judged};

    /// Looks at what is well, from `now` until the gate has decided.
    fn decided(looks: &mut Looks, mut now: Millis) -> (Millis, Verdict) {
        loop {
            looks.push(&POLICY, now, Some(seen(true)));
            match POLICY.judge(Judged::New, looks.samples()) {
                Verdict::Undecided => now += POLICY.interval,
                verdict => return (now, verdict),
            }
            looks.pause(&POLICY, now);
        }
    }

    #[test]
    fn a_standstill_counts_neither_for_nor_against_a_version() {
        let mut looks = Looks::open(0);
        assert!(looks.push(&POLICY, 0, Some(seen(true))));
        // An hour between two looks, long after the deadline.
        looks.pause(&POLICY, 3_600_500);
        assert_eq!(decided(&mut looks, 3_600_500), (3_611_000, Verdict::Healthy));
    }

    #[test]
    fn a_look_across_a_standstill_has_seen_nothing() {
        let mut looks = Looks::open(0);
        assert!(looks.push(&POLICY, 0, Some(seen(true))));
        looks.pause(&POLICY, 500);
        assert!(!looks.push(&POLICY, 100_000, None), "its time-outs passed unwatched");
        assert_eq!(looks.samples().len(), 1);
        assert_eq!(decided(&mut looks, 100_000).1, Verdict::Healthy);
    }

    #[test]
    fn a_machine_that_is_only_slow_is_not_forgiven_for_ever() {
        let mut looks = Looks::open(0);
        let mut now = 0;
        let verdict = loop {
            now += 20_000;
            looks.push(&POLICY, now, None);
            match POLICY.judge(Judged::New, looks.samples()) {
                Verdict::Undecided => assert!(now < 1_000_000, "the gate never decides"),
                verdict => break verdict,
            }
        };
        assert!(matches!(verdict, Verdict::Unhealthy(_)));
    }
}
