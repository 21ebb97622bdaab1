//! Letting a version prove itself.

use super::{Engine, Fact, StateOf};
use crate::{
    Cause, Clock, Driver, HealthGate, Journal, Lease, Record, Sample, Seen, Verdict,
    event::EventKind,
    gate::{Judged, Looks},
    state::Phase,
};

impl<D: Driver, G: HealthGate, K: Clock, J: Journal<Fact<D>>, L: Lease> Engine<'_, D, G, K, J, L> {
    pub(super) async fn verify(&self, state: &StateOf<D>) -> Result<Fact<D>, Cause> {
        let policy = &state.plan().gate;
        let is_back = matches!(state.phase(), Phase::Backward { .. });
        let who = if is_back { Judged::Old } else { Judged::New };
        let mut looks = Looks::open(self.clock.now());
        loop {
            let seen = self.within(policy.patience, self.gate.probe()).await;
            self.report_probe(seen.as_ref());
            looks.push(policy, self.clock.now(), seen);
            let samples = looks.samples();
            match policy.judge(who, samples) {
                Verdict::Healthy => return Ok(Record::Verified { evidence: evidence(samples) }),
                Verdict::Unhealthy(cause) => return Err(cause),
                Verdict::Undecided if is_back => self.clock.sleep(policy.interval).await,
                Verdict::Undecided => tokio::select! {
                    () = self.clock.sleep(policy.interval) => {}
                    () = self.interrupt.asked() => return Err(Cause::Interrupted),
                },
            }
            looks.pause(policy, self.clock.now());
        }
    }

    fn report_probe(&self, seen: Option<&Seen>) {
        let message = seen.map_or_else(|| "no answer in time".to_owned(), Seen::summary);
        let ready = seen.is_some_and(Seen::is_ready);
        self.reporter.send(
            self.clock.now(),
            EventKind::Probe { ready, message, streak: None, streak_needed: None },
        );
    }
}

fn evidence(samples: &[Sample]) -> String {
    let last = samples.last();
    let seen = last.and_then(|it| it.seen.as_ref()).map(Seen::summary).unwrap_or_default();
    let span = crate::words::milliseconds(last.map_or(0, |it| it.offset));
    format!("{} looks in {span}, the last: {seen}", samples.len())
}
