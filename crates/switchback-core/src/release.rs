//! The release log: what has run, on which rung the way back to it stands, and what is rejected.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A version that was committed, numbered for good. Failed attempts are operations, not releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// `r1`, `r2`, … without the letter.
    pub number: u32,
    /// The digest or full commit; for an image that no registry knows, its id.
    pub version: String,
    /// What people call it, if anything tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A keyed hash of the run specification.
    pub specification: String,
    /// When it was committed, in milliseconds since the epoch.
    pub at: Millis,
    /// Whether a gate has proven it, or (for what ran before the first update) how it looked.
    pub evidence: Evidence,
    /// The operation that committed it; none for what ran before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The operation whose snapshot holds the data as this release left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// Going back past it loses data that nothing here can bring back.
    #[serde(default)]
    pub irreversible: bool,
}

/// The data of a release, as it was when the release was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The operation that made it.
    pub operation: String,
    /// When, in milliseconds since the epoch.
    pub at: Millis,
}

/// What is known of a release's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// It passed the gate.
    Verified,
    /// It was seen healthy before the first update.
    SeenHealthy,
    /// It was seen ill before the first update.
    SeenIll,
    /// Nothing is known: it was never run by us, or there was nothing to ask.
    Unverified,
}

/// How a way back to a release stands, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// It is what runs.
    Running,
    /// The original container, stopped.
    Kept,
    /// Made again from the recorded specification; the image is here under our tag.
    Image,
    /// As `image`, but the image still has to be pulled.
    Registry,
    /// There is no way back.
    Lost,
}

/// Something that was rejected and is skipped until something newer exists or a person names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The digest or commit.
    pub version: String,
    /// A keyed hash of the run specification it was tried with; empty: it is rejected with any.
    pub specification: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since the epoch.
    pub at: Millis,
}

impl Rejected {
    /// Whether it speaks of that version, run in that way.
    pub fn covers(&self, version: &str, specification: &str) -> bool {
        let is_of_any = self.specification.is_empty();
        self.version == version && (is_of_any || self.specification == specification)
    }
}

/// Why there is no release to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoWayBack {
    /// Nothing was ever updated, or nothing else was ever good.
    #[error("No previous version available for rollback")]
    NoRelease,
    /// The release that was named is not kept.
    #[error("No release r{0} is kept")]
    NotKept(u32),
    /// The release that was named is what runs.
    #[error("r{0} is what runs")]
    Running(u32),
}

/// The release that a rollback goes to: the named one, or the last good one that is not running.
pub fn way_back(
    releases: &[Release],
    running: u32,
    wanted: Option<u32>,
    is_rejected: impl Fn(&Release) -> bool,
) -> Result<&Release, NoWayBack> {
    if let Some(number) = wanted {
        if number == running {
            return Err(NoWayBack::Running(number));
        }
        return releases.iter().find(|it| it.number == number).ok_or(NoWayBack::NotKept(number));
    }
    let mut older: Vec<_> = releases.iter().filter(|it| it.number != running).collect();
    // What was committed last comes first; after a rollback to r1, r2 was left as bad.
    older.sort_by_key(|it| std::cmp::Reverse((it.number < running, it.number)));
    older.into_iter().find(|it| !is_rejected(it)).ok_or(NoWayBack::NoRelease)
}

/// Releases that are not kept any more: all but the newest `retain`, never the running one.
pub fn surplus(releases: &[Release], running: u32, retain: u32) -> Vec<u32> {
    let mut numbers: Vec<_> = releases.iter().map(|it| it.number).collect();
    numbers.sort_unstable();
    let keep = usize::try_from(retain.max(1)).unwrap_or(usize::MAX);
    let surplus = numbers.len().saturating_sub(keep);
    numbers.into_iter().filter(|it| *it != running).take(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(number: u32) -> Release {
        Release {
            number,
            version: format!("sha256:{number}"),
            label: None,
            specification: String::new(),
            at: u64::from(number),
            evidence: Evidence::Verified,
            operation: None,
            snapshot: None,
            irreversible: false,
        }
    }

    #[test]
    fn a_rollback_goes_to_the_last_good_release_that_does_not_run() {
        let releases = [release(1), release(2), release(3)];
        assert_eq!(way_back(&releases, 3, None, |_| false).map(|it| it.number), Ok(2));
        assert_eq!(way_back(&releases, 3, None, |it| it.number == 2).map(|it| it.number), Ok(1));
        assert_eq!(way_back(&releases, 3, Some(1), |_| false).map(|it| it.number), Ok(1));
        assert_eq!(way_back(&releases, 3, Some(9), |_| false), Err(NoWayBack::NotKept(9)));
        assert_eq!(way_back(&releases[..1], 1, None, |_| false), Err(NoWayBack::NoRelease));
    }

    #[test]
    fn after_a_rollback_what_was_left_is_not_the_way_back() {
        let releases = [release(1), release(2)];
        assert_eq!(way_back(&releases, 1, None, |it| it.number == 2), Err(NoWayBack::NoRelease));
    }

    #[test]
    fn the_newest_are_kept_and_the_running_one_always() {
        let releases: Vec<_> = (1..=6).map(release).collect();
        assert_eq!(surplus(&releases, 6, 5), [1]);
        assert_eq!(surplus(&releases, 1, 2), [2, 3, 4, 5]);
        assert_eq!(surplus(&releases[..1], 1, 0), Vec::<u32>::new());
    }
}
