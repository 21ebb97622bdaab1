//! What was decided about a target, by verdicts and by people: what is skipped, where it is held, and
//! what it follows. It lies with the target, so that whoever takes that over goes by it.

use serde::{Deserialize, Serialize};
use switchback_core::release::Rejected;

/// Rejected versions that are kept with a target, the newest: two a week for a year. What so many
/// others have followed is hardly offered again.
pub const REJECTED_MAX: usize = 100;

/// What was decided about a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// What is skipped until something newer exists or a person names it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
    /// Where a person has sent it, until the next plain update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_at: Option<String>,
    /// The image reference that it follows, whatever it is held at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
}

impl Decisions {
    /// Rejects a version. For the same version and specification the latest reason counts.
    pub fn reject(&mut self, new: Rejected) {
        self.rejected
            .retain(|it| (&it.version, &it.specification) != (&new.version, &new.specification));
        self.rejected.push(new);
        self.rejected.sort_by_key(|it| it.at);
        let surplus = self.rejected.len().saturating_sub(REJECTED_MAX);
        drop(self.rejected.drain(..surplus));
    }

    /// Clears one version with every specification, or (none) all. Returns how many entries went.
    pub fn clear(&mut self, version: Option<&str>) -> usize {
        let before = self.rejected.len();
        self.rejected.retain(|it| version.is_some_and(|version| it.version != version));
        before - self.rejected.len()
    }

    /// What forbids a version, run in that way: the entry for exactly that before one for any.
    pub fn rejection_of(&self, version: &str, specification: &str) -> Option<&Rejected> {
        let covers = |it: &&Rejected| it.covers(version, specification);
        let exact = self.rejected.iter().filter(covers).find(|it| !it.specification.is_empty());
        exact.or_else(|| self.rejected.iter().find(covers))
    }

    /// These, and what another copy of them knows besides.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        for rejected in other.rejected {
            let is_known = |it: &Rejected| {
                (&it.version, &it.specification) == (&rejected.version, &rejected.specification)
            };
            if !self.rejected.iter().any(is_known) {
                self.reject(rejected);
            }
        }
        self.held_at = self.held_at.or(other.held_at);
        self.follows = self.follows.or(other.follows);
        self
    }

    /// These, read by a store that cannot make the hashes in them: what was rejected with one
    /// specification is skipped with any, until a person clears or names it.
    #[must_use]
    pub fn of_another_key(self) -> Self {
        let mut all = Self { rejected: Vec::new(), ..self };
        for rejected in self.rejected {
            all.reject(Rejected { specification: String::new(), ..rejected });
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(version: &str, specification: &str, at: u64) -> Rejected {
        let (version, specification) = (version.to_owned(), specification.to_owned());
        Rejected { reason: format!("reason {at}"), version, specification, at }
    }

    fn all(entries: &[Rejected]) -> Decisions {
        let mut decisions = Decisions::default();
        for it in entries {
            decisions.reject(it.clone());
        }
        decisions
    }

    #[test]
    fn a_version_is_skipped_as_it_was_run_or_however_it_is_run() {
        let known = all(&[rejected("sha256:a", "s1", 1), rejected("sha256:b", "", 2)]);
        let reason = |version: &str, specification: &str| {
            known.rejection_of(version, specification).map(|it| it.reason.as_str())
        };
        assert_eq!(reason("sha256:a", "s1"), Some("reason 1"));
        assert_eq!(reason("sha256:a", "s2"), None, "run in another way it may be tried");
        assert_eq!(reason("sha256:b", "s2"), Some("reason 2"));
        assert_eq!(reason("sha256:c", ""), None);
    }

    #[test]
    fn the_latest_reason_counts_and_the_oldest_entries_go() {
        let mut known = all(&[rejected("sha256:a", "s", 1), rejected("sha256:a", "s", 7)]);
        assert_eq!(known.rejected, [rejected("sha256:a", "s", 7)]);
        for at in 0..REJECTED_MAX {
            known.reject(rejected(&format!("sha256:{at}"), "s", 10 + at as u64));
        }
        assert_eq!(known.rejected.len(), REJECTED_MAX);
        assert_eq!(known.rejection_of("sha256:a", "s"), None);
        assert_eq!(known.clear(Some("sha256:5")), 1);
        assert_eq!(known.clear(None), REJECTED_MAX - 1);
    }

    #[test]
    fn two_copies_make_one_and_the_first_one_counts() {
        let one =
            Decisions { held_at: Some("web:1".into()), ..all(&[rejected("sha256:a", "", 5)]) };
        let other = Decisions {
            held_at: Some("web:2".into()),
            follows: Some("web".into()),
            ..all(&[rejected("sha256:a", "", 1), rejected("sha256:b", "", 2)])
        };
        let both = one.with(other);
        assert_eq!(both.rejected, [rejected("sha256:b", "", 2), rejected("sha256:a", "", 5)]);
        assert_eq!(
            (both.held_at.as_deref(), both.follows.as_deref()),
            (Some("web:1"), Some("web"))
        );
    }

    #[test]
    fn whoever_cannot_read_the_hashes_skips_the_version_whatever_it_runs_as() {
        let theirs = all(&[rejected("sha256:a", "s1", 1), rejected("sha256:a", "s2", 2)]);
        assert_eq!(theirs.of_another_key().rejected, [rejected("sha256:a", "", 2)]);
    }
}
