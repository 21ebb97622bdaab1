//! What a copy does with each kind of entry.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, linkat, makedev, mkdirat, mknodat, openat, readlinkat,
    symlinkat,
};
use rustix::io::Errno;

use crate::exclusions::{Exclusions, Relation};
use crate::failure::{Failure, Meaning};
use crate::metadata::{Identity, Metadata};
use crate::open;
use crate::progress::Progress;
use crate::removal::unlink;
use crate::walk::{Next, Place, Visitor};

use super::attributes::{Attributes, Entry};
use super::contents::Contents;
use super::links::Links;
use super::{Beside, Copied, Destination};

/// The state of one copy.
#[derive(Debug)]
pub(super) struct Copier<'a> {
    pub(super) destination: Destination,
    pub(super) exclusions: &'a Exclusions,
    pub(super) beside: Beside,
    pub(super) progress: &'a mut Progress,
    pub(super) links: Links,
    pub(super) from: Identity,
    pub(super) to: Identity,
    pub(super) contents: Contents,
    pub(super) attributes: Attributes,
    pub(super) copied: Copied,
}

/// One entry, with both directories at hand.
#[derive(Debug, Clone, Copy)]
struct Item<'a> {
    at: &'a Place<'a>,
    to: BorrowedFd<'a>,
    name: &'a CStr,
    found: &'a Metadata,
}

impl Item<'_> {
    fn failure(&self, what: &'static str) -> impl FnOnce(Errno) -> Failure {
        let path = self.at.path_of(self.name);
        move |errno| Failure::system(what, path, errno)
    }
}

