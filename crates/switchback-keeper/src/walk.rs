//! Walks a tree of any depth and width with one open directory and little memory.
//!
//! No recursion, no descriptor a level, no path handed to the kernel: one step down is an open of
//! the child, one step up an open of `..` that must be the directory we came from. A second tree
//! can be followed in step, so that a copy or a comparison needs no path either.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::RawDir;
use rustix::io::Errno;

use crate::failure::{Failure, Meaning};
use crate::metadata::{Identity, Metadata};
use crate::open;

/// One `getdents` buffer: some 1,000 names a call.
const LISTING_BYTES: usize = 32 * 1024;

/// Where a walk stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The directory that is being walked.
    pub lead: BorrowedFd<'a>,
    /// Its counterpart in the other tree, where there is one.
    pub follow: Option<BorrowedFd<'a>>,
    /// Path below the root of the walk; empty for the root itself.
    pub path: &'a [u8],
}

impl Place<'_> {
    /// The path of `name` below the root of the walk.
    pub fn path_of(&self, name: &CStr) -> Vec<u8> {
        let mut path = self.path.to_vec();
        push(&mut path, name);
        path
    }

    /// An error about `name` in this directory.
    pub fn failure(&self, what: &'static str, name: &CStr, errno: Errno) -> Failure {
        Failure::system(what, self.path_of(name), errno)
    }
}

/// What a visitor wants to do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing more.
    Pass,
    /// Walk this directory, and its counterpart.
    Into,
    /// Walk this directory, which has no counterpart.
    IntoAlone,
}

