//! Rubbish for readers: a corpus of files, and random mutations of them.
//!
//! Each run is decided by a seed, which a failure names: `SWITCHBACK_FUZZ_SEED` repeats it, and
//! `SWITCHBACK_FUZZ_RUNS` makes it longer. `scripts/sweep fuzz` sets both.

use std::{
    fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Mutations of one corpus in an ordinary run of the tests: about a second of an unoptimised build.
const RUNS: u64 = 1_500;

/// Only tells a hang from a busy machine: all inputs that were seen took milliseconds.
const LIMIT: Duration = Duration::from_secs(60);

/// No input is longer than this.
const LENGTH_MAX: usize = 64 << 10;

/// What readers stumble over more often than over random bytes.
const TOKENS: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\n",
    b"=",
    b"${",
    b"${A:-",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"0",
    b"\0",
    b"\xff\xfe",
    b"\xf0\x9f\x92\xa5",
    b"%zz",
    b"://",
    b"@",
    b",",
    b"\"\"\"",
    b"sha256:",
];

/// The files of `fuzz/corpus/KIND`, in the order of their names.
///
/// # Panics
/// Where there is none, or one that cannot be read.
pub fn corpus(kind: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(kind);
    let entries = fs::read_dir(&root).unwrap_or_else(|error| unreadable(&root, &error));
    let path = |it: io::Result<fs::DirEntry>| it.map(|it| it.path());
    let paths = entries.map(|it| path(it).unwrap_or_else(|error| unreadable(&root, &error)));
    let mut paths: Vec<_> = paths.collect();
    paths.sort();
    let read = |it: &PathBuf| fs::read(it).unwrap_or_else(|error| unreadable(it, &error));
    let files: Vec<_> = paths.iter().map(read).collect();
    assert!(!files.is_empty(), "{} has no files", root.display());
    files
}

fn unreadable(path: &Path, error: &io::Error) -> ! {
    panic!("{}: {error}", path.display())
}

/// Gives a reader every file of a corpus, and random mutations of them. It may refuse anything; it
/// may not panic, and it has an end.
///
/// # Panics
/// With the seed and the input, where the reader panics or takes too long.
pub fn feed(kind: &str, read: impl Fn(&[u8])) {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    // The standard library's own randomness for maps is another one in each process.
    let random = || RandomState::new().build_hasher().finish();
    let seed = number("SWITCHBACK_FUZZ_SEED").unwrap_or_else(random);
    let runs = number("SWITCHBACK_FUZZ_RUNS").unwrap_or(RUNS);
    let files = corpus(kind);
    for file in &files {
        one(kind, seed, file, &read);
    }
    let mut dice = Dice(seed);
    for _ in 0..runs {
        one(kind, seed, &mutated(&files, &mut dice), &read);
    }
}

fn one(kind: &str, seed: u64, input: &[u8], read: &impl Fn(&[u8])) {
    let begun = Instant::now();
    let survived = catch_unwind(AssertUnwindSafe(|| read(input))).is_ok();
    let took = begun.elapsed();
    let is_well = survived && took < LIMIT;
    let shown = String::from_utf8_lossy(&input[..input.len().min(2_000)]);
    assert!(is_well, "{kind}: SWITCHBACK_FUZZ_SEED={seed}, {took:?}, on this input:\n{shown:?}");
}

/// `SplitMix64`: every seed is a good one.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % (end.max(1) as u64)).unwrap_or(0)
    }

    fn span(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        let longest = (length - from).min(64);
        from..from + self.below(longest + 1)
    }
}

fn mutated(files: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = files[dice.below(files.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(7) {
            0 if !bytes.is_empty() => {
                let at = dice.below(bytes.len());
                bytes[at] ^= 1 << dice.below(8);
            }
            1 => drop(bytes.drain(dice.span(bytes.len()))),
            2 => {
                let copy = bytes[dice.span(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            3 => {
                let other = &files[dice.below(files.len())];
                let part = other[dice.span(other.len())].to_vec();
                drop(bytes.splice(at..at, part));
            }
            4 => bytes.truncate(at),
            5 => {
                let token = TOKENS[dice.below(TOKENS.len())];
                // Often once, sometimes so deep that a reader which recurses would be lost.
                let times = if dice.below(20) == 0 { 5_000 } else { 1 };
                drop(bytes.splice(at..at, token.repeat(times)));
            }
            _ => drop(bytes.splice(at..at, TOKENS[dice.below(TOKENS.len())].iter().copied())),
        }
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_seed_decides_every_input() {
        let inputs = |seed| {
            let mut dice = Dice(seed);
            (0..100).map(|_| mutated(&corpus("records"), &mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }

    #[test]
    fn a_reader_that_panics_is_found_with_its_seed_and_its_input() {
        let seen = Cell::new(0);
        let found = catch_unwind(AssertUnwindSafe(|| {
            feed("records", |_| {
                seen.set(seen.get() + 1);
                assert!(seen.get() < 100, "a reader's own panic");
            });
        }));
        let message = found.expect_err("it panics").downcast::<String>().expect("with a text");
        assert!(message.contains("SWITCHBACK_FUZZ_SEED="), "{message}");
    }
}
