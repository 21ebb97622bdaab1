//! What is on a disk that forgets: each file as programs see it, and as a power cut would leave it.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

/// The unit in which a disk writes: of two sectors of one write, one may arrive without the other.
const SECTOR: usize = 512;

/// What becomes of everything that was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing of it arrives.
    Lost,
    /// All of it arrives.
    Kept,
    /// Each sector arrives or does not, as this seed decides.
    Torn(u64),
}

/// One change of a file that is not synced yet.
#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Resize(length) => file.resize(*length, 0),
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*at..end].copy_from_slice(bytes);
            }
        }
    }

    /// The parts that arrive alone.
    fn sectors(&self, bytes_of_each: usize) -> Vec<Self> {
        match self {
            Self::Resize(_) => vec![self.clone()],
            Self::Write { at, bytes } => bytes
                .chunks(bytes_of_each)
                .enumerate()
                .map(|(number, it)| (at + number * bytes_of_each, it.to_vec()))
                .map(|(at, bytes)| Self::Write { at, bytes })
                .collect(),
        }
    }
}

/// A file. What it holds is shared by clones until one of them changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) now: Arc<Vec<u8>>,
    pub(super) mode: u16,
    pub(super) names: u32,
    synced: Arc<Vec<u8>>,
    pending: Vec<Change>,
}

impl Node {
    /// What the folder itself looks like.
    pub(super) fn folder() -> Self {
        Self { mode: 0o700, names: 2, ..Self::default() }
    }
}

/// One folder of files. Nothing is ever forgotten here; what a power cut forgets is decided later.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    pub(super) files: BTreeMap<u64, Node>,
    pub(super) names: BTreeMap<OsString, u64>,
    synced_names: BTreeMap<OsString, u64>,
    /// Syncs of files so far.
    pub(super) syncs: usize,
    /// Where whole sectors arrive or do not arrive that are larger than the usual ones.
    pub(super) sector: Option<usize>,
    /// Whether a sync is answered and does nothing.
    pub(super) lies: bool,
}

impl Contents {
    pub(super) fn create(&mut self, name: &OsStr, mode: u32) -> u64 {
        let number = 2 + self.files.len() as u64;
        let mode = u16::try_from(mode & 0o7777).unwrap_or(0o600);
        self.files.insert(number, Node { mode, names: 1, ..Node::default() });
        self.names.insert(name.to_owned(), number);
        number
    }

    pub(super) fn write(&mut self, number: u64, at: usize, bytes: &[u8]) -> Option<()> {
        self.change(number, Change::Write { at, bytes: bytes.to_vec() })
    }

    pub(super) fn resize(&mut self, number: u64, length: usize) -> Option<()> {
        self.change(number, Change::Resize(length))
    }

    fn change(&mut self, number: u64, change: Change) -> Option<()> {
        let node = self.files.get_mut(&number)?;
        change.apply(Arc::make_mut(&mut node.now));
        node.pending.push(change);
        Some(())
    }

    pub(super) fn sync(&mut self, number: u64) -> Option<()> {
        self.syncs += 1;
        let node = self.files.get_mut(&number)?;
        if !self.lies {
            node.synced.clone_from(&node.now);
            node.pending.clear();
        }
        Some(())
    }

    /// How often a file was synced so far. In between, what arrives for certain stays the same.
    pub fn syncs(&self) -> usize {
        self.syncs
    }

    pub(super) fn sync_names(&mut self) {
        if !self.lies {
            self.synced_names.clone_from(&self.names);
        }
    }

    pub(super) fn unlink(&mut self, name: &OsStr) -> Option<()> {
        let number = self.names.remove(name)?;
        if let Some(node) = self.files.get_mut(&number) {
            node.names -= 1;
        }
        Some(())
    }

    pub(super) fn link(&mut self, number: u64, name: &OsStr) -> Option<()> {
        self.files.get_mut(&number)?.names += 1;
        self.names.insert(name.to_owned(), number);
        Some(())
    }

    pub(super) fn rename(&mut self, from: &OsStr, to: &OsStr) -> Option<()> {
        let number = *self.names.get(from)?;
        let _replaced = self.unlink(to);
        self.names.remove(from);
        self.names.insert(to.to_owned(), number);
        Some(())
    }

