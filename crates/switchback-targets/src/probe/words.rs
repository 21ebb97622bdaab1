//! How a look is told: times, addresses without passwords, long texts cut.

use std::time::Duration;

use switchback_core::words::duration;

/// The longest text of somebody else's that goes into a detail.
const LONGEST: usize = 120;

/// `no answer within 5 s`.
pub(super) fn no_answer(limit: Duration) -> String {
    format!("no answer within {}", duration(limit))
}

/// An address that may be shown: its password is `***`.
pub(super) fn without_password(url: &reqwest::Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // Only an address without a host refuses a password, and that one has none.
        url.set_password(Some("***")).ok();
    }
    cut(url.as_str())
}

/// A text of somebody else's: one line, not too long.
pub(super) fn cut(text: &str) -> String {
    let line = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut short: String = line.clone().take(LONGEST).collect();
    if line.count() > LONGEST {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_as_every_span_is() {
        assert_eq!(no_answer(Duration::from_secs(5)), "no answer within 5 s");
        assert_eq!(no_answer(Duration::from_millis(300)), "no answer within 0.3 s");
    }

    #[test]
    fn passwords_and_line_breaks_are_not_told() {
        let url = reqwest::Url::parse("http://alice:canary@web.example/").expect("an address");
        assert_eq!(without_password(&url), "http://alice:***@web.example/");
        assert_eq!(cut("a\nb"), "a b");
        assert_eq!(cut(&"x".repeat(500)).chars().count(), LONGEST + 1);
    }
}
