//! When to look, when to speak, and what to say. Pure.

use std::time::Duration;

use switchback_core::Millis;

use super::cache::Remembered;

/// A look that brought no answer is not repeated sooner: who is offline stays so for a while, and
/// a registry in trouble is not helped by us.
const RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a notice may be unwelcome.
#[derive(Debug, Clone, Copy)]
pub struct Reasons {
    /// The printer shows notices: a terminal, text, not quiet.
    pub welcome: bool,
    /// `CI` is set.
    pub in_ci: bool,
    /// `SWITCHBACK_NO_UPDATE_NOTICE` is set, or the configuration says `update_notice = false`.
    pub opted_out: bool,
}

impl Reasons {
    /// The reasons that this process finds in its environment.
    pub fn of_this_process(welcome: bool, configured: bool) -> Self {
        let is_set = |name| {
            let value = std::env::var_os(name).unwrap_or_default();
            !value.is_empty() && value != "0" && value != "false"
        };
        let opted_out = !configured || is_set("SWITCHBACK_NO_UPDATE_NOTICE");
        Self { welcome, in_ci: is_set("CI"), opted_out }
    }
}

/// Whether anything is to be said or asked at all.
pub(super) fn is_wanted(reasons: Reasons, interval: Duration) -> bool {
    reasons.welcome && !reasons.in_ci && !reasons.opted_out && !interval.is_zero()
}

/// Whether the registry is to be asked again.
pub(super) fn is_due(remembered: &Remembered, now: Millis, interval: Duration) -> bool {
    let retry_after = RETRY_AFTER.min(interval);
    is_past(remembered.attempted_at, now, retry_after)
        && is_past(remembered.checked_at, now, interval)
}

/// Whether that long has passed since then. A time ahead of the clock comes from a clock that was
/// wrong, then or now; waiting for it could take years.
fn is_past(then: Millis, now: Millis, span: Duration) -> bool {
    match now.checked_sub(then) {
        Some(passed) => u128::from(passed) >= span.as_millis(),
        None => true,
    }
}

/// The notice, if a newer version is known. Only what parses as a version is ever shown: the
/// registry's text reaches a terminal.
pub(super) fn notice(remembered: &Remembered, name: &str, current: &str) -> Option<String> {
    let latest = semver::Version::parse(remembered.latest.as_deref()?).ok()?;
    let current = semver::Version::parse(current).ok()?;
    (latest > current).then(|| {
        format!(
            "Update: A new version of {name} is available: {current} -> {latest}\n  \
             Run: cargo install {name}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Millis = 24 * 60 * 60 * 1000;
    const NOW: Millis = 1000 * DAY;
    const WEEK: Duration = super::super::INTERVAL_DEFAULT;

    fn remembered(attempted_days_ago: Millis, checked_days_ago: Millis) -> Remembered {
        Remembered {
            attempted_at: NOW - attempted_days_ago * DAY,
            checked_at: NOW - checked_days_ago * DAY,
            latest: None,
        }
    }

    #[test]
    fn the_registry_is_asked_once_a_week_and_after_a_failure_once_a_day() {
        assert!(is_due(&Remembered::default(), NOW, WEEK), "never asked");
        assert!(!is_due(&remembered(6, 6), NOW, WEEK), "answered within the week");
        assert!(is_due(&remembered(7, 7), NOW, WEEK), "the week is over");
        assert!(!is_due(&remembered(0, 30), NOW, WEEK), "failed, or under way, today");
        assert!(is_due(&remembered(1, 30), NOW, WEEK), "failed yesterday");
    }

    #[test]
    fn an_answer_from_the_future_is_asked_again() {
        let future = Remembered { attempted_at: NOW + DAY, checked_at: NOW + DAY, latest: None };
        assert!(is_due(&future, NOW, WEEK));
    }

    #[test]
    fn a_short_interval_is_honoured_too() {
        let hour = Duration::from_secs(3600);
        assert!(is_due(&remembered(1, 1), NOW, hour));
        let minutes_ago = Remembered { attempted_at: NOW - 60_000, ..remembered(0, 1) };
        assert!(!is_due(&minutes_ago, NOW, hour));
    }

    #[test]
    fn any_one_reason_is_enough_for_silence() {
        let all = Reasons { welcome: true, in_ci: false, opted_out: false };
        assert!(is_wanted(all, WEEK));
        assert!(!is_wanted(Reasons { welcome: false, ..all }, WEEK));
        assert!(!is_wanted(Reasons { in_ci: true, ..all }, WEEK));
        assert!(!is_wanted(Reasons { opted_out: true, ..all }, WEEK));
        assert!(!is_wanted(all, Duration::ZERO));
    }

    #[test]
    fn only_a_newer_version_is_worth_a_notice() {
        let told = |latest: &str| {
            let remembered = Remembered { latest: Some(latest.into()), ..Remembered::default() };
            notice(&remembered, "switchback", "1.9.0")
        };
        assert_eq!(
            told("1.10.0").unwrap(),
            "Update: A new version of switchback is available: 1.9.0 -> 1.10.0\n  \
             Run: cargo install switchback"
        );
        for nothing in ["1.9.0", "1.8.9", "1.9.0-rc.1", "", "2.0.0\u{1b}[2J", "newest"] {
            assert_eq!(told(nothing), None, "{nothing:?}");
        }
    }
}