    /// What is needed to write down later what a power cut leaves at this moment, and no more: not
    /// what programs see. A thousand of them take little more room than what changes between them.
    #[must_use]
    pub fn for_a_power_cut(&self) -> Self {
        let mut all = self.clone();
        for file in all.files.values_mut() {
            file.now = Arc::default();
        }
        all
    }

    /// Writes into a folder what a machine finds whose power was cut at this moment.
    pub fn after_a_power_cut(&self, fate: Fate, into: &Path) -> io::Result<()> {
        let (mut dice, sector) = (Dice::of(fate), self.sector.unwrap_or(SECTOR));
        fs::create_dir_all(into)?;
        let mut names = self.synced_names.clone();
        for name in self.synced_names.keys().chain(self.names.keys()) {
            if !dice.arrives() {
                continue;
            }
            match self.names.get(name) {
                Some(number) => names.insert(name.clone(), *number),
                None => names.remove(name),
            };
        }
        for (name, number) in names {
            let Some(node) = self.files.get(&number) else { continue };
            let mut bytes = node.synced.as_ref().clone();
            for part in node.pending.iter().flat_map(|it| it.sectors(sector)) {
                if dice.arrives() {
                    part.apply(&mut bytes);
                }
            }
            let mut options = File::options();
            let mut file =
                options.write(true).create_new(true).mode(0o600).open(into.join(name))?;
            file.write_all(&bytes)?;
        }
        Ok(())
    }
}

/// Decides what arrives. The same seed decides the same.
struct Dice(Fate);

impl Dice {
    fn of(fate: Fate) -> Self {
        Self(match fate {
            // Zero would stay zero for ever.
            Fate::Torn(seed) => Fate::Torn(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            other => other,
        })
    }

    fn arrives(&mut self) -> bool {
        match &mut self.0 {
            Fate::Lost => false,
            Fate::Kept => true,
            // The generator of Marsaglia, with 13, 7 and 17.
            Fate::Torn(state) => {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                *state & 1 == 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(contents: &Contents, fate: Fate) -> BTreeMap<String, Vec<u8>> {
        let folder = std::env::temp_dir().join(format!(
            "contents-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        contents.after_a_power_cut(fate, &folder).unwrap();
        let read = fs::read_dir(&folder).unwrap().map(|it| {
            let path = it.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        });
        let files = read.collect();
        fs::remove_dir_all(folder).unwrap();
        files
    }

    #[test]
    fn only_what_was_synced_is_there_for_certain() {
        let mut disk = Contents::default();
        let number = disk.create(OsStr::new("a"), 0o600);
        disk.write(number, 0, b"one").unwrap();
        disk.sync(number).unwrap();
        assert_eq!(after(&disk, Fate::Lost).len(), 0, "its name was not synced");
        disk.sync_names();
        disk.write(number, 3, b"two").unwrap();
        assert_eq!(after(&disk, Fate::Lost)["a"], b"one");
        assert_eq!(after(&disk, Fate::Kept)["a"], b"onetwo");
        disk.rename(OsStr::new("a"), OsStr::new("b")).unwrap();
        assert!(after(&disk, Fate::Lost).contains_key("a"));
        assert!(after(&disk, Fate::Kept).contains_key("b"));
    }

    #[test]
    fn sectors_of_one_write_arrive_one_without_the_other() {
        let mut disk = Contents::default();
        let number = disk.create(OsStr::new("a"), 0o600);
        disk.sync_names();
        disk.write(number, 0, &[7; 8 * SECTOR]).unwrap();
        let torn = (1..20).filter(|seed| {
            let bytes = &after(&disk, Fate::Torn(*seed))["a"];
            bytes.contains(&0) && bytes.contains(&7)
        });
        assert!(torn.count() > 10);
    }

    #[test]
    fn a_disk_that_lies_keeps_nothing() {
        let mut disk = Contents { lies: true, ..Contents::default() };
        let number = disk.create(OsStr::new("a"), 0o600);
        disk.write(number, 0, b"one").unwrap();
        disk.sync(number).unwrap();
        disk.sync_names();
        assert_eq!(after(&disk, Fate::Lost).len(), 0);
    }
}
