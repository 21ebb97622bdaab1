//! The lab: a world of facts, which finishes an effect also after its caller has given up.
//!
//! A line of its log is a look at the service or an effect that took place.

mod parts;
mod world;

use std::{
    collections::VecDeque,
    sync::{Mutex, atomic::AtomicUsize},
};

use tokio::sync::{mpsc, watch};

use self::world::error;
pub(super) use self::world::{
    COMMIT, Fault, Health, LIMIT, SWITCH, VERIFIED, World, broken, late, plan, plan_of,
};
use crate::{
    Engine, Fenced, Force, Interrupt, Outcome, Plan, Record, Reporter, engine::RecoverError,
    event::Event,
};

pub(super) type Fact = Record<String, String>;

#[derive(Debug)]
pub(super) struct Lab {
    pub(super) world: Mutex<World>,
    /// What was written, and how the world was at that moment.
    pub(super) journal: Mutex<Vec<(Fact, World)>>,
    pub(super) plan: Plan<String>,
    /// Faults to come: at which verb, and for which of its next calls.
    pub(super) faults: Mutex<VecDeque<(&'static str, Fault)>>,
    pub(super) health: Health,
    pub(super) probes: Mutex<u32>,
    /// The journal takes that many records.
    pub(super) room: Option<usize>,
    /// The one record, counted from 0 by all that are tried, that it does not take.
    pub(super) stumbles_at: Option<usize>,
    pub(super) tried: AtomicUsize,
    /// The lease goes to somebody else when the journal has that many records.
    pub(super) lease_until: Option<usize>,
    pub(super) held: Mutex<bool>,
    /// Somebody asks to stop when the journal has that many records.
    pub(super) interrupt_at: Option<usize>,
    pub(super) interrupt: watch::Sender<bool>,
    pub(super) skips_settle: bool,
    pub(super) looks_away: bool,
    /// The barriers that were passed, and whether they were allowed to use force.
    pub(super) settled: Mutex<Vec<(String, Force)>>,
    pub(super) recalled: Mutex<Vec<String>>,
    pub(super) events: Mutex<Vec<Event>>,
}

impl Lab {
    pub(super) fn new() -> Self {
        Lab::in_world(&["old", "old up"])
    }

    pub(super) fn in_world(facts: &[&'static str]) -> Self {
        let facts = facts.iter().copied().collect();
        Lab {
            world: World { facts, ..World::default() }.into(),
            journal: Mutex::default(),
            plan: plan(),
            faults: Mutex::default(),
            health: Health::Well,
            probes: Mutex::default(),
            room: None,
            stumbles_at: None,
            tried: AtomicUsize::default(),
            lease_until: None,
            held: Mutex::default(),
            interrupt_at: None,
            interrupt: watch::channel(false).0,
            skips_settle: false,
            looks_away: false,
            settled: Mutex::default(),
            recalled: Mutex::default(),
            events: Mutex::default(),
        }
    }

    pub(super) fn with(fault: (&'static str, Fault)) -> Self {
        Lab { faults: Mutex::new(VecDeque::from([fault])), ..Lab::new() }
    }

    /// A second process that finds this journal and this world.
    pub(super) fn found(journal: &[(Fact, World)], world: &World) -> Self {
        let (world, journal) = (world.clone().into(), journal.to_vec().into());
        Lab { world, journal, ..Lab::new() }
    }

    pub(super) fn fault(&self, verb: &'static str, fault: Fault, times: usize) {
        self.faults.lock().unwrap().extend(std::iter::repeat_n((verb, fault), times));
    }

    pub(super) async fn update(&self) -> Result<Outcome, Fenced> {
        let mut journal = self;
        self.engine(&mut journal).execute(self.plan.clone(), "lab".to_owned()).await
    }

    /// An update to its end, and what it wrote.
    pub(super) async fn updated(&self) -> (Outcome, Vec<(Fact, World)>) {
        let outcome = self.update().await.expect("nobody takes the lease");
        (outcome, self.written())
    }

    pub(super) async fn recover(&self) -> Outcome {
        self.try_recover().await.expect("the journal is whole and nobody takes the lease")
    }

    pub(super) async fn try_recover(&self) -> Result<Outcome, RecoverError> {
        let mut journal = self;
        self.engine(&mut journal).recover().await
    }

    pub(super) async fn recover_foreign(&self) -> Outcome {
        let mut journal = self;
        self.engine(&mut journal).recover_foreign().await.expect("the journal is whole")
    }

    pub(super) async fn accept(&self) -> Outcome {
        let mut journal = self;
        self.engine(&mut journal).accept().await.expect("the journal is whole")
    }

    fn engine<'a>(&'a self, journal: &'a mut &'a Lab) -> Engine<'a, Lab, Lab, Lab, &'a Lab, Lab> {
        let sender = mpsc::unbounded_channel().0; // Nobody has to watch.
        let (operation, deployment) = ("op".to_owned(), "lab".to_owned());
        let reporter = Reporter { sender, operation, deployment };
        let interrupt = Interrupt(self.interrupt.subscribe());
        Engine { driver: self, gate: self, clock: self, journal, lease: self, interrupt, reporter }
    }

    /// An update with somebody who watches its events.
    pub(super) async fn watched(&self) -> Outcome {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut journal = self;
        let mut engine = self.engine(&mut journal);
        engine.reporter.sender = sender;
        let outcome = engine.execute(self.plan.clone(), "lab".to_owned()).await.unwrap();
        drop(engine);
        while let Some(event) = receiver.recv().await {
            self.events.lock().unwrap().push(event);
        }
        outcome
    }

    pub(super) fn written(&self) -> Vec<(Fact, World)> {
        self.journal.lock().unwrap().clone()
    }

    #[track_caller]
    pub(super) fn saw(&self, transcript: &str) {
        assert_eq!(self.world.lock().unwrap().log.join(", "), transcript);
    }

    pub(super) fn effects(&self) -> usize {
        self.world.lock().unwrap().effects()
    }

    pub(super) fn facts(&self) -> Vec<&'static str> {
        self.world.lock().unwrap().facts.iter().copied().collect()
    }

    pub(super) fn serves(&self) -> &'static str {
        let facts = &self.world.lock().unwrap().facts;
        let up = |it| usize::from(facts.contains(it));
        ["nothing", "old", "new", "both"][up("old up") + 2 * up("new up")]
    }

    /// Who serves once everything that was still to come has come.
    pub(super) fn serves_in_the_end(&self) -> &'static str {
        self.world.lock().unwrap().pass(1_000 * LIMIT);
        self.serves()
    }

    fn takes(&self, verb: &str, faults: &[Fault]) -> Option<Fault> {
        let mut all = self.faults.lock().unwrap();
        let at = all.iter().position(|(at, it)| *at == verb && faults.contains(it))?;
        all.remove(at).map(|it| it.1)
    }

    /// No effect without having asked for the lease since the last record.
    fn assert_held(&self, verb: &str) {
        assert!(*self.held.lock().unwrap(), "{verb} acts without having asked for the lease");
    }
}
