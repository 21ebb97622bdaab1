//! Whether a tag names one fixed version, or a line of versions that moves on.

/// Words in a tag that say that it moves although a version stands before them.
const MOVING: [&str; 5] = ["latest", "nightly", "snapshot", "edge", "dev"];

/// Words that stand before a version in a tag and change nothing about it.
const PREFIXES: [&str; 4] = ["version", "release", "ver", "rel"];

/// Whether `tag` names a fixed, full version: `1.2.3`, `v1.2.3-alpine`, `20240111`, `sha-4f2a9c1`.
///
/// Nobody publishes something newer under such a tag, so a registry that still shows the same digest
/// there says nothing about updates. `latest`, `1`, `1.2` and `16-alpine` are lines that move on.
pub fn names_fixed_version(tag: &str) -> bool {
    // The grammar of tags is ASCII; anything else names nothing.
    if !tag.is_ascii() {
        return false;
    }
    let tag = tag.to_ascii_lowercase();
    if tag.split(['-', '_', '.']).any(|word| MOVING.contains(&word)) {
        return false;
    }
    is_full_version(without_prefix(&tag)) || holds_a_date(&tag) || is_commit(&tag)
}

fn without_prefix(tag: &str) -> &str {
    let rest = PREFIXES
        .iter()
        .find_map(|prefix| tag.strip_prefix(prefix))
        .and_then(|rest| rest.strip_prefix(['-', '_', '.']))
        .unwrap_or(tag);
    rest.strip_prefix('v').unwrap_or(rest)
}

/// Three or more numbers with dots, and then anything that is not one more dot.
fn is_full_version(text: &str) -> bool {
    let end =
        text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let numbers: Vec<&str> = text[..end].split('.').collect();
    numbers.len() >= 3 && numbers.iter().all(|number| !number.is_empty())
}

/// `20240111` as a word, or `2024-01-11` anywhere.
fn holds_a_date(tag: &str) -> bool {
    let in_one_word = tag
        .split(['-', '_', '.'])
        .any(|word| word.len() == 8 && is_date(&word[..4], &word[4..6], &word[6..]));
    let with_dashes = tag.as_bytes().windows(10).any(|window| {
        window[4] == b'-'
            && window[7] == b'-'
            && std::str::from_utf8(window)
                .is_ok_and(|date| is_date(&date[..4], &date[5..7], &date[8..]))
    });
    in_one_word || with_dashes
}

fn is_date(year: &str, month: &str, day: &str) -> bool {
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten()
    };
    // Images have been tagged since 2013; the upper end only keeps build numbers out.
    number(year).is_some_and(|year| (2013..2100).contains(&year))
        && number(month).is_some_and(|month| (1..=12).contains(&month))
        && number(day).is_some_and(|day| (1..=31).contains(&day))
}

/// `sha-4f2a9c1`, or nothing but a commit. A word of letters alone (`facade`) is none.
fn is_commit(tag: &str) -> bool {
    let (hash, marked) = match tag.strip_prefix("sha-") {
        Some(hash) => (hash, true),
        None => (tag, false),
    };
    (7..=64).contains(&hash.len())
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        && (marked
            || (hash.bytes().any(|byte| byte.is_ascii_digit())
                && hash.bytes().any(|byte| byte.is_ascii_alphabetic())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_versions_dates_and_commits_are_fixed() {
        for tag in [
            "1.2.3",
            "v1.2.3",
            "1.2.3-alpine",
            "v1.2.3-rc.1",
            "1.2.3rc1",
            "1.2.3.4-ls123",
            "release-1.2.3",
            "version-v2.0.1",
            "20240111",
            "jammy-20240111",
            "2024.1.5",
            "RELEASE.2024-01-05T22-17-24Z",
            "sha-4f2a9c1",
            "4f2a9c1",
        ] {
            assert!(names_fixed_version(tag), "{tag}");
        }
    }

    #[test]
    fn lines_that_move_on_are_not() {
        for tag in [
            "latest",
            "stable",
            "1",
            "1.2",
            "v1",
            "v1.2",
            "16-alpine",
            "1.2.x",
            "1.2.3.x",
            "alpine3.19",
            "bookworm",
            "1.2.3-nightly",
            "1.2.3-SNAPSHOT",
            "lts",
            "facade",
            "main",
            "20241399",
            "",
            "1234567",
            "12345678",
            "1.2.3ü",
            "ü1234567",
        ] {
            assert!(!names_fixed_version(tag), "{tag}");
        }
    }
}
