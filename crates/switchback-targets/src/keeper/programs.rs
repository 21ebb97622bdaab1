//! The keeper's programs, as the controller starts them.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{Keeper, image::PROGRAM_PATH};
use crate::{
    container::change::{DataMount, DataSet},
    engine_api::{EngineClient, EngineError, ExecOutput, Input},
    patience,
};

/// For what takes a moment: a record of some kilobytes, a folder.
const SHORT: Duration = Duration::from_secs(60);

/// From here on an exit code is not the program's own: it could not be started (126; since Docker
/// 28 also 127, moby#48552), or a signal has ended it (137).
const NOT_ITS_OWN: i64 = 126;

/// For what takes a look at each of millions of files: what data takes, and removing it. A disk with
/// nothing in its cache looks at some thousands a second.
const LONG: Duration = Duration::from_secs(3600);

/// What a program of the keeper answers in place of a result.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The program refused.
    #[error("{what}: {path}")]
    Failed {
        /// What went wrong.
        what: String,
        /// To what.
        path: String,
        /// Its exit code; 28 is a full disk.
        exit: i64,
    },
}

impl KeeperError {
    /// The contract's error code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code(),
            Self::Failed { exit: 28, .. } => "no_space",
            Self::Failed { .. } => "internal",
        }
    }
}

/// How much of a copy is done, in bytes.
pub type OnProgress<'a> = &'a mut (dyn FnMut(&str, u64, Option<u64>) + Send);

/// What a mount takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Bytes a mount takes, by the mount's name.
    pub bytes: BTreeMap<String, u64>,
    /// Bytes that are free where snapshots lie.
    pub free_bytes: Option<u64>,
}

/// Writes a file durably and in one piece. Its length is said beforehand: if we die half-way, the
/// program on the other side sees the end of its input, and must not take a part for the whole.
pub async fn put(
    engine: &EngineClient,
    keeper: &Keeper,
    path: &str,
    bytes: Vec<u8>,
) -> Result<(), KeeperError> {
    let argv = words(&["put", path, &bytes.len().to_string()]);
    let run = quietly(engine, keeper, &argv, Input::Bytes(bytes.into()));
    finished(within(SHORT, format!("writing {path}"), run).await?).map(drop)
}

/// Removes a file or folder below our volume.
pub async fn remove(engine: &EngineClient, keeper: &Keeper, path: &str) -> Result<(), KeeperError> {
    let argv = words(&["remove", path]);
    let run = quietly(engine, keeper, &argv, Input::Nothing);
    finished(within(LONG, format!("removing {path}"), run).await?).map(drop)
}

/// The names in a folder below our volume; none where there is no such folder.
pub async fn list(
    engine: &EngineClient,
    keeper: &Keeper,
    path: &str,
) -> Result<Vec<String>, KeeperError> {
    let argv = words(&["list", path]);
    let run = quietly(engine, keeper, &argv, Input::Nothing);
    match finished(within(SHORT, format!("listing {path}"), run).await?) {
        Ok(lines) => Ok(lines.lines().filter_map(name_in).collect()),
        Err(KeeperError::Failed { what, .. }) if what.contains("No such file") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The name of a line of a list. One that is no text is none that we gave.
fn name_in(line: &str) -> Option<String> {
    serde_json::from_str::<Value>(line).ok()?["name"].as_str().map(str::to_owned)
}

/// Copies data to a snapshot.
pub async fn snapshot(
    engine: &EngineClient,
    keeper: &Keeper,
    folder: &str,
    data: &DataSet,
    at: &str,
    on_progress: OnProgress<'_>,
) -> Result<(), KeeperError> {
    let mut argv = words(&["snapshot", "--to", folder, "--at", at]);
    argv.extend(mounts(data));
    copy(engine, keeper, &argv, on_progress).await
}

/// Makes data what it was at a snapshot. What stands there is first copied aside.
pub async fn restore(
    engine: &EngineClient,
    keeper: &Keeper,
    (folder, aside): (&str, &str),
    data: &DataSet,
    at: &str,
    on_progress: OnProgress<'_>,
) -> Result<(), KeeperError> {
    let mut argv = words(&["restore", "--from", folder, "--aside", aside, "--at", at]);
    argv.extend(mounts(data));
    copy(engine, keeper, &argv, on_progress).await
}

/// What data takes, and what is free.
pub async fn usage(
    engine: &EngineClient,
    keeper: &Keeper,
    data: &DataSet,
) -> Result<Usage, KeeperError> {
    let mut argv = words(&["usage"]);
    argv.extend(mounts(data));
    let run = quietly(engine, keeper, &argv, Input::Nothing);
    let output = within(LONG, "measuring what the data takes".to_owned(), run).await?;
    let mut usage = Usage { bytes: BTreeMap::new(), free_bytes: None };
    for line in finished(output)?.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        if let (Some(mount), Some(bytes)) = (line["mount"].as_str(), line["bytes"].as_u64()) {
            let _first = usage.bytes.insert(mount.to_owned(), bytes);
        }
        usage.free_bytes = usage.free_bytes.or(line["free"]["bytes"].as_u64());
    }
    Ok(usage)
}

/// Gives a program up that has not ended in time. It may go on in the keeper, and do no harm: it
/// measures or removes what was to be removed, and the next of its kind begins anew.
async fn within(
    limit: Duration,
    what: String,
    run: impl Future<Output = Result<ExecOutput, EngineError>>,
) -> Result<ExecOutput, KeeperError> {
    let output = patience::within(limit, run).await;
    Ok(output.ok_or(EngineError::TimedOut { what })??)
}

/// A copy ends with the limit of its step, after which the barrier ends it.
async fn copy(
    engine: &EngineClient,
    keeper: &Keeper,
    argv: &[String],
    on_progress: OnProgress<'_>,
) -> Result<(), KeeperError> {
    let mut on_line = |line: &str| {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        if let (Some(item), Some(done)) = (line["item"].as_str(), line["done"].as_u64()) {
            on_progress(&readable(item), done, line["total"].as_u64());
        }
    };
    finished(run(engine, keeper, argv, Input::Nothing, &mut on_line).await?).map(drop)
}

/// Runs a program whose lines nobody waits for.
async fn quietly(
    engine: &EngineClient,
    keeper: &Keeper,
    argv: &[String],
    input: Input,
) -> Result<ExecOutput, EngineError> {
    run(engine, keeper, argv, input, &mut |_| {}).await
}

/// Runs a program to its end. If its container is removed from under it, it is run again in the one
/// that takes its place: every program may be repeated, and none goes on in a container that is gone.
async fn run(
    engine: &EngineClient,
    keeper: &Keeper,
    argv: &[String],
    input: Input,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Result<ExecOutput, EngineError> {
    let id = keeper.id();
    let done = engine.exec(&id, argv, input.clone(), &mut *on_line).await;
    let was_cut = match &done {
        Ok(output) => output.code >= NOT_ITS_OWN,
        Err(EngineError::Fenced(_)) => false,
        Err(_) => true,
    };
    if was_cut && keeper.has_moved_from(&id).await? {
        return engine.exec(&keeper.id(), argv, input, on_line).await;
    }
    done
}

fn words(arguments: &[&str]) -> Vec<String> {
    [PROGRAM_PATH].iter().chain(arguments).map(|it| (*it).to_owned()).collect()
}

/// A mount is named by where the service sees it, as one part of a path.
fn mount_name(target: &str) -> String {
    target.replace('%', "%25").replace('/', "%2F")
}

/// Where the service sees the mount of that name.
pub(super) fn readable(name: &str) -> String {
    name.replace("%2F", "/").replace("%25", "%")
}

/// The mounts that are not left out as a whole, by where the service sees them.
pub fn covered_mounts<'a>(
    mounts: &'a [DataMount],
    exclude: &'a [String],
) -> impl Iterator<Item = &'a str> {
    let is_left_out = |target: &str| {
        let mut exclude = exclude.iter().map(|it| it.trim_end_matches('/'));
        exclude.any(|it| target == it || target.starts_with(&format!("{it}/")))
    };
    let targets = mounts.iter().map(|it| it.target.as_str());
    targets.filter(move |it| !is_left_out(it.trim_end_matches('/')))
}

