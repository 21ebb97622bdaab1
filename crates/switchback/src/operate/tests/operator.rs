//! One process of ours: a command of an operator, to its end or to its sudden one.

use std::{path::PathBuf, pin::pin, sync::Arc};

use serde_json::Value;
use switchback_core::Interrupt;
use switchback_testkit::World;
use tokio::sync::mpsc::unbounded_channel;

use super::{
    run::Log,
    scene::{connected, no_registry},
    time,
    wire::{Away, Signal, Wire},
};
use crate::{
    error::CommandError,
    operate::{
        Request, Surroundings, Wanted,
        downtime::Folded,
        drive::{drive_on, recover_on},
        recover::Way,
        who::Who,
    },
    store::{Mode, Store},
};

/// Longer than anything waits that has a limit.
const FOR_EVER: std::time::Duration = std::time::Duration::from_hours(26);

/// What an operator asks for.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Update,
    Rollback,
    Recover,
}

/// How a process ended.
#[derive(Debug)]
pub(super) enum End {
    /// By itself. Without a document there was nothing to do.
    Said(Result<Option<Value>, CommandError>),
    /// It was killed.
    Killed,
    /// It waits for ever.
    Hangs,
}

/// One process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) store: PathBuf,
    /// Numbers that no process has, so that none of ours is ever alive.
    pub(super) pid: u32,
    /// How wrong its clock is.
    pub(super) wrong_by: i64,
    pub(super) command: Command,
    pub(super) wire: Arc<Wire>,
}

impl Process {
    async fn work(&self) -> Result<Option<Value>, CommandError> {
        let store = Store::open(&self.store, Mode::CreateParents)?;
        let (user, host) = ("ada".to_owned(), "here".to_owned());
        let command_line = "switchback".to_owned();
        let who = Who { user, host, pid: self.pid, command_line };
        let (events, _unread) = unbounded_channel();
        let interrupt = Interrupt(self.wire.interrupt());
        let registry = no_registry();
        let around = Surroundings { store: &store, registry, who, events, interrupt };
        let connected = connected(self.wire.clone()).await;
        let follow = Folded::default();
        let mut agree = |_: &Value| Ok(());
        let goal = match self.command {
            Command::Recover => {
                let way = Way::Finish;
                return recover_on(&around, &connected, way, &follow, &mut agree).await;
            }
            Command::Update => Wanted::Update { to: None },
            Command::Rollback => Wanted::Rollback { to: None, with_data: false },
        };
        let request = Request { goal, ..Request::default() };
        drive_on(&around, &connected, &request, &follow, &mut agree).await.map(Some)
    }

    /// Runs it. While it stands still, somebody else takes over.
    pub(super) async fn run(&self, log: &mut Log, other: impl AsyncFn(&mut Log)) -> End {
        time::begin_process(self.wrong_by);
        let mut claims = Vec::new();
        let end = {
            let mut work = pin!(self.work());
            loop {
                tokio::select! {
                    biased;
                    signal = self.wire.signalled() => match signal {
                        Signal::Kill => {
                            claims = self.claims();
                            break End::Killed;
                        }
                        Signal::TakeOver => {
                            log.say("it stands still, and another store takes over");
                            let since = time::boot_time();
                            other(log).await;
                            time::wake_up(since);
                            log.say("it goes on");
                            time::begin_process(self.wrong_by);
                            self.wire.thaw();
                        }
                    },
                    done = &mut work => break End::Said(done),
                    // The longest wait of any step is half a day, and only a step may wait for long.
                    () = tokio::time::sleep(FOR_EVER) => break End::Hangs,
                }
            }
        };
        // Whoever is killed removes nothing, and no lock of theirs is left.
        for claim in claims {
            std::fs::write(claim, "").expect("the folder of the store is there");
        }
        log.process(self, &end);
        end
    }

    /// The files by which a store knows that an operation is at work.
    fn claims(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.store).into_iter().flatten().flatten();
        let is_claim = |it: &PathBuf| {
            it.file_name().is_some_and(|it| it.to_string_lossy().starts_with("at-work-"))
        };
        entries.map(|it| it.path()).filter(is_claim).collect()
    }
}

/// A process of an operator that nothing happens to.
pub(super) fn calm(world: &Arc<World>, away: &Arc<Away>, store: PathBuf, pid: u32) -> Process {
    let wire = Arc::new(Wire::new(world, away, std::collections::BTreeMap::new()));
    Process { store, pid, wrong_by: 0, command: Command::Recover, wire }
}
