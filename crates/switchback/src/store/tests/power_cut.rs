//! Power cuts: an update is cut at each write of the store, on a disk that forgets what was not
//! synced, and is brought to its end from what such a disk leaves.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use switchback_core::Engine;
use switchback_core::Interrupt;
use switchback_core::Journal;
use switchback_core::JournalError;
use switchback_core::Outcome;
use switchback_core::Record;
use switchback_core::Reporter;
use switchback_core::State;
use switchback_testkit::Disk;
use switchback_testkit::Facts;
use switchback_testkit::FakeLease;
use switchback_testkit::VirtualClock;
use switchback_testkit::disk::Contents;
use switchback_testkit::disk::Fate;

use super::*;

type Fact = Record<String, String>;

const OPERATION: &str = "a1";

/// Nothing and everything of what was not synced arrives, and three times some of it.
const FATES: [Fate; 5] = [Fate::Lost, Fate::Kept, Fate::Torn(1), Fate::Torn(2), Fate::Torn(3)];

/// The store as a journal of the engine; counts what it was told is on disk.
struct StoreJournal<'a> {
    store: &'a Store,
    records: Vec<Fact>,
    acknowledged: Arc<AtomicUsize>,
}

impl<'a> StoreJournal<'a> {
    fn of(store: &'a Store, acknowledged: Arc<AtomicUsize>) -> Self {
        Self { store, records: load(store).unwrap(), acknowledged }
    }
}

impl Journal<Fact> for StoreJournal<'_> {
    async fn append(&mut self, record: &Fact) -> Result<(), JournalError> {
        let text = serde_json::to_string(record).unwrap();
        let appended = self.store.append(OPERATION, self.records.len() as u64, &text);
        appended.map_err(JournalError::storage)?;
        self.records.push(record.clone());
        self.acknowledged.store(self.records.len(), Ordering::SeqCst);
        Ok(())
    }

    fn load(&self) -> Result<Vec<Fact>, JournalError> {
        Ok(self.records.clone())
    }
}

fn load(store: &Store) -> Result<Vec<Fact>, String> {
    let lines = store.load(OPERATION).map_err(|it| it.to_string())?;
    lines.iter().map(|it| serde_json::from_str(it).map_err(|it| it.to_string())).collect()
}

/// One moment of an update: the disk, the world, and how many records had been acknowledged.
struct Cut {
    contents: Contents,
    world: BTreeSet<&'static str>,
    acknowledged: usize,
}

/// Runs an update, or with a journal that is not empty brings it to its end.
fn carry_out(world: &Facts, journal: &mut StoreJournal<'_>) -> Outcome {
    let (clock, lease) = (VirtualClock::default(), FakeLease::default());
    let sender = tokio::sync::mpsc::unbounded_channel().0;
    let (operation, deployment) = (OPERATION.to_owned(), "web".to_owned());
    let is_new = journal.records.is_empty();
    let mut engine = Engine {
        driver: world,
        gate: world,
        clock: &clock,
        journal,
        lease: &lease,
        interrupt: Interrupt::never(),
        reporter: Reporter { sender, operation, deployment },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        match is_new {
            true => engine.execute(Facts::update(), "test".to_owned()).await.unwrap(),
            false => engine.recover().await.unwrap(),
        }
    })
}

fn copy_durably(file: &Path, into: &Path) {
    let copy = into.join(file.file_name().unwrap());
    std::fs::copy(file, &copy).unwrap();
    std::fs::File::open(copy).unwrap().sync_all().unwrap();
    std::fs::File::open(into).unwrap().sync_all().unwrap();
}

/// Every moment of an update at which the disk changed, and the one after its end.
fn cuts(new_is_ill: bool, prepare: impl FnOnce(&Disk, &Store)) -> Vec<Cut> {
    let disk = Disk::mount_beside("switchback.db-shm")
        .expect("this test needs the right to mount (be root), and /dev/fuse");
    let (_dir, made) = fresh();
    let from = made.dir().to_owned();
    drop(made);
    copy_durably(&from.join("switchback.db"), disk.path());
    let store = Store::open(disk.path(), Mode::Create).unwrap();
    store.begin(&update(OPERATION, 1)).unwrap();
    prepare(&disk, &store);
    let world = Arc::new(Facts::new(Facts::before_an_update(), new_is_ill));
    let acknowledged = Arc::<AtomicUsize>::default();
    let cuts = Arc::<Mutex<Vec<Cut>>>::default();
    let (at, seen, all) = (Arc::clone(&acknowledged), Arc::clone(&world), Arc::clone(&cuts));
    let cut = move |contents: &Contents| {
        let (contents, acknowledged) = (contents.clone(), at.load(Ordering::SeqCst));
        all.lock().unwrap().push(Cut { contents, world: seen.all(), acknowledged });
    };
    disk.watch(Some(Box::new(cut)));
    let outcome = carry_out(&world, &mut StoreJournal::of(&store, Arc::clone(&acknowledged)));
    disk.watch(None);
    assert_eq!(outcome == Outcome::Committed, !new_is_ill);
    let mut cuts = std::mem::take(&mut *cuts.lock().unwrap());
    let (contents, acknowledged) = (disk.contents(), acknowledged.load(Ordering::SeqCst));
    cuts.push(Cut { contents, world: world.all(), acknowledged });
    cuts
}

