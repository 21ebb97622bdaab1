//! The lab as everything that an engine of ours meets.

use std::{future::pending, sync::atomic::Ordering};

use super::{Fact, Fault, Health, LIMIT, Lab, error, plan};
use crate::{
    Before, Clock, Driver, Fenced, Force, HealthGate, Journal, JournalError, Lease, Millis, Plan,
    PlanError, Seen, Target, TargetError, gate::ProbeSeen,
};

impl Target for Lab {
    type Observed = ();
    type Desired = ();
    type Change = String;

    async fn inspect(&self) -> Result<(), TargetError> {
        Ok(())
    }
    fn plan((): &(), (): &()) -> Result<Plan<String>, PlanError> {
        Ok(plan())
    }
    fn is_irreversible(change: &String) -> bool {
        change == "remove"
    }
}

impl Driver for Lab {
    type Receipt = String;

    async fn precheck(&self, change: &String) -> Result<Before, TargetError> {
        match self.takes(change, &[Fault::Drifts, Fault::Unanswered, Fault::LookHangs]) {
            Some(Fault::Drifts) => {
                let (expected, found) = ("ours".to_owned(), "a stranger's".to_owned());
                return Err(TargetError::Drifted { expected, found });
            }
            Some(Fault::LookHangs) => return pending().await,
            Some(_) => return Err(error(change)),
            None => {}
        }
        let present = self.world.lock().unwrap().holds(change) && !self.looks_away;
        Ok(if present { Before::Present } else { Before::Absent })
    }

    async fn apply(&self, change: &String) -> Result<String, TargetError> {
        use Fault::{Fails, Hangs, HangsAndInterrupts, Late, Refuses};
        self.assert_held(change);
        let fault = self.takes(change, &[Fails, Refuses, Late, Hangs, HangsAndInterrupts]);
        let mark = match fault {
            None => "",
            Some(Fails | Refuses) => "!",
            Some(_) => "…",
        };
        {
            let mut world = self.world.lock().unwrap();
            world.log(format!("{change}{mark}"));
            if matches!(fault, None | Some(Fails)) {
                world.make(change, true);
            }
            if fault == Some(Late) {
                world.pending = Some((world.now + 5 * LIMIT, change.clone()));
            }
        }
        if fault == Some(HangsAndInterrupts) {
            self.interrupt.send_replace(true);
        }
        match fault {
            None => Ok(format!("id of {change}")),
            Some(Fails | Refuses) => Err(error(change)),
            Some(_) => pending().await,
        }
    }

    async fn settle(
        &self,
        change: &String,
        patience: Millis,
        force: Force,
    ) -> Result<(), TargetError> {
        self.settled.lock().unwrap().push((change.clone(), force));
        if self.takes(change, &[Fault::SettleHangs]).is_some() {
            return pending().await;
        }
        let mut world = self.world.lock().unwrap();
        let mine = world.pending.clone().filter(|it| it.1 == *change && !self.skips_settle);
        if let Some((due, _)) = mine {
            self.assert_held(change); // Its force is an effect too.
            let wait = patience.min(due - world.now);
            world.log(format!("settle {change}"));
            world.pass(wait);
            if force == Force::Allowed && world.pending.take().is_some() {
                world.make(change, true); // By force.
            }
        }
        Ok(())
    }

    async fn undo(
        &self,
        change: &String,
        _: &Before,
        receipt: Option<&String>,
    ) -> Result<(), TargetError> {
        self.assert_held(change);
        assert!(receipt.is_none_or(|it| *it == format!("id of {change}")), "it is its own");
        let fault = self.takes(change, &[Fault::UndoFails, Fault::UndoHangs]);
        match fault {
            Some(Fault::UndoHangs) => return pending().await,
            Some(_) => {
                self.world.lock().unwrap().log(format!("undo {change}!"));
                return Err(error(change));
            }
            None => {}
        }
        let mut world = self.world.lock().unwrap();
        if world.holds(change) {
            world.log(format!("undo {change}"));
            world.make(change, false);
        }
        Ok(())
    }

    fn recall(&self, _: &String, receipt: &String) {
        self.recalled.lock().unwrap().push(receipt.clone());
    }

    /// The image may have been the user's; the other names carry the operation's id.
    fn presumed(change: &String) -> Before {
        if change == "pull" { Before::Present } else { Before::Absent }
    }

    async fn revive(&self, change: &String) -> Result<(), TargetError> {
        let is_down = change == "stop" && self.world.lock().unwrap().holds(change);
        if is_down {
            self.assert_held(change);
            self.world.lock().unwrap().log("start again");
            if self.takes(change, &[Fault::UndoFails]).is_some() {
                return Err(error(change));
            }
            self.world.lock().unwrap().make(change, false);
        }
        Ok(())
    }
}

impl HealthGate for Lab {
    async fn probe(&self) -> Seen {
        self.world.lock().unwrap().log("probe");
        let new = self.serves() == "new";
        if new && self.health == Health::NewHangs {
            return pending().await;
        }
        let mut probes = self.probes.lock().unwrap();
        let restarts = u32::from(new && self.health == Health::NewCrashesAt(*probes));
        *probes += 1;
        let ill = self.health == Health::BothAreIll || new && self.health == Health::NewIsIll;
        let detail = if ill { "HTTP 500" } else { "HTTP 200" }.to_owned();
        let probe = ProbeSeen { probe: "http".into(), ready: !ill, detail };
        let running = ["old", "new"].contains(&self.serves());
        Seen { running, restarts, pid: 42 + restarts, probes: vec![probe], ..Seen::default() }
    }
}

impl Clock for Lab {
    fn now(&self) -> Millis {
        self.world.lock().unwrap().now
    }
    /// Takes no real time, but lets everybody else who can go on do so before it ends.
    async fn sleep(&self, span: Millis) {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.world.lock().unwrap().pass(span);
    }
}

impl Lease for Lab {
    async fn hold(&self, _: Millis) -> Result<(), Fenced> {
        let records = self.journal.lock().unwrap().len();
        if self.lease_until.is_some_and(|it| records >= it) {
            return Err(Fenced { holder: "a stranger".to_owned() });
        }
        *self.held.lock().unwrap() = true;
        Ok(())
    }
}

impl Journal<Fact> for &Lab {
    async fn append(&mut self, record: &Fact) -> Result<(), JournalError> {
        *self.held.lock().unwrap() = false;
        let mut journal = self.journal.lock().unwrap();
        let tried = self.tried.fetch_add(1, Ordering::SeqCst);
        let is_full = self.room.is_some_and(|room| journal.len() >= room);
        if is_full || self.stumbles_at == Some(tried) {
            return Err(JournalError::storage("no space left"));
        }
        journal.push((record.clone(), self.world.lock().unwrap().clone()));
        if self.interrupt_at == Some(journal.len()) {
            self.interrupt.send_replace(true);
        }
        Ok(())
    }
    fn load(&self) -> Result<Vec<Fact>, JournalError> {
        Ok(self.journal.lock().unwrap().iter().map(|it| it.0.clone()).collect())
    }
}
