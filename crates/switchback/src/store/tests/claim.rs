//! Whether the process that was at work on an operation has ended.

use std::fs::File;
use std::path::PathBuf;

use super::fresh;
use crate::store::Store;

fn file(store: &Store, operation: &str) -> PathBuf {
    store.dir().join(format!("at-work-{operation}"))
}

#[test]
fn what_a_living_process_works_on_is_not_abandoned() {
    let (_dir, store) = fresh();
    assert!(!store.is_abandoned("op1"), "of what nobody claimed nothing is known");
    store.claim("op1");
    store.claim("op1");
    assert!(!store.is_abandoned("op1"));
    let path = file(&store, "op1");
    assert!(path.exists());
    drop(store);
    assert!(!path.exists(), "a store that is closed leaves nothing");
}

#[test]
fn where_the_lease_stays_the_file_tells_that_its_holder_has_ended() {
    let (dir, store) = fresh();
    store.claim("op1");
    store.keep_claim("op1");
    assert!(!store.is_abandoned("op1"));
    drop(store);
    let store = Store::open(&dir.path().join("state"), crate::store::Mode::Create).unwrap();
    assert!(store.is_abandoned("op1"));
}

#[test]
fn what_a_process_has_left_when_it_was_killed_is_abandoned() {
    let (_dir, store) = fresh();
    // What SIGKILL leaves: the file, and no lock on it.
    drop(File::create(file(&store, "op1")).unwrap());
    assert!(store.is_abandoned("op1"));
    store.claim("op1");
    assert!(!store.is_abandoned("op1"), "it is ours now");
    drop(File::create(file(&store, "op2")).unwrap());
    store.drop_claim("op2");
    assert!(!file(&store, "op2").exists());
    store.drop_claim("op1");
    assert!(file(&store, "op1").exists(), "what is at work stays");
}
