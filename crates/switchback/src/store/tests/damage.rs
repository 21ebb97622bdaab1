//! Files that are no store, or one no longer.

use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;

use super::*;
use crate::store::StoreError;

/// A closed store with enough in it to fill some pages; returns the database file.
fn filled(dir: &Path) -> PathBuf {
    let store = Store::open(dir, Mode::Create).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    for sequence in 0..50 {
        store.append("a1", sequence, &"x".repeat(2_000)).unwrap();
    }
    dir.join("switchback.db")
}

fn overwrite(path: &Path, from: u64, bytes: usize) {
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.write_all(&vec![0xa5; bytes]).unwrap();
}

#[test]
fn a_file_in_place_of_the_directory_is_said_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state");
    std::fs::write(&file, "notes").unwrap();

    for mode in [Mode::Create, Mode::CreateParents, Mode::ReadOnly] {
        let error = Store::open(&file, mode).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is not a directory", file.display()));
        assert_eq!(error.code(), "store_unusable");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"notes");
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("switchback.db");
    let other_program = dir.path().join("other");
    rusqlite::Connection::open(&other_program)
        .unwrap()
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();

    for content in [Vec::new(), b"notes ".repeat(999), std::fs::read(other_program).unwrap()] {
        std::fs::write(&path, &content).unwrap();
        for mode in [Mode::ReadOnly, Mode::Create] {
            let error = Store::open(dir.path(), mode).unwrap_err();
            assert!(matches!(error, StoreError::NotAStore { .. }), "{error:?}");
            assert_eq!(
                error.to_string(),
                format!("{} is not a store of Switchback", path.display())
            );
            assert_eq!(error.code(), "store_unusable");
        }
        assert!(std::fs::read(&path).unwrap() == content);
    }
}

#[test]
fn damage_is_found_when_it_is_met_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let path = filled(&state);
    let length = std::fs::metadata(&path).unwrap().len();
    overwrite(&path, length / 2, usize::try_from(length / 2).unwrap());

    // Opening does not look for damage: it is on the way of every `status`.
    let store = Store::open(&state, Mode::Create).unwrap();
    let error = store.load("a1").unwrap_err();

    let StoreError::Corrupt { detail, .. } = &error else { panic!("{error:?}") };
    assert!(detail.contains("page") || detail.contains("Tree"), "{detail}");
    assert_eq!(error.to_string(), format!("{} is damaged ({detail})", path.display()));
    assert_eq!(error.code(), "store_unusable");
    let state = state.display();
    assert_eq!(
        error.hint(),
        format!(
            "mv {state} {state}.damaged   # sets it aside; then read the records back from the targets: switchback adopt --take-over NAME"
        )
    );
}

#[test]
fn a_store_without_its_first_page_is_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    overwrite(&path, 0, 4096);

    let error = Store::open(dir.path(), Mode::ReadOnly).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error:?}");
}

#[test]
fn a_store_that_lost_its_key_is_damaged() {
    let (_dir, store) = fresh();
    store.connection().execute("DELETE FROM store_meta WHERE name = 'hash_key'", []).unwrap();

    let error = Store::open(store.dir(), Mode::ReadOnly).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}
