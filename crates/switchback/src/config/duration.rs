//! Durations as people write them.

use std::fmt::Write as _;

use switchback_core::Millis;

/// `500ms`, `90s`, `1h30m`: the way back from what the configuration says.
pub(crate) fn format_duration(duration_ms: Millis) -> String {
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest_ms = duration_ms;
    let mut text = String::new();
    for (unit, unit_ms) in units {
        let count = rest_ms / unit_ms;
        if count > 0 {
            let _infallible = write!(text, "{count}{unit}");
            rest_ms %= unit_ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use switchback_targets::container::run::parse_duration_ms;

    use super::*;

    #[test]
    fn durations_are_written_as_they_are_read() {
        assert_eq!(format_duration(5_400_000), "1h30m");
        assert_eq!(format_duration(90_500), "1m30s500ms");
        assert_eq!(format_duration(0), "0s");
    }

    proptest::proptest! {
        #[test]
        fn every_duration_comes_back(duration_ms in 0..u64::MAX) {
            proptest::prop_assert_eq!(parse_duration_ms(&format_duration(duration_ms)), Ok(duration_ms));
        }
    }
}
