//! Whether the process that was at work on an operation has ended.

use std::fs::File;

use super::fresh;

#[test]
fn what_a_living_process_works_on_is_not_abandoned() {
    let (dir, store) = fresh();
    assert!(!store.is_abandoned("op1"), "of what nobody claimed nothing is known");
    store.claim("op1");
    store.claim("op1");
    assert!(!store.is_abandoned("op1"));
    let path = dir.path().join("at-work-op1");
    assert!(path.exists());
    drop(store);
    assert!(!path.exists(), "a store that is closed leaves nothing");
}

#[test]
fn what_a_process_has_left_when_it_was_killed_is_abandoned() {
    let (dir, store) = fresh();
    // What SIGKILL leaves: the file, and no lock on it.
    drop(File::create(dir.path().join("at-work-op1")).unwrap());
    assert!(store.is_abandoned("op1"));
    store.claim("op1");
    assert!(!store.is_abandoned("op1"), "it is ours now");
    drop(File::create(dir.path().join("at-work-op2")).unwrap());
    store.drop_claim("op2");
    assert!(!dir.path().join("at-work-op2").exists());
    store.drop_claim("op1");
    assert!(dir.path().join("at-work-op1").exists(), "what is at work stays");
}
