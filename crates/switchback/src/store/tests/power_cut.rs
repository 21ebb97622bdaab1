//! Power cuts: an update is cut at each write of the store, from its first to the last when the store
//! is closed, on a disk that forgets what was not synced, and is brought to its end from what such a
//! disk leaves.

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

use super::deployments::WEB;
use super::deployments::release;
use super::*;
use crate::store::Lookup;
use crate::store::Operation;

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

/// How far the store had said that an operation is.
const ASKED: usize = 0;
const BEGUN: usize = 1;
const FINISHED: usize = 2;
const RECORDED: usize = 3;

/// The releases before the update: the older one goes when it has committed.
const OLDER: u64 = 1;
const OLD: u64 = 2;
const NEW: u64 = 3;

/// One moment of an update: the disk, the world, how far the operation was, and how many records had
/// been acknowledged.
struct Cut {
    contents: Contents,
    world: BTreeSet<&'static str>,
    stage: usize,
    acknowledged: usize,
}

impl Cut {
    /// Between two syncs, the same arrives for certain.
    fn holds_as_much_as(&self, before: &Self) -> bool {
        let facts = |it: &Self| (it.contents.syncs(), it.stage, it.acknowledged);
        facts(self) == facts(before) && self.world == before.world
    }
}

/// A folder in memory where there is one: what a cut leaves is opened hundreds of times, and no test
/// cuts the power there.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// What the store was told is done.
#[derive(Clone, Default)]
struct Told {
    stage: Arc<AtomicUsize>,
    records: Arc<AtomicUsize>,
}

impl Told {
    fn is(&self, stage: usize) {
        self.stage.store(stage, Ordering::SeqCst);
    }
}

/// Everything that an update writes into the store, in the order of the command.
fn live_through(store: &Store, world: &Facts, told: &Told) -> Outcome {
    store.put_deployment(WEB, 1).unwrap();
    store.begin(&update(OPERATION, 1)).unwrap();
    told.is(BEGUN);
    let outcome = carry_out(world, &mut StoreJournal::of(store, Arc::clone(&told.records)));
    conclude(store, &outcome, told);
    outcome
}

/// How it ended, what there is to read of that, and the releases that follow from it.
fn conclude(store: &Store, outcome: &Outcome, told: &Told) {
    store.finish(OPERATION, &Finish { outcome: word(outcome), ..committed(2) }).unwrap();
    told.is(FINISHED);
    store.add_log(OPERATION, "container", &"a line of the container\n".repeat(100)).unwrap();
    store.put_deployment(WEB, 3).unwrap();
    if *outcome == Outcome::Committed {
        store.put_release(&release(OLD)).unwrap();
        store.put_release(&release(NEW)).unwrap();
        store.set_current("web", NEW).unwrap();
        store.remove_release("web", OLDER).unwrap();
    }
    told.is(RECORDED);
}

fn word(outcome: &Outcome) -> String {
    if *outcome == Outcome::Committed { "committed" } else { "rolled_back" }.to_owned()
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
    store.put_deployment(WEB, 0).unwrap();
    store.put_release(&release(OLDER)).unwrap();
    store.put_release(&release(OLD)).unwrap();
    store.set_current("web", OLD).unwrap();
    prepare(&disk, &store);
    let world = Arc::new(Facts::new(Facts::before_an_update(), new_is_ill));
    let told = Told::default();
    let cuts = Arc::<Mutex<Vec<Cut>>>::default();
    let (at, seen, all) = (told.clone(), Arc::clone(&world), Arc::clone(&cuts));
    let cut = move |contents: &Contents| {
        let (contents, world) = (contents.for_a_power_cut(), seen.all());
        let stage = at.stage.load(Ordering::SeqCst);
        let acknowledged = at.records.load(Ordering::SeqCst);
        all.lock().unwrap().push(Cut { contents, world, stage, acknowledged });
    };
    disk.watch(Some(Box::new(cut)));
    let outcome = live_through(&store, &world, &told);
    // What it has written beside its file goes into it now.
    drop(store);
    disk.watch(None);
    assert_eq!(outcome == Outcome::Committed, !new_is_ill);
    let mut cuts = std::mem::take(&mut *cuts.lock().unwrap());
    let (contents, world) = (disk.contents().for_a_power_cut(), world.all());
    let acknowledged = told.records.load(Ordering::SeqCst);
    cuts.push(Cut { contents, world, stage: RECORDED, acknowledged });
    cuts
}

