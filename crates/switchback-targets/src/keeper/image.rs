//! The keeper's image: one static program and two empty directories, made here and pulled from
//! nowhere.

use std::fmt::Write as _;
use std::io;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// The program, built together with this crate.
static PROGRAM: &[u8] = include_bytes!(env!("SWITCHBACK_KEEPER"));

static REFERENCE: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(PROGRAM);
    let mut reference = String::from("switchback-keeper:");
    // Six bytes are twelve digits, as many as an engine shows of an id.
    for byte in digest.iter().take(6) {
        write!(reference, "{byte:02x}").unwrap_or_default();
    }
    reference
});

/// Where the program lies in the image.
pub const PROGRAM_PATH: &str = "/keeper";

/// Where our own volume belongs.
pub const STORE_PATH: &str = "/switchback";

/// The mounts of the service belong below this directory: `/data/0`, `/data/1`, and so on.
pub const DATA_PATH: &str = "/data";

/// The architecture of the program, in the words of an engine and of an image's configuration.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    std::env::consts::ARCH
};

/// `switchback-keeper:` and the first twelve hexadecimal digits of the SHA-256 of the program: an
/// image of this name is this program.
pub fn image_reference() -> String {
    REFERENCE.clone()
}

/// The image's file system as an uncompressed tar, for the engine's import. It is the same, byte
/// for byte, each time.
///
/// # Panics
///
/// Never: names are short, and writing to memory does not fail.
pub fn image_tar() -> Vec<u8> {
    archive().expect("a small archive in memory can be written")
}

fn archive() -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::with_capacity(PROGRAM.len() + 8 * 1024));
    append(&mut builder, STORE_PATH, EntryType::Directory, 0o700, &[])?;
    append(&mut builder, DATA_PATH, EntryType::Directory, 0o700, &[])?;
    append(&mut builder, PROGRAM_PATH, EntryType::Regular, 0o755, PROGRAM)?;
    builder.into_inner()
}

fn append(
    builder: &mut Builder<Vec<u8>>,
    path: &str,
    kind: EntryType,
    mode: u32,
    content: &[u8],
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    builder.append_data(&mut header, path.trim_start_matches('/'), content)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::process::Command;

    use super::*;

    fn entries() -> BTreeMap<String, (EntryType, u32, Vec<u8>)> {
        let tar = image_tar();
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            io::Read::read_to_end(&mut entry, &mut content).unwrap();
            let header = entry.header();
            found.insert(path, (header.entry_type(), header.mode().unwrap(), content));
        }
        found
    }

    #[test]
    fn the_image_holds_one_program_and_two_empty_directories() {
        let entries = entries();
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["data", "keeper", "switchback"]);
        assert_eq!(entries["data"], (EntryType::Directory, 0o700, Vec::new()));
        assert_eq!(entries["switchback"], (EntryType::Directory, 0o700, Vec::new()));
        assert_eq!(entries["keeper"].0, EntryType::Regular);
        assert_eq!(entries["keeper"].1, 0o755);
    }

    #[test]
    fn the_program_in_the_image_runs_without_any_library() {
        let directory = tempfile::tempdir().unwrap();
        let archive = image_tar();
        tar::Archive::new(archive.as_slice()).unpack(directory.path()).unwrap();
        let program = directory.path().join("keeper");

        // An ELF program that needs no loader has no interpreter to name.
        let bytes = fs_err::read(&program).unwrap();
        assert!(!bytes.windows(4).any(|part| part == b"/ld-"), "it names a dynamic loader");

        let output = Command::new(&program).arg("dance").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["what"], "this verb is not known");
        assert_eq!(error["error"]["path"], "dance");
    }

    #[test]
    fn the_program_does_not_say_where_it_was_built() {
        let checkout = env!("CARGO_MANIFEST_DIR").trim_end_matches("/crates/switchback-targets");
        let text = String::from_utf8_lossy(PROGRAM);
        assert!(!text.contains(checkout), "{checkout} is in the program");
    }

    #[test]
    fn the_reference_names_the_program_by_its_hash() {
        let reference = image_reference();
        let tag = reference.strip_prefix("switchback-keeper:").unwrap();
        assert_eq!(tag.len(), 12);
        assert!(tag.chars().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(image_reference(), reference);
        assert_eq!(image_tar(), image_tar());
    }
}
