//! Spans of time in words: one way for all messages, results and displays.

use crate::Millis;

/// A span of seconds: `0.8 s`, `3 s`, `3.1 s`, `4 min 5 s`, `2 h 5 min`, `3 d 4 h`. Tenths are rounded,
/// and not said where there are none.
pub fn seconds(span: f64) -> String {
    if !span.is_finite() || span < 0.0 {
        return "an unknown time".to_owned();
    }
    if span > 0.0 && span < 0.05 {
        return "less than 0.1 s".to_owned();
    }
    // Just below a minute one decimal would round up to "60 s".
    if span < 59.95 {
        let tenths = format!("{span:.1}");
        return format!("{} s", tenths.strip_suffix(".0").unwrap_or(&tenths));
    }
    let whole = std::time::Duration::try_from_secs_f64(span.round())
        .map_or(u64::MAX, |span| span.as_secs());
    let (large, large_name, small, small_name) = match whole {
        0..3600 => (whole / 60, "min", whole % 60, "s"),
        3600..86400 => (whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => (whole / 86400, "d", whole % 86400 / 3600, "h"),
    };
    match small {
        0 => format!("{large} {large_name}"),
        _ => format!("{large} {large_name} {small} {small_name}"),
    }
}

/// A span in milliseconds, in the words of [`seconds`].
pub fn milliseconds(span: Millis) -> String {
    seconds(std::time::Duration::from_millis(span).as_secs_f64())
}

/// A limit or a pause, in the words of [`seconds`].
pub fn duration(span: std::time::Duration) -> String {
    seconds(span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_speech() {
        let cases = [
            (0.0, "0 s"),
            (0.01, "less than 0.1 s"),
            (0.84, "0.8 s"),
            (3.0, "3 s"),
            (3.04, "3 s"),
            (3.1, "3.1 s"),
            (3.5, "3.5 s"),
            (59.96, "1 min"),
            (245.0, "4 min 5 s"),
            (7500.0, "2 h 5 min"),
            (273_600.0, "3 d 4 h"),
            (-1.0, "an unknown time"),
            (f64::NAN, "an unknown time"),
        ];
        for (span, words) in cases {
            assert_eq!(seconds(span), words, "{span}");
        }
    }

    #[test]
    fn the_unit_of_the_number_makes_no_difference() {
        assert_eq!(milliseconds(3_500), seconds(3.5));
        assert_eq!(duration(std::time::Duration::from_millis(300)), "0.3 s");
    }
}
