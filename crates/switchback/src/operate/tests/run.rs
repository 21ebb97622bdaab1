//! Lets a schedule happen, and keeps all that was seen of it.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use switchback_testkit::{Event, Request, World};

use super::{
    operator::{Command, End, Process, calm},
    oracle::{Before, judged},
    scene::{REFERENCE, Scene, VERSIONS, image_of, publish},
    schedule::{Places, Scenario, Schedule, Who},
    wire::{Away, Wire, short},
};

/// Nothing takes more tries than there are processes that can die, and one that finds nothing to do.
const RECOVERIES: usize = 5;

/// A day: whatever may still come has come by then. What it changes is not put right any more: the
/// transaction is at its end.
const LATER: u64 = 86_400_000;

/// Ten times what was seen to be too little.
const STACK_BYTES: usize = 32 << 20;

/// What was seen, for whoever has to understand a failure.
#[derive(Debug, Default)]
pub(super) struct Log(String);

impl Log {
    pub(super) fn say(&mut self, line: &str) {
        let _infallible = writeln!(self.0, "{line}");
    }

    /// A process with each of its requests, and how it ended.
    pub(super) fn process(&mut self, process: &Process, end: &End) {
        let store = process.store.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (command, pid) = (&process.command, process.pid);
        self.say(&format!("process {pid}: {command:?} by {store}"));
        let seen = process.wire.seen().join("\n");
        self.say(&seen);
        self.say(&match end {
            End::Killed => "  killed".to_owned(),
            End::Hangs => "  waits for ever".to_owned(),
            End::Said(Ok(Some(document))) => format!("  said {document}"),
            End::Said(Ok(None)) => "  said that there is nothing to do".to_owned(),
            End::Said(Err(error)) => format!("  failed: {} ({error})", error.code),
        });
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// The scenes that scenarios begin in.
#[derive(Debug)]
pub(super) struct Stage {
    first: Scene,
    /// The second version was committed.
    second: Scene,
}

/// A run that is under way.
pub(super) struct Running {
    pub(super) scene: Scene,
    pub(super) world: Arc<World>,
    away: Arc<Away>,
    next_pid: std::cell::Cell<u32>,
}

impl Running {
    fn new(scene: &Scene) -> Self {
        let mut scene = scene.again();
        let world = std::mem::take(&mut scene.world);
        let next_pid = std::cell::Cell::new(1_000_000_000);
        Self { scene, world: Arc::new(world), away: Arc::default(), next_pid }
    }

    fn pid(&self) -> u32 {
        self.next_pid.replace(self.next_pid.get() + 1)
    }

    fn process(
        &self,
        who: Who,
        command: Command,
        acts: &BTreeMap<usize, super::act::Act>,
    ) -> Process {
        let store = self.scene.store(who.store());
        let wire = Arc::new(Wire::new(&self.world, &self.away, acts.clone()));
        Process { store, pid: self.pid(), wrong_by: 0, command, wire }
    }

    fn calm(&self, who: Who) -> Process {
        calm(&self.world, &self.away, self.scene.store(who.store()), self.pid())
    }

    /// Whoever takes over while another one stands still: brings what that has begun to its end, and
    /// does the same anew, which is refused where the target belongs to the other one.
    async fn take_over(&self, log: &mut Log) {
        for command in [Command::Recover, Command::Update] {
            let process = self.process(Who::Other, command, &BTreeMap::new());
            let _end = Box::pin(process.run(log, async |_| ())).await;
        }
    }

    async fn run(&self, process: &Process, log: &mut Log) -> End {
        process.run(log, async |log| self.take_over(log).await).await
    }

    /// Recovers until nothing is left to do, and once more when all that was to come has come.
    async fn settle(&self, who: Who, log: &mut Log) {
        self.away.end();
        self.recover(who, log).await;
        self.world.clock().pass(LATER);
        self.recover(who, log).await;
    }

    async fn recover(&self, who: Who, log: &mut Log) {
        for _ in 0..RECOVERIES {
            let end = self.run(&self.calm(who), log).await;
            if matches!(end, End::Said(Ok(None))) {
                return;
            }
        }
    }
}

impl Stage {
    pub(super) async fn new() -> Self {
        let first = Scene::new().await;
        let running = Running::new(&first);
        publish(&running.world, VERSIONS[1]);
        let mut log = Log::default();
        let process = running.process(Who::Same, Command::Update, &BTreeMap::new());
        let end = running.run(&process, &mut log).await;
        let is_done = matches!(&end, End::Said(Ok(Some(it))) if it["outcome"] == "committed");
        assert!(is_done, "{}", log.text());
        drop(process);
        let Running { scene, world, .. } = running;
        let second = scene.kept(&world);
        Self { first, second }
    }

    fn begin(&self, scenario: Scenario) -> (Running, Command, Before) {
        use Scenario::{Again, IllUpdate, Rollback, Update};
        let scene = if matches!(scenario, Update | IllUpdate) { &self.first } else { &self.second };
        let running = Running::new(scene);
        let (command, from, to) = match scenario {
            Update | IllUpdate => (Command::Update, VERSIONS[0], VERSIONS[1]),
            Again => (Command::Update, VERSIONS[1], VERSIONS[2]),
            Rollback => (Command::Rollback, VERSIONS[1], VERSIONS[0]),
        };
        publish(&running.world, if scenario == Rollback { from } else { to });
        if scenario == IllUpdate {
            running.world.spoil(&image_of(to));
            // Somebody has pulled it before, to look at it.
            let reference = format!("{}@{to}", REFERENCE.trim_end_matches(":1"));
            running.world.happen(&Event::Stranger(Request::Pull { reference }));
        }
        let before = Before::seen(&running.world, image_of(from), image_of(to));
        (running, command, before)
    }

    /// Where something can happen to the command of a scenario.
    pub(super) async fn places(&self, scenario: Scenario) -> Places {
        let (running, command, _) = self.begin(scenario);
        let process = running.process(Who::Same, command, &BTreeMap::new());
        let _end = running.run(&process, &mut Log::default()).await;
        process.wire.places()
    }

    /// Lets a schedule happen. What is wrong afterwards, with all that was seen; empty if nothing is.
    pub(super) async fn play(
        &self,
        schedule: &Schedule,
        disturb: impl FnOnce(&World),
    ) -> Result<(), String> {
        let (running, command, before) = self.begin(schedule.scenario);
        disturb(&running.world);
        let mut log = Log::default();
        let first = running.process(Who::Same, command, &schedule.first);
        let mut ends = vec![running.run(&first, &mut log).await];
        if matches!(ends[0], End::Killed | End::Hangs) {
            let (who, wrong_by, acts) = &schedule.second;
            let second = running.process(*who, Command::Recover, acts);
            let second = Process { wrong_by: *wrong_by, ..second };
            ends.push(running.run(&second, &mut log).await);
        }
        running.settle(schedule.last, &mut log).await;
        if schedule.last == Who::Other && !schedule.is_lost {
            running.settle(Who::Same, &mut log).await;
        }
        let wrong = judged(&running, &before, schedule, &ends, &log);
        if wrong.is_empty() {
            return Ok(());
        }
        let effects: Vec<String> = running
            .world
            .log()
            .into_iter()
            .map(|(at, it)| format!("{at:>8} ms: {}", short(&it)))
            .collect();
        Err(format!(
            "{schedule:#?}\n\n{}\neffects on the engine:\n{}\n\nwrong:\n{}\n",
            log.text(),
            effects.join("\n"),
            short(&wrong.join("\n"))
        ))
    }
}

/// Runs something in a time of its own, which passes when everybody waits.
pub(super) fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(work)
}

/// Runs tests where their stack has room: whole operations are deep, and without optimisation deeper.
pub(super) fn with_room(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let test = thread.spawn_scoped(scope, test).expect("a thread can be started");
        if let Err(panic) = test.join() {
            std::panic::resume_unwind(panic);
        }
    });
}
