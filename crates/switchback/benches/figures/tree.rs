//! A whole tree as somebody finds it, to see that a copy is one.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs::File,
    io,
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lsetxattr};
use sha2::{Digest as _, Sha256};

/// All that a service could notice of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    /// Kind and permissions.
    mode: u32,
    owner: (u32, u32),
    modified: (i64, i64),
    bytes: u64,
    /// Whether less is on the disk than it is long.
    has_holes: bool,
    /// Extended attributes; the lists of who may do what are among them.
    attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of a file its hash, of a link where it leads.
    content: Vec<u8>,
    /// The first path, in the order of names, that is the same file.
    same_as: PathBuf,
}

/// By paths below its root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, Facts>);

impl Tree {
    pub(crate) fn look(root: &Path) -> Self {
        let mut tree = BTreeMap::new();
        let mut first = HashMap::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(path) = waiting.pop() {
            let full = root.join(&path);
            let found = fs_err::symlink_metadata(&full).unwrap();
            if found.is_dir() {
                let entries = fs_err::read_dir(&full).unwrap();
                let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
                names.sort();
                waiting.extend(names.iter().rev().map(|name| path.join(name)));
            }
            let same_as = first.entry(found.ino()).or_insert_with(|| path.clone()).clone();
            tree.insert(path, Facts::look(&full, &found, same_as));
        }
        Self(tree)
    }

    /// Ends the measurement if they differ, with the first paths at which they do.
    #[track_caller]
    pub(crate) fn assert_is(&self, other: &Self) {
        let paths = self.0.keys().chain(other.0.keys());
        let differ = paths.filter(|it| self.0.get(*it) != other.0.get(*it)).take(3);
        let differ: Vec<_> = differ.map(|it| (it, self.0.get(it), other.0.get(it))).collect();
        assert!(differ.is_empty(), "the trees differ: {differ:#?}");
    }

    /// How many entries have attributes, how many holes, and how many another name.
    pub(crate) fn oddities(&self) -> [usize; 3] {
        let count = |is: fn(&(&PathBuf, &Facts)) -> bool| self.0.iter().filter(is).count();
        [
            count(|(_, it)| it.attributes.len() == 2),
            count(|(_, it)| it.has_holes),
            count(|(path, it)| it.same_as != **path),
        ]
    }
}

impl Facts {
    fn look(path: &Path, found: &std::fs::Metadata, same_as: PathBuf) -> Self {
        let content = if found.is_file() {
            let mut hash = Sha256::new();
            io::copy(&mut File::open(path).unwrap(), &mut Writes(&mut hash)).unwrap();
            hash.finalize().to_vec()
        } else if found.is_symlink() {
            fs_err::read_link(path).unwrap().into_os_string().into_vec()
        } else {
            Vec::new()
        };
        let is_file = found.is_file();
        Self {
            mode: found.mode(),
            owner: (found.uid(), found.gid()),
            modified: (found.mtime(), found.mtime_nsec()),
            // What a folder takes says how often something was put into it.
            bytes: if is_file { found.size() } else { 0 },
            has_holes: is_file && found.blocks() * 512 < found.size(),
            attributes: attributes(path),
            content,
            same_as,
        }
    }
}

struct Writes<'a>(&'a mut Sha256);

impl io::Write for Writes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn attributes(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    // Larger than any that are made here; a larger one would be an error.
    let mut names = vec![0; 4096];
    let length = llistxattr(path, names.as_mut_slice()).unwrap();
    let mut found = BTreeMap::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|it| !it.is_empty()) {
        let mut value = vec![0; 4096];
        let length = lgetxattr(path, OsStr::from_bytes(name), value.as_mut_slice()).unwrap();
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    found
}

/// Gives a file an attribute, and one user of its own rights at it.
pub(crate) fn dress(path: &Path, number: u32) {
    let value = number.to_le_bytes();
    lsetxattr(path, "user.number", &value, XattrFlags::empty()).unwrap();
    lsetxattr(path, "system.posix_acl_access", &access_list(1000 + number), XattrFlags::empty())
        .unwrap();
}

/// A list in the kernel's form: its version, and (who, rights, id) of owner, one user, group, mask
/// and others.
fn access_list(user: u32) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, nobody),
        (0x02, 4, user),
        (0x04, 4, nobody),
        (0x10, 4, nobody),
        (0x20, 0, nobody),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (who, rights, id) in entries {
        list.extend_from_slice(&who.to_le_bytes());
        list.extend_from_slice(&rights.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    list
}
