//! Digests of content: their form, and whether bytes have them.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256, Sha512};

/// Whether this is a digest that can be verified: sha256 or sha512, lowercase hexadecimal.
pub(super) fn is_valid(digest: &str) -> bool {
    let (hash, length) = match digest.split_once(':') {
        Some(("sha256", hash)) => (hash, 64),
        Some(("sha512", hash)) => (hash, 128),
        _ => return false,
    };
    hash.len() == length
        && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The digest by which registries and engines name these bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hexadecimal(&Sha256::digest(bytes)))
}

/// Whether `bytes` have this digest. An algorithm that we do not know is never a match.
pub(super) fn matches(bytes: &[u8], digest: &str) -> bool {
    match digest.split_once(':') {
        Some(("sha256", hash)) => hexadecimal(&Sha256::digest(bytes)) == hash,
        Some(("sha512", hash)) => hexadecimal(&Sha512::digest(bytes)) == hash,
        _ => false,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_digest_and_no_other() {
        let digest = sha256(b"test");
        assert_eq!(
            digest,
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        );
        assert!(is_valid(&digest));
        assert!(matches(b"test", &digest));
        assert!(!matches(b"tess", &digest));
    }

    #[test]
    fn an_unknown_algorithm_is_never_a_match() {
        assert!(!is_valid("md5:098f6bcd4621d373cade4e832627b4f6"));
        assert!(!matches(b"test", "md5:098f6bcd4621d373cade4e832627b4f6"));
        assert!(!is_valid("sha256:ABC"));
        assert!(!is_valid(""));
    }
}
