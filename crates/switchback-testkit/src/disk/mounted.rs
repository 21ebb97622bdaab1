//! The contents of a disk as the kernel asks for them.

use std::{
    ffi::OsStr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::{
    Shared,
    contents::{Contents, Node},
    lock,
};

/// Nothing changes but by requests of the same kernel, so it may remember what it was told.
const TTL: Duration = Duration::from_secs(3_600);

/// The number of the only folder.
const ROOT: u64 = 1;

/// What the disk says that it has room for, in blocks of 4 KiB: 64 MiB.
const BLOCKS: u64 = 16_384;

/// The kernel's view.
pub(super) struct Mounted {
    shared: Arc<Mutex<Shared>>,
    owner: (u32, u32),
}

type Answered<T> = Result<T, Errno>;

impl Mounted {
    pub(super) fn new(shared: Arc<Mutex<Shared>>) -> Self {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { shared, owner }
    }

    fn attributes(&self, contents: &Contents, number: u64) -> Answered<FileAttr> {
        let folder = Node::folder();
        let node = match number {
            ROOT => &folder,
            _ => contents.files.get(&number).ok_or(Errno::ENOENT)?,
        };
        let kind = if number == ROOT { FileType::Directory } else { FileType::RegularFile };
        let (size, time) = (node.now.len() as u64, SystemTime::UNIX_EPOCH);
        Ok(FileAttr {
            ino: INodeNo(number),
            size,
            blocks: size.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind,
            perm: node.mode,
            nlink: node.names,
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    /// A request that would put something on the disk.
    fn put<T>(&self, change: impl FnOnce(&mut Contents) -> Answered<T>) -> Answered<T> {
        let mut shared = lock(&self.shared);
        if let Some(trouble) = shared.trouble() {
            return Err(trouble);
        }
        let done = change(&mut shared.contents)?;
        shared.changed();
        Ok(done)
    }

    /// A request that gives space back, which even a full disk takes.
    fn take(&self, change: impl FnOnce(&mut Contents) -> Option<()>) -> Answered<()> {
        let mut shared = lock(&self.shared);
        if shared.is_ill() {
            return Err(Errno::EIO);
        }
        change(&mut shared.contents).ok_or(Errno::ENOENT)?;
        shared.changed();
        Ok(())
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn empty(reply: ReplyEmpty, done: Answered<()>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let shared = lock(&self.shared);
        let number = shared.contents.names.get(name).copied().ok_or(Errno::ENOENT);
        match number.and_then(|it| self.attributes(&shared.contents, it)) {
            Ok(found) => reply.entry(&TTL, &found, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let found = self.attributes(&lock(&self.shared).contents, number.into());
        match found {
            Ok(found) => reply.attr(&TTL, &found),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        length: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let number = u64::from(number);
        let done = match length {
            None => Ok(()),
            Some(0) => self.take(|it| it.resize(number, 0)),
            Some(length) => self.put(|it| it.resize(number, size(length)).ok_or(Errno::ENOENT)),
        };
        let mut shared = lock(&self.shared);
        if let (Some(mode), Some(node)) = (mode, shared.contents.files.get_mut(&number)) {
            node.mode = u16::try_from(mode & 0o7777).unwrap_or(node.mode);
        }
        match done.and_then(|()| self.attributes(&shared.contents, number)) {
            Ok(found) => reply.attr(&TTL, &found),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let created = self.put(|it| {
            let number = it.create(name, mode & !umask);
            self.attributes(it, number)
        });
        match created {
            Ok(created) => {
                reply.created(&TTL, &created, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        count: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let shared = lock(&self.shared);
        let Some(node) = shared.contents.files.get(&number.into()) else {
            return reply.error(Errno::ENOENT);
        };
        let from = size(offset).min(node.now.len());
        let to = from.saturating_add(count as usize).min(node.now.len());
        reply.data(&node.now[from..to]);
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let write = |it: &mut Contents| it.write(number.into(), size(offset), data);
        match self.put(|it| write(it).ok_or(Errno::ENOENT)) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.put(|it| it.sync(number.into()).ok_or(Errno::ENOENT)));
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let sync = |it: &mut Contents| {
            it.sync_names();
            Ok(())
        };
        empty(reply, self.put(sync));
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let shared = lock(&self.shared);
        for (place, (name, number)) in shared.contents.names.iter().enumerate().skip(size(offset)) {
            let next = place as u64 + 1;
            if reply.add(INodeNo(*number), next, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.take(|it| it.unlink(name)));
    }

    fn link(&self, _: &Request, number: INodeNo, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let made = self.put(|it| {
            it.link(number.into(), name).ok_or(Errno::ENOENT)?;
            self.attributes(it, number.into())
        });
        match made {
            Ok(made) => reply.entry(&TTL, &made, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        from: &OsStr,
        _: INodeNo,
        to: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        empty(reply, self.put(|it| it.rename(from, to).ok_or(Errno::ENOENT)));
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let is_full = lock(&self.shared).trouble().is_some();
        let free = if is_full { 0 } else { BLOCKS };
        reply.statfs(BLOCKS, free, free, 1 << 20, 1 << 20, 4096, 255, 4096);
    }
}
