//! The command line. Arguments are paths and names, given by the controller without a shell.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::exclusions::Exclusions;
use crate::failure::{Failure, Meaning};
use crate::restore::RestoreRequest;
use crate::snapshot::{Mount, Request};

/// Where our own volume is mounted in the keeper's container.
pub const STORE: &str = "/switchback";

/// What the program is asked to do.
#[derive(Debug)]
pub enum Command {
    /// Wait as process 1.
    Hold,
    /// Standard input to a file, durably, if it is as many bytes as was said.
    Put(PathBuf, u64),
    /// A file to standard output.
    Get(PathBuf),
    /// The entries of a directory.
    List(PathBuf),
    /// Remove a tree below [`STORE`].
    Remove(PathBuf),
    /// What mounts take and what is free.
    Usage {
        /// The mounts to measure.
        mounts: Vec<Mount>,
        /// Where to look for free space.
        store: PathBuf,
    },
    /// Take a snapshot.
    Snapshot(Request),
    /// Restore one.
    Restore(RestoreRequest),
}

/// Understands the arguments that follow the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut arguments = arguments.into_iter();
    let verb = arguments.next().ok_or_else(|| usage("a verb is missing", OsStr::new("")))?;
    let command = match verb.to_str() {
        Some("hold") => Command::Hold,
        Some("put") => {
            let path = path(&mut arguments)?;
            let bytes = arguments.next().ok_or_else(|| usage("a size is missing", &verb))?;
            Command::Put(path, number_of_bytes(&bytes)?)
        }
        Some("get") => Command::Get(path(&mut arguments)?),
        Some("list") => Command::List(path(&mut arguments)?),
        Some("remove") => Command::Remove(path(&mut arguments)?),
        Some(verb @ ("usage" | "snapshot" | "restore")) => {
            return Options::parse(arguments)?.into_command(verb);
        }
        _ => return Err(usage("this verb is not known", &verb)),
    };
    match arguments.next() {
        Some(extra) => Err(usage("this argument is one too many", &extra)),
        None => Ok(command),
    }
}

fn number_of_bytes(value: &OsStr) -> Result<u64, Failure> {
    let bytes = value.to_str().and_then(|it| it.parse().ok());
    bytes.ok_or_else(|| usage("this is no number of bytes", value))
}

#[derive(Debug, Default)]
struct Options {
    mounts: Vec<(String, PathBuf)>,
    excluded: Vec<(String, Vec<u8>)>,
    to: Option<PathBuf>,
    from: Option<PathBuf>,
    aside: Option<PathBuf>,
    store: Option<PathBuf>,
    at: Option<String>,
    total_bytes: Option<u64>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut options = Self::default();
        while let Some(option) = arguments.next() {
            let value =
                arguments.next().ok_or_else(|| usage("this option wants a value", &option))?;
            options.take(&option, value)?;
        }
        Ok(options)
    }

    fn take(&mut self, option: &OsStr, value: OsString) -> Result<(), Failure> {
        match option.to_str() {
            Some("--mount") => {
                let (name, path) = named(&value)?;
                self.mounts.push((name, PathBuf::from(OsString::from_vec(path))));
            }
            Some("--exclude") => {
                let (name, path) = named(&value)?;
                let path = Exclusions::normalize(&path)
                    .ok_or_else(|| usage("this excludes no subtree of a mount", &value))?;
                self.excluded.push((name, path));
            }
            Some("--to") => self.to = Some(value.into()),
            Some("--from") => self.from = Some(value.into()),
            Some("--aside") => self.aside = Some(value.into()),
            Some("--store") => self.store = Some(value.into()),
            Some("--at") => self.at = Some(text(value)?),
            Some("--total") => {
                self.total_bytes = Some(number_of_bytes(&value)?);
            }
            _ => return Err(usage("this option is not known", option)),
        }
        Ok(())
    }

    fn into_command(mut self, verb: &str) -> Result<Command, Failure> {
        let mounts = self.mounts()?;
        match verb {
            "usage" => {
                let store = self.store.unwrap_or_else(|| PathBuf::from(STORE));
                Ok(Command::Usage { mounts, store })
            }
            "snapshot" => Ok(Command::Snapshot(Request {
                to: required(self.to, "--to")?,
                mounts,
                at: required(self.at, "--at")?,
                total_bytes: self.total_bytes,
            })),
            _ => Ok(Command::Restore(RestoreRequest {
                from: required(self.from, "--from")?,
                aside: required(self.aside, "--aside")?,
                mounts,
                at: required(self.at, "--at")?,
            })),
        }
    }

    /// Joins each mount with its exclusions; two mounts of one name would overwrite each other.
    fn mounts(&mut self) -> Result<Vec<Mount>, Failure> {
        let mut mounts: Vec<Mount> = Vec::with_capacity(self.mounts.len());
        for (name, path) in std::mem::take(&mut self.mounts) {
            if mounts.iter().any(|mount| mount.name == name) {
                return Err(usage("this mount is named twice", OsStr::new(&name)));
            }
            let excluded = self.excluded.iter().filter(|(mount, _)| *mount == name);
            let exclusions = Exclusions::new(excluded.map(|(_, path)| path.clone()).collect());
            mounts.push(Mount { name, path, exclusions });
        }
        let unknown =
            self.excluded.iter().find(|(name, _)| !mounts.iter().any(|mount| mount.name == *name));
        match unknown {
            Some((name, _)) => Err(usage("--exclude names no --mount", OsStr::new(name))),
            None => Ok(mounts),
        }
    }
}

/// `NAME=PATH`, where the name becomes one part of a path in the snapshot.
fn named(value: &OsStr) -> Result<(String, Vec<u8>), Failure> {
    let bytes = value.as_bytes();
    let split = bytes.iter().position(|byte| *byte == b'=');
    let (name, path) = split
        .map(|at| (&bytes[..at], &bytes[at + 1..]))
        .ok_or_else(|| usage("this must have the form NAME=PATH", value))?;
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| !matches!(*name, "" | "." | "..") && !name.contains('/'))
        .ok_or_else(|| usage("the name must be one part of a path", value))?;
    Ok((name.to_owned(), path.to_vec()))
}

fn path(arguments: &mut impl Iterator<Item = OsString>) -> Result<PathBuf, Failure> {
    arguments.next().map(PathBuf::from).ok_or_else(|| usage("a path is missing", OsStr::new("")))
}

fn text(value: OsString) -> Result<String, Failure> {
    value.into_string().map_err(|value| usage("this is not UTF-8", &value))
}

fn required<T>(value: Option<T>, option: &str) -> Result<T, Failure> {
    value.ok_or_else(|| usage("this option is missing", OsStr::new(option)))
}

fn usage(what: &'static str, about: &OsStr) -> Failure {
    Failure::new(Meaning::Usage, what, about.as_bytes())
}
