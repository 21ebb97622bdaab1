//! Records that are damaged, whatever way: each is refused or read, and nothing panics.

use switchback::operate::{connect::Fact, journal};
use switchback_core::State;
use switchback_targets::{container::document::TargetState, registry::Reference};
use switchback_testkit::rubbish::{corpus, feed};

#[test]
fn the_corpus_has_what_is_read_and_what_is_refused() {
    let read = |it: &Vec<u8>| journal::read(it).is_ok();
    let records = corpus("records");
    assert!(records.iter().any(read) && !records.iter().all(read));
    let read = |it: &Vec<u8>| TargetState::read(it).is_ok();
    let states = corpus("state");
    assert!(states.iter().any(read) && !states.iter().all(read));
}

#[test]
fn whatever_lies_in_a_journal_is_read_or_refused() {
    feed("records", |bytes| {
        let Ok((_, records)) = journal::read(bytes) else { return };
        let Ok(state) = State::fold(&records) else { return };
        let _decided = switchback_core::next(&state);
        let _steps = state.may_have_started();
        // What was read is written again as it was.
        for record in &records {
            let text = serde_json::to_string(record).expect("a record can be written");
            assert_eq!(&serde_json::from_str::<Fact>(&text).expect("and read"), record);
        }
    });
}

#[test]
fn whatever_lies_in_a_state_is_read_or_refused() {
    feed("state", |bytes| {
        let Ok(state) = TargetState::read(bytes) else { return };
        let _running = state.running();
        let again = TargetState::read(&state.write()).expect("what was written can be read");
        assert_eq!(again.write(), state.write());
    });
}

#[test]
fn whatever_is_typed_as_a_reference_is_one_or_refused() {
    feed("reference", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(reference) = text.parse::<Reference>() else { return };
        let again: Reference = reference.familiar().parse().expect("what it is called is one");
        assert_eq!(again, reference, "{text:?}");
    });
}
