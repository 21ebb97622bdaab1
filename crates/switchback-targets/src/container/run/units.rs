//! Durations and sizes as people write them.

use switchback_core::Millis;

/// `500ms`, `90s`, `1h30m`, `1.5s`: numbers, each with its unit. A bare `0` is allowed, another
/// bare number is not, because nobody can know its unit.
pub fn parse_duration_ms(text: &str) -> Result<Millis, String> {
    let wrong = || format!("`{text}` is not a duration such as 500ms, 90s or 1h30m");
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut total_ms: Millis = 0;
    while !rest.is_empty() {
        let (number, after) = split_at_first(rest, |c: char| !c.is_ascii_digit() && c != '.');
        let (unit, after) = split_at_first(after, |c: char| !c.is_ascii_alphabetic());
        let unit_ms: Millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let part_ms = decimal(number, unit_ms).ok_or_else(wrong)?;
        total_ms = total_ms.checked_add(part_ms).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total_ms) }
}

/// `64m`, `1.5gb`, `2GiB`, `1048576`: units of 1024, as the engine counts them.
pub fn parse_bytes(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a size such as 64m, 1g or a number of bytes");
    let (number, unit) = split_at_first(text, |c: char| !c.is_ascii_digit() && c != '.');
    let exponent = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(wrong()),
    };
    let bytes = decimal(number, 1024_u64.pow(exponent)).ok_or_else(wrong)?;
    i64::try_from(bytes).map_err(|_| wrong())
}

/// `1.5` times a unit, in whole units; more than six digits behind the point are not looked at.
fn decimal(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits =
        |text: &str| -> Option<u128> { if text.is_empty() { Some(0) } else { text.parse().ok() } };
    let fraction = &fraction[..fraction.len().min(6)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let value = digits(whole)?
        .checked_mul(u128::from(unit))?
        .checked_add(digits(fraction)?.checked_mul(u128::from(unit))? / scale)?;
    u64::try_from(value).ok()
}

fn split_at_first(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        assert_eq!(parse_duration_ms("500ms"), Ok(500));
        assert_eq!(parse_duration_ms("90s"), Ok(90_000));
        assert_eq!(parse_duration_ms("1h30m"), Ok(5_400_000));
        assert_eq!(parse_duration_ms("1.5s"), Ok(1_500));
        assert_eq!(parse_duration_ms("0"), Ok(0));
    }

    #[test]
    fn what_is_no_duration_is_said() {
        for text in ["", "90", "s", "1x", "-1s", "1h30", "1.2.3s", ".s", "99999999999999999999h"] {
            assert!(parse_duration_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_count_in_1024() {
        assert_eq!(parse_bytes("64m"), Ok(64 << 20));
        assert_eq!(parse_bytes("1.5gb"), Ok(3 << 29));
        assert_eq!(parse_bytes("2GiB"), Ok(2 << 30));
        assert_eq!(parse_bytes("4096"), Ok(4096));
        assert!(parse_bytes("64q").is_err());
        assert!(parse_bytes("").is_err());
    }
}
