//! Words for people: versions, durations, ages and sizes, and text that cannot harm a terminal.

use jiff::Timestamp;
pub use switchback_core::words::{milliseconds, seconds};

/// How many digits of a digest or commit people see: as many as `docker ps` shows.
const SHORT_DIGITS: usize = 12;

/// From this many hex digits on a word is taken for a digest or a commit, and shortened.
const LONG_DIGITS: usize = 40;

/// One line without anything that a terminal would obey. Images, logs and registries are not ours:
/// what they say may be shown, but may not move the cursor.
pub fn one_line(text: &str) -> String {
    // Nearly all that is shown, a thousand rows of a table at a time.
    if is_plain(text) {
        return text.trim_end().to_owned();
    }
    console::strip_ansi_codes(text)
        .chars()
        .map(|character| match character {
            '\n' | '\t' | '\r' => ' ',
            other if other.is_control() => '?',
            other => other,
        })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// How many columns a line takes on a terminal.
pub fn width(line: &str) -> usize {
    if is_plain(line) { line.len() } else { console::measure_text_width(line) }
}

/// Whether a text is of printable ASCII alone: nothing that a terminal would obey, a column each.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|it| matches!(it, b' '..=b'~'))
}

/// One safe line in which every digest and commit is short.
pub fn brief(text: &str) -> String {
    let line = one_line(text);
    if !has_many_digits(&line) {
        return line;
    }
    let mut shortened = String::with_capacity(line.len());
    let mut digits = String::new();
    for character in line.chars() {
        if character.is_ascii_hexdigit() {
            digits.push(character);
        } else {
            push_short(&mut shortened, &mut digits);
            shortened.push(character);
        }
    }
    push_short(&mut shortened, &mut digits);
    shortened
}

fn has_many_digits(line: &str) -> bool {
    let mut digits = 0;
    line.bytes().any(|byte| {
        digits = if byte.is_ascii_hexdigit() { digits + 1 } else { 0 };
        digits >= LONG_DIGITS
    })
}

/// Moves `digits` to the end of `text`, only the first of them if there are many.
fn push_short(text: &mut String, digits: &mut String) {
    if digits.len() >= LONG_DIGITS {
        digits.truncate(SHORT_DIGITS);
    }
    text.push_str(digits);
    digits.clear();
}

/// Text that grows by whole lines.
pub trait AddLine {
    /// Appends a line and its end.
    fn add_line(&mut self, line: &str);
}

impl AddLine for String {
    fn add_line(&mut self, line: &str) {
        self.push_str(line);
        self.push('\n');
    }
}

/// A version as people see it: of a digest or commit the first twelve digits.
pub fn version(version: &str) -> String {
    brief(version.strip_prefix("sha256:").unwrap_or(version))
}

/// How long ago something was; of long ago the day. `now` is handed in. What lies ahead of `now`
/// is shown as it is: one of the two clocks is wrong, and guessing which would hide it.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let past = now.as_second() - then.as_second();
    match past {
        ..-1 => then.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        -1..5 => "just now".to_owned(),
        5..60 => format!("{past} s ago"),
        60..3600 => format!("{} min ago", past / 60),
        3600..86_400 => format!("{} h ago", past / 3600),
        86_400..172_800 => "1 day ago".to_owned(),
        172_800..2_592_000 => format!("{} days ago", past / 86_400),
        _ => then.strftime("%Y-%m-%d").to_string(),
    }
}

/// [`ago`] of an RFC 3339 time; what is no such time is shown as it stands.
pub fn ago_of(then: &str, now: Timestamp) -> String {
    then.parse().map_or_else(|_| one_line(then), |then| ago(then, now))
}

/// A size in the units of `docker pull`: powers of 1000.
pub fn bytes(size: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    for (unit, name) in UNITS {
        if size >= unit {
            return format!("{}.{} {name}", size / unit, size % unit * 10 / unit);
        }
    }
    format!("{size} B")
}

/// `1 step`, `2 steps`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_relative_until_they_are_dates() {
        let now: Timestamp = "2026-01-10T12:00:00Z".parse().unwrap();
        let cases = [
            ("2026-01-10T11:59:58Z", "just now"),
            ("2026-01-10T11:59:18Z", "42 s ago"),
            ("2026-01-10T11:57:00Z", "3 min ago"),
            ("2026-01-10T09:00:00Z", "3 h ago"),
            ("2026-01-09T11:00:00Z", "1 day ago"),
            ("2026-01-01T11:00:00Z", "9 days ago"),
            ("2025-06-01T00:00:00Z", "2025-06-01"),
            ("2026-01-10T13:00:00Z", "2026-01-10 13:00:00 UTC"),
            ("yesterday", "yesterday"),
        ];
        for (then, words) in cases {
            assert_eq!(ago_of(then, now), words, "{then}");
        }
    }

    #[test]
    fn digests_and_commits_are_short_wherever_they_stand() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(version(&digest), "0123456789ab");
        assert_eq!(version("1.4.2"), "1.4.2");
        assert_eq!(brief(&format!("acme: {digest} -> 1")), "acme: sha256:0123456789ab -> 1");
        assert_eq!(brief("decade facade 0123456789abcdef"), "decade facade 0123456789abcdef");
    }

    #[test]
    fn nothing_from_outside_reaches_the_terminal_as_a_command() {
        assert_eq!(one_line("\u{1b}[31mred\u{1b}[0m\u{7}\nnext\r"), "red? next");
        assert!(!one_line("\u{1b}]0;title\u{7}\u{9b}2J").contains(char::is_control));
    }

    proptest::proptest! {
        #[test]
        fn plain_text_is_told_as_any_other(text in "[ -~]{0,40}") {
            let stripped = console::strip_ansi_codes(&text).into_owned();
            proptest::prop_assert_eq!(one_line(&text), stripped.trim_end());
            proptest::prop_assert_eq!(width(&text), console::measure_text_width(&text));
        }
    }

    #[test]
    fn sizes_are_in_powers_of_a_thousand() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1500), "1.5 kB");
        assert_eq!(bytes(12_345_678), "12.3 MB");
        assert_eq!(bytes(5_000_000_000), "5.0 GB");
    }
}