/// What is done at each turn of a walk.
pub trait Visitor {
    /// An entry of the directory; the listing is still open, so nothing of it is removed here.
    fn entry(&mut self, at: &Place<'_>, name: &CStr, found: &Metadata) -> Result<Next, Failure>;

    /// All entries of the directory have been seen, none has been walked into.
    fn listed(&mut self, _at: &Place<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Everything below the directory is done; `found` is how it looked before we read it.
    fn leave(&mut self, _at: &Place<'_>, _found: &Metadata) -> Result<(), Failure> {
        Ok(())
    }

    /// Back in the parent of the directory `name`.
    fn left(&mut self, _at: &Place<'_>, _name: &CStr) -> Result<(), Failure> {
        Ok(())
    }
}

/// Names packed one behind the other, so that a million of them cost their bytes and no more.
#[derive(Debug, Default)]
pub struct Names(Vec<u8>);

impl Names {
    /// Adds a name.
    pub fn push(&mut self, name: &CStr) {
        self.0.extend_from_slice(name.to_bytes_with_nul());
    }

    /// Takes the last name.
    pub fn pop(&mut self) -> Option<CString> {
        self.0.pop()?;
        let start = self.0.iter().rposition(|byte| *byte == 0).map_or(0, |nul| nul + 1);
        CString::new(self.0.split_off(start)).ok()
    }
}

#[derive(Debug)]
struct Level {
    found: Metadata,
    follow: Option<Identity>,
    waiting: Names,
}

#[derive(Debug)]
struct Walk {
    lead: OwnedFd,
    /// Stays at the last directory that had a counterpart while the walk goes on alone.
    follow: Option<OwnedFd>,
    path: Vec<u8>,
    levels: Vec<Level>,
    listing: Vec<u8>,
}

/// Walks the directory `lead` and everything below it, with `follow` in step.
pub fn walk(
    lead: OwnedFd,
    follow: Option<OwnedFd>,
    visitor: &mut dyn Visitor,
) -> Result<(), Failure> {
    let found = Metadata::of_open(lead.as_fd())
        .map_err(|errno| Failure::system("cannot look at the directory", "", errno))?;
    let mut walk = Walk {
        lead,
        follow,
        path: Vec::new(),
        levels: Vec::new(),
        listing: Vec::with_capacity(LISTING_BYTES),
    };
    let alone = walk.follow.is_none();
    walk.enter(found, alone, visitor)?;
    while let Some(level) = walk.levels.last_mut() {
        match level.waiting.pop() {
            Some(name) => walk.descend(&name, visitor)?,
            None => walk.ascend(visitor)?,
        }
    }
    Ok(())
}

impl Walk {
    fn place(&self, alone: bool) -> Place<'_> {
        let follow = if alone { None } else { self.follow.as_ref().map(AsFd::as_fd) };
        Place { lead: self.lead.as_fd(), follow, path: &self.path }
    }

    fn failure(&self, what: &'static str, errno: Errno) -> Failure {
        Failure::system(what, &self.path, errno)
    }

    /// Lists the directory that has just been opened, and remembers what is to be walked.
    fn enter(
        &mut self,
        found: Metadata,
        alone: bool,
        visitor: &mut dyn Visitor,
    ) -> Result<(), Failure> {
        let follow = match &self.follow {
            Some(follow) if !alone => Some(
                Metadata::of_open(follow.as_fd())
                    .map_err(|errno| self.failure("cannot look at the directory", errno))?
                    .identity,
            ),
            _ => None,
        };
        let mut listing = std::mem::take(&mut self.listing);
        let waiting = list(&self.place(alone), &mut listing, visitor)?;
        self.listing = listing;
        visitor.listed(&self.place(alone))?;
        self.levels.push(Level { found, follow, waiting });
        Ok(())
    }

    fn descend(&mut self, marked: &CStr, visitor: &mut dyn Visitor) -> Result<(), Failure> {
        let (alone, name) = unmark(marked)?;
        push(&mut self.path, &name);
        let found = Metadata::of(self.lead.as_fd(), &name)
            .map_err(|errno| self.failure("cannot look at the directory", errno))?;
        let lead = open::directory(self.lead.as_fd(), &name)
            .map_err(|errno| self.failure("cannot open the directory", errno))?;
        if let (Some(follow), false) = (&self.follow, alone) {
            let child = open::directory(follow.as_fd(), &name)
                .map_err(|errno| self.failure("cannot open the counterpart", errno))?;
            self.follow = Some(child);
        }
        self.lead = lead;
        self.enter(found, alone, visitor)
    }

    fn ascend(&mut self, visitor: &mut dyn Visitor) -> Result<(), Failure> {
        let Some(done) = self.levels.pop() else { return Ok(()) };
        visitor.leave(&self.place(done.follow.is_none()), &done.found)?;
        let Some(above) = self.levels.last() else { return Ok(()) };
        self.lead = up(&self.lead, above.found.identity, &self.path)?;
        if let (Some(follow), Some(_), Some(identity)) = (&self.follow, done.follow, above.follow) {
            self.follow = Some(up(follow, identity, &self.path)?);
        }
        let name = pop(&mut self.path);
        let alone = above.follow.is_none();
        visitor.left(&self.place(alone), &name)
    }
}

/// Reads one directory; the names to walk into come back with a mark of how.
fn list(
    at: &Place<'_>,
    listing: &mut Vec<u8>,
    visitor: &mut dyn Visitor,
) -> Result<Names, Failure> {
    let mut waiting = Names::default();
    let mut entries = RawDir::new(at.lead, listing.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry =
            entry.map_err(|errno| Failure::system("cannot list the directory", at.path, errno))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let found = Metadata::of(at.lead, name)
            .map_err(|errno| at.failure("cannot look at the entry", name, errno))?;
        match visitor.entry(at, name, &found)? {
            Next::Pass => {}
            Next::Into => waiting.mark(b'+', name),
            Next::IntoAlone => waiting.mark(b'-', name),
        }
    }
    Ok(waiting)
}

impl Names {
    fn mark(&mut self, mark: u8, name: &CStr) {
        self.0.push(mark);
        self.push(name);
    }
}

fn unmark(marked: &CStr) -> Result<(bool, CString), Failure> {
    let bytes = marked.to_bytes();
    match bytes.split_first().map(|(mark, name)| (*mark == b'-', CString::new(name))) {
        Some((alone, Ok(name))) => Ok((alone, name)),
        _ => Err(Failure::new(Meaning::Failed, "the list of directories is damaged", bytes)),
    }
}

/// Opens the parent, and makes sure that it is the directory from which we came.
fn up(from: &OwnedFd, expected: Identity, path: &[u8]) -> Result<OwnedFd, Failure> {
    let parent = open::directory(from.as_fd(), c"..")
        .map_err(|errno| Failure::system("cannot open the parent", path, errno))?;
    let found = Metadata::of_open(parent.as_fd())
        .map_err(|errno| Failure::system("cannot look at the parent", path, errno))?;
    if found.identity == expected {
        return Ok(parent);
    }
    Err(Failure::new(Meaning::Failed, "the directory was moved while it was walked", path))
}

fn push(path: &mut Vec<u8>, name: &CStr) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
}

fn pop(path: &mut Vec<u8>) -> CString {
    let start = path.iter().rposition(|byte| *byte == b'/');
    let name = path.split_off(start.map_or(0, |slash| slash + 1));
    path.truncate(start.unwrap_or(0));
    CString::new(name).unwrap_or_default()
}
