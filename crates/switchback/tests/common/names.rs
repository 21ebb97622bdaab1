//! Names that no other test has.

use std::sync::atomic::{AtomicU32, Ordering};

/// `it-web-3f2a91-1`: the middle differs between runs, the end within one.
pub(crate) fn unique(word: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let run = getrandom::u32().unwrap_or_else(|_| std::process::id()) & 0x00ff_ffff;
    format!("it-{word}-{run:06x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