impl Copier<'_> {
    fn is_excluded(&self, item: Item<'_>) -> bool {
        !self.exclusions.is_empty()
            && self.exclusions.relation(&item.at.path_of(item.name)) == Relation::Excluded
    }

    fn present(&self, item: Item<'_>) -> Result<Option<Metadata>, Failure> {
        if self.destination == Destination::Empty {
            return Ok(None);
        }
        Metadata::find(item.to, item.name)
            .map_err(item.failure("cannot look at what stands at the destination"))
    }

    /// An excluded directory is kept empty in a copy, and as it is where it stands.
    fn excluded(&mut self, item: Item<'_>) -> Result<Next, Failure> {
        self.copied.leave_out(item.at.path_of(item.name), "excluded");
        if item.found.is_directory() && self.present(item)?.is_none() {
            self.empty_directory(item)?;
        }
        Ok(Next::Pass)
    }

    fn mounted(&mut self, item: Item<'_>) -> Result<Next, Failure> {
        self.copied.leave_out(item.at.path_of(item.name), "mount");
        if item.found.is_directory() && self.present(item)?.is_none() {
            self.empty_directory(item)?;
        }
        Ok(Next::Pass)
    }

    fn empty_directory(&mut self, item: Item<'_>) -> Result<(), Failure> {
        make_directory(item)?;
        let made = open::directory(item.to, item.name)
            .map_err(item.failure("cannot open the copy of the directory"))?;
        let source = open::directory(item.at.lead, item.name)
            .map_err(item.failure("cannot open the directory"))?;
        self.give(item, Entry::Open(source.as_fd()), Entry::Open(made.as_fd()), None)
    }

    fn directory(&mut self, item: Item<'_>) -> Result<Next, Failure> {
        match self.present(item)? {
            Some(old) if old.leaves(&self.to) => {
                self.copied.leave_out(item.at.path_of(item.name), "mount");
                return Ok(Next::Pass);
            }
            Some(old) if old.is_directory() => {}
            Some(_) => {
                replace(item)?;
                make_directory(item)?;
            }
            None => make_directory(item)?,
        }
        Ok(Next::Into)
    }

    fn file(&mut self, item: Item<'_>) -> Result<(), Failure> {
        let old = self.present(item)?;
        if old.as_ref().is_some_and(|old| old.is_directory() || old.is_mount) {
            return Err(in_the_way(item));
        }
        if item.found.links > 1 {
            if old.is_some() {
                replace(item)?;
            }
            let linked = self.links.link(item.found, item.to, item.name);
            if linked.map_err(item.failure("cannot make the hard link"))? {
                return Ok(());
            }
            self.links.remember(item.found, item.at.path_of(item.name));
            return self.new_file(item);
        }
        match old {
            Some(old) if may_be_same(item.found, &old) => self.corrected_file(item, &old),
            Some(_) => {
                replace(item)?;
                self.new_file(item)
            }
            None if self.shared_file(item)? => Ok(()),
            None => self.new_file(item),
        }
    }

    /// Takes the file of the base for the copy where it is the same in all that is kept (but the
    /// time of last access); false where it is not, or cannot be shared.
    fn shared_file(&mut self, item: Item<'_>) -> Result<bool, Failure> {
        let failed = "cannot compare with the snapshot";
        let Some(base) = &mut self.beside.base else { return Ok(false) };
        let Some(directory) = base.tree.at(item.at.path).map_err(item.failure(failed))? else {
            return Ok(false);
        };
        let Some(saved) = Metadata::find(directory, item.name).map_err(item.failure(failed))?
        else {
            return Ok(false);
        };
        let links = base.siblings.own_links(&saved, item.at.path, item.name)?;
        if !may_be_shared(item.found, &Metadata { links, ..saved }) {
            return Ok(false);
        }
        let from = open::file(item.at.lead, item.name).map_err(item.failure("cannot open"))?;
        let there = open::file(directory, item.name).map_err(item.failure(failed))?;
        let same = self
            .contents
            .same(from.as_fd(), there.as_fd())
            .and_then(|same| Ok(same && self.attributes.same(from.as_fd(), there.as_fd())?));
        if !same.map_err(item.failure(failed))? {
            return Ok(false);
        }
        match linkat(directory, item.name, item.to, item.name, AtFlags::empty()) {
            Ok(()) => {}
            // Another file system, or one that has no more names to give.
            Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP) => return Ok(false),
            Err(errno) => return Err(item.failure("cannot share with the snapshot")(errno)),
        }
        self.progress.advance(item.found.size_bytes);
        self.copied.bytes += item.found.size_bytes;
        Ok(true)
    }

    /// Writes only the bytes that differ: most of a restore is then reading. A kill in between
    /// costs nothing, because what stood there has been set aside and a repeat compares again.
    fn corrected_file(&mut self, item: Item<'_>, old: &Metadata) -> Result<(), Failure> {
        let from = open::file(item.at.lead, item.name).map_err(item.failure("cannot open"))?;
        let there = open::file_to_correct(item.to, item.name)
            .map_err(item.failure("cannot open what stands at the destination"))?;
        self.contents
            .correct(from.as_fd(), there.as_fd(), self.progress)
            .map_err(item.failure("cannot correct what stands at the destination"))?;
        self.copied.bytes += item.found.size_bytes;
        self.give(item, Entry::Open(from.as_fd()), Entry::Open(there.as_fd()), Some(old))
    }

    fn new_file(&mut self, item: Item<'_>) -> Result<(), Failure> {
        let from = open::file(item.at.lead, item.name).map_err(item.failure("cannot open"))?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = openat(item.to, item.name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(item.failure("cannot create the copy"))?;
        let copied = self.contents.copy(from.as_fd(), to.as_fd(), item.found, self.progress);
        self.copied.bytes += copied.map_err(item.failure("cannot copy"))?;
        self.give(item, Entry::Open(from.as_fd()), Entry::Open(to.as_fd()), None)
    }

    /// A symbolic link, a fifo or a device node.
    fn special(&mut self, item: Item<'_>) -> Result<(), Failure> {
        if let Some(old) = self.present(item)? {
            if old.is_directory() || old.is_mount {
                return Err(in_the_way(item));
            }
            replace(item)?;
        }
        let made = if item.found.kind == FileType::Symlink {
            readlinkat(item.at.lead, item.name, Vec::new())
                .and_then(|target| symlinkat(target, item.to, item.name))
        } else {
            let (major, minor) = item.found.device;
            let mode = Mode::from_raw_mode(item.found.mode);
            mknodat(item.to, item.name, item.found.kind, mode, makedev(major, minor))
        };
        made.map_err(item.failure("cannot make the copy of the special file"))?;
        let from = Entry::Named(item.at.lead, item.name);
        self.give(item, from, Entry::Named(item.to, item.name), None)
    }

    fn give(
        &mut self,
        item: Item<'_>,
        from: Entry<'_>,
        to: Entry<'_>,
        before: Option<&Metadata>,
    ) -> Result<(), Failure> {
        let refused = self
            .attributes
            .give(from, to, item.found, before)
            .map_err(item.failure("cannot give the copy its attributes"))?;
        for name in refused {
            self.copied.leave_out(item.at.path_of(item.name), format!("attribute {name}"));
        }
        Ok(())
    }
}