/// Opens what a cut leaves and brings it to its end; what is wrong with that.
fn after(cut: &Cut, fate: Fate) -> Result<(), String> {
    let dir = folder();
    cut.contents.after_a_power_cut(fate, dir.path()).unwrap();
    let store = Store::open(dir.path(), Mode::Create).map_err(|it| format!("opening: {it}"))?;
    releases_hold(&store)?;
    let Some(operation) = line(&store)? else {
        return match cut.stage {
            ASKED => is_untouched(cut, "without a line in the history"),
            _ => Err("the operation itself is lost".to_owned()),
        };
    };
    if cut.stage >= FINISHED && operation.finished.is_none() {
        return Err("its end was acknowledged, and is lost".to_owned());
    }
    let records = load(&store)?;
    if !(cut.acknowledged..=cut.acknowledged + 1).contains(&records.len()) {
        return Err(format!("{} records, {} acknowledged", records.len(), cut.acknowledged));
    }
    let world = Facts::new(cut.world.clone(), false);
    if records.is_empty() {
        return is_untouched(cut, "before any record");
    }
    State::fold(&records).map_err(|it| format!("the grammar of what was found: {it}"))?;
    let should_commit = records.contains(&Record::Committed)
        || cut.world.contains("confirmed") && !is_going_back(&records);
    if cut.stage == RECORDED && (current(&store)? == NEW) != should_commit {
        return Err("the release was acknowledged, and is lost".to_owned());
    }
    let outcome = carry_out(&world, &mut StoreJournal::of(&store, Arc::default()));
    if operation.finished.is_some_and(|it| it.outcome != word(&outcome)) {
        return Err(format!("another end was in the history than {outcome:?}"));
    }
    conclude(&store, &outcome, &Told::default());
    drop(store);
    ended(&world, &outcome, should_commit)?;
    is_written(dir.path(), &outcome)
}

fn is_untouched(cut: &Cut, when: &str) -> Result<(), String> {
    let is_untouched = cut.world == Facts::before_an_update();
    is_untouched.then_some(()).ok_or_else(|| format!("something was done {when}"))
}

/// The line of the operation in the history.
fn line(store: &Store) -> Result<Option<Operation>, String> {
    match store.operation(OPERATION).map_err(|it| it.to_string())? {
        Lookup::Found(it) => Ok(Some(*it)),
        Lookup::Missing | Lookup::Ambiguous(_) => Ok(None),
    }
}

fn current(store: &Store) -> Result<u64, String> {
    let web = store.deployment("web").map_err(|it| it.to_string())?.ok_or("web is lost")?;
    web.current_release.ok_or_else(|| "no release runs".to_owned())
}

/// What runs is a release that there is, and so is the one before it.
fn releases_hold(store: &Store) -> Result<(), String> {
    let current = current(store)?;
    let releases = store.releases("web").map_err(|it| it.to_string())?;
    let is_there = |number: u64| releases.iter().any(|it| it.number == number);
    let holds = matches!(current, OLD | NEW) && is_there(current) && is_there(current - 1);
    let numbers: Vec<u64> = releases.iter().map(|it| it.number).collect();
    holds.then_some(()).ok_or_else(|| format!("r{current} runs, and there are {numbers:?}"))
}

/// What the next command finds in the store.
fn is_written(dir: &Path, outcome: &Outcome) -> Result<(), String> {
    let store = Store::open(dir, Mode::Create).map_err(|it| it.to_string())?;
    let finished = line(&store)?.and_then(|it| it.finished).map(|it| it.outcome);
    let is_current = (current(&store)? == NEW) == (*outcome == Outcome::Committed);
    if finished != Some(word(outcome)) || !is_current {
        return Err(format!("{outcome:?}, but the history says {finished:?}"));
    }
    releases_hold(&store)?;
    let whole = State::fold(&load(&store)?).map_err(|it| format!("the grammar: {it}"))?;
    match whole.phase() {
        switchback_core::state::Phase::Ended(it) if it == outcome => Ok(()),
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
    let (mut tried, mut wrong) = (0, Vec::new());
    for (number, cut) in cuts.iter().enumerate() {
        let is_known = number > 0 && cut.holds_as_much_as(&cuts[number - 1]);
        for fate in FATES.into_iter().filter(|it| *it != Fate::Lost || !is_known) {
            tried += 1;
            if let Err(problem) = after(cut, fate) {
                let Cut { stage, acknowledged, .. } = cut;
                let mut line = format!("write {number} of {}, stage {stage}, ", cuts.len());
                write!(line, "{acknowledged} records acknowledged, {fate:?}: {problem}").unwrap();
                wrong.push(line);
            }
        }
    }
    (tried, wrong)
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