/// Opens what a cut leaves and brings it to its end; what is wrong with that.
fn after(cut: &Cut, fate: Fate) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    cut.contents.after_a_power_cut(fate, dir.path()).unwrap();
    let store = Store::open(dir.path(), Mode::Create).map_err(|it| format!("opening: {it}"))?;
    if store.open_operations().map_err(|it| it.to_string())?.len() != 1 {
        return Err("the operation itself is lost".to_owned());
    }
    let records = load(&store)?;
    if !(cut.acknowledged..=cut.acknowledged + 1).contains(&records.len()) {
        return Err(format!("{} records, {} acknowledged", records.len(), cut.acknowledged));
    }
    let world = Facts::new(cut.world.clone(), false);
    if records.is_empty() {
        let is_untouched = cut.world == Facts::before_an_update();
        return is_untouched.then_some(()).ok_or("something was done before any record".to_owned());
    }
    State::fold(&records).map_err(|it| format!("the grammar of what was found: {it}"))?;
    let should_commit = records.contains(&Record::Committed)
        || cut.world.contains("confirmed") && !is_going_back(&records);
    let outcome = carry_out(&world, &mut StoreJournal::of(&store, Arc::default()));
    drop(store);
    ended(&world, &outcome, should_commit)?;
    let store = Store::open(dir.path(), Mode::Create).map_err(|it| it.to_string())?;
    let whole = State::fold(&load(&store)?).map_err(|it| format!("the grammar: {it}"))?;
    match whole.phase() {
        switchback_core::state::Phase::Ended(it) if *it == outcome => Ok(()),
        other => Err(format!("the journal ends in {other:?}, but {outcome:?} was said")),
    }
}

fn is_going_back(records: &[Fact]) -> bool {
    records.iter().any(|it| matches!(it, Record::RollbackStarted { .. }))
}

/// The rule of the commit: what is committed stays, and nothing else does.
fn ended(world: &Facts, outcome: &Outcome, should_commit: bool) -> Result<(), String> {
    let is_right = match outcome {
        Outcome::Committed => should_commit && world.serves() == "new",
        Outcome::Failed { .. } | Outcome::RolledBack { .. } => {
            !should_commit && world.all() == Facts::before_an_update()
        }
        Outcome::Stuck { .. } | Outcome::Accepted => false,
    };
    is_right.then_some(()).ok_or_else(|| {
        format!("{outcome:?} (should commit: {should_commit}), and now holds {:?}", world.all())
    })
}

/// How many cuts were tried, and what was wrong.
fn sweep(cuts: &[Cut]) -> (usize, Vec<String>) {
    let mut wrong = Vec::new();
    for (number, cut) in cuts.iter().enumerate() {
        for fate in FATES {
            if let Err(problem) = after(cut, fate) {
                let acknowledged = cut.acknowledged;
                let mut line = format!("write {number} of {}, ", cuts.len());
                write!(line, "{acknowledged} records acknowledged, {fate:?}: {problem}").unwrap();
                wrong.push(line);
            }
        }
    }
    (cuts.len() * FATES.len(), wrong)
}

#[test]
fn a_power_cut_at_any_write_leaves_what_can_be_brought_to_its_end() {
    for new_is_ill in [false, true] {
        let cuts = cuts(new_is_ill, |_, _| {});
        let (tried, wrong) = sweep(&cuts);
        assert!(tried > 200, "only {tried} cuts were tried");
        assert!(wrong.is_empty(), "{} of {tried} cuts:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// Without a sync after each record the sweep has to see it, or it would prove nothing.
#[test]
fn the_sweep_sees_a_store_that_does_not_sync() {
    let unsynced = cuts(false, |_, store| {
        store.connection().pragma_update(None, "synchronous", "off").unwrap();
    });
    let (tried, wrong) = sweep(&unsynced);
    assert!(wrong.len() > 10, "only {} of {tried} cuts went wrong", wrong.len());
    assert!(wrong.iter().any(|it| it.contains("records, ")), "records were lost: {wrong:?}");
}

#[test]
fn the_sweep_sees_a_disk_that_only_says_that_it_has_synced() {
    let (tried, wrong) = sweep(&cuts(false, |disk, _| disk.lies()));
    assert!(wrong.len() > 10, "only {} of {tried} cuts went wrong", wrong.len());
}