/// `--mount` and `--exclude` for all data; what is left out as a whole is not mentioned.
fn mounts(data: &DataSet) -> Vec<String> {
    let mut arguments = Vec::new();
    for target in covered_mounts(&data.mounts, &data.exclude) {
        let Some(mount) = data.mounts.iter().find(|it| it.target == target) else { continue };
        let name = mount_name(target);
        arguments.extend(["--mount".to_owned(), format!("{name}={}", mount.inside)]);
        let below = format!("{}/", target.trim_end_matches('/'));
        let exclude = data.exclude.iter().map(|it| it.trim_end_matches('/'));
        for path in exclude.filter_map(|it| it.strip_prefix(&below)) {
            arguments.extend(["--exclude".to_owned(), format!("{name}={path}")]);
        }
    }
    arguments
}

/// A program's output, or its one line of error.
fn finished(output: ExecOutput) -> Result<String, KeeperError> {
    if output.code == 0 {
        return Ok(output.stdout);
    }
    let line = output.stderr.lines().rev().find_map(|it| serde_json::from_str::<Value>(it).ok());
    let error = line.map_or(Value::Null, |it| it["error"].clone());
    let word = |key: &str| error[key].as_str().map(str::to_owned);
    let what = match (word("what"), word("message")) {
        (Some(what), Some(message)) => format!("{what}: {message}"),
        (what, _) => what.unwrap_or_else(|| output.last_words()),
    };
    Err(KeeperError::Failed { what, path: word("path").unwrap_or_default(), exit: output.code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_does_not_end_is_given_up() {
        let limit = Duration::from_millis(1);
        let given_up =
            within(limit, "removing a snapshot".to_owned(), std::future::pending()).await;
        let error = given_up.unwrap_err();
        assert!(matches!(error, KeeperError::Engine(EngineError::TimedOut { .. })), "{error}");
        assert!(error.to_string().contains("removing a snapshot"), "{error}");
    }

    #[test]
    fn exclusions_are_given_to_the_mount_that_they_lie_in() {
        let mount = |target: &str, inside: &str| DataMount {
            target: target.to_owned(),
            source: "v".to_owned(),
            inside: inside.to_owned(),
        };
        let data = DataSet {
            snapshot: "op".to_owned(),
            mounts: vec![mount("/data", "/data/0"), mount("/cache", "/data/1")],
            exclude: vec!["/cache".to_owned(), "/data/tmp/".to_owned()],
        };
        assert_eq!(mounts(&data), ["--mount", "%2Fdata=/data/0", "--exclude", "%2Fdata=tmp"]);
        assert_eq!(readable(&mount_name("/a%/b")), "/a%/b");
    }
}