impl Visitor for Copier<'_> {
    fn entry(&mut self, at: &Place<'_>, name: &CStr, found: &Metadata) -> Result<Next, Failure> {
        let Some(to) = at.follow else {
            return Err(Failure::new(Meaning::Failed, "the copy has no destination", at.path));
        };
        let item = Item { at, to, name, found };
        if self.is_excluded(item) {
            return self.excluded(item);
        }
        if found.leaves(&self.from) {
            return self.mounted(item);
        }
        if found.kind == FileType::Socket {
            self.copied.leave_out(at.path_of(name), "socket");
            return Ok(Next::Pass);
        }
        self.copied.files += 1;
        // A million empty files are progress too.
        self.progress.advance(0);
        match found.kind {
            FileType::Directory => self.directory(item),
            FileType::RegularFile => {
                let links = self.beside.siblings.own_links(found, at.path, name)?;
                let found = Metadata { links, ..found.clone() };
                self.file(Item { found: &found, ..item }).map(|()| Next::Pass)
            }
            _ => self.special(item).map(|()| Next::Pass),
        }
    }

    /// Attributes of a directory come last: filling it moves its times, and a default list or
    /// a read-only mode would change what is made in it.
    fn leave(&mut self, at: &Place<'_>, found: &Metadata) -> Result<(), Failure> {
        let Some(to) = at.follow else { return Ok(()) };
        let refused =
            self.attributes.give(Entry::Open(at.lead), Entry::Open(to), found, None).map_err(
                |errno| Failure::system("cannot give the directory its attributes", at.path, errno),
            )?;
        for name in refused {
            self.copied.leave_out(at.path.to_vec(), format!("attribute {name}"));
        }
        Ok(())
    }
}

/// Whether comparing the bytes is worth while: one name, one size, and no holes, which a
/// comparison would read as zeros by the terabyte.
fn may_be_same(found: &Metadata, old: &Metadata) -> bool {
    old.is_file()
        && old.links == 1
        && old.size_bytes == found.size_bytes
        && !old.is_sparse()
        && !found.is_sparse()
}

/// Whether one inode could stand for both.
fn may_be_shared(found: &Metadata, saved: &Metadata) -> bool {
    may_be_same(found, saved)
        && (saved.mode, saved.user, saved.group) == (found.mode, found.user, found.group)
        && saved.times.last_modification == found.times.last_modification
}

fn make_directory(item: Item<'_>) -> Result<(), Failure> {
    mkdirat(item.to, item.name, Mode::RWXU).map_err(item.failure("cannot create the directory"))
}

fn replace(item: Item<'_>) -> Result<(), Failure> {
    unlink(item.to, item.name).map_err(item.failure("cannot remove what stands in the way"))
}

fn in_the_way(item: Item<'_>) -> Failure {
    let what = "a directory or a mount stands where the snapshot has a file";
    Failure::new(Meaning::Failed, what, item.at.path_of(item.name))
}
