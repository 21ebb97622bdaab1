//! What is skipped, what is held, and what the last check said.

use super::*;

#[test]
fn a_version_is_rejected_with_the_specification_it_failed_with() {
    let (_dir, store) = fresh();
    store.add_quarantine("web", "sha256:bad", Some("spec1"), "gate failed", 10).unwrap();

    let entry = store.is_quarantined("web", "sha256:bad", "spec1").unwrap().unwrap();
    assert_eq!(entry.reason, "gate failed");
    assert_eq!(entry.spec_fingerprint.as_deref(), Some("spec1"));
    for (deployment, version, fingerprint) in [
        ("web", "sha256:bad", "spec2"),
        ("web", "sha256:good", "spec1"),
        ("api", "sha256:bad", "spec1"),
    ] {
        assert_eq!(store.is_quarantined(deployment, version, fingerprint).unwrap(), None);
    }
}

#[test]
fn a_person_rejects_a_version_however_it_is_run() {
    let (_dir, store) = fresh();
    store.add_quarantine("web", "sha256:bad", None, "by hand", 10).unwrap();
    let entry = store.is_quarantined("web", "sha256:bad", "any").unwrap().unwrap();
    assert_eq!((entry.spec_fingerprint, entry.reason.as_str()), (None, "by hand"));

    store.add_quarantine("web", "sha256:bad", Some("spec1"), "crash", 20).unwrap();
    let entry = store.is_quarantined("web", "sha256:bad", "spec1").unwrap().unwrap();
    assert_eq!(entry.reason, "crash", "the exact entry says more");
}

#[test]
fn the_last_reason_counts_and_entries_can_be_cleared() {
    let (_dir, store) = fresh();
    store.add_quarantine("web", "sha256:a", Some("s1"), "crash", 10).unwrap();
    store.add_quarantine("web", "sha256:a", Some("s1"), "gate failed", 20).unwrap();
    store.add_quarantine("web", "sha256:a", Some("s2"), "crash", 15).unwrap();
    store.add_quarantine("web", "sha256:b", None, "by hand", 5).unwrap();
    store.add_quarantine("api", "sha256:a", None, "by hand", 5).unwrap();

    let list = || -> Vec<_> {
        let entries = store.quarantine("web").unwrap();
        entries.into_iter().map(|entry| (entry.version, entry.reason, entry.added_at)).collect()
    };
    let entry = |version: &str, reason: &str, at| (version.to_owned(), reason.to_owned(), at);
    assert_eq!(
        list(),
        [
            entry("sha256:b", "by hand", 5),
            entry("sha256:a", "crash", 15),
            entry("sha256:a", "gate failed", 20)
        ]
    );

    assert_eq!(store.clear_quarantine("web", Some("sha256:a")).unwrap(), 2);
    assert_eq!(list(), [entry("sha256:b", "by hand", 5)]);
    assert_eq!(store.clear_quarantine("web", None).unwrap(), 1);
    assert_eq!(list(), []);
    assert_eq!(store.quarantine("api").unwrap().len(), 1);
}

#[test]
fn a_hold_stays_until_it_is_released() {
    let (_dir, store) = fresh();
    assert_eq!(store.hold("web").unwrap(), None);
    store.set_hold("web", "acme/web:1.3").unwrap();
    store.set_hold("web", "acme/web:1.4").unwrap();

    assert_eq!(store.hold("web").unwrap().as_deref(), Some("acme/web:1.4"));
    assert_eq!(store.holds().unwrap(), [("web".to_owned(), "acme/web:1.4".to_owned())]);
    assert!(store.release_hold("web").unwrap());
    assert!(!store.release_hold("web").unwrap());
    assert_eq!(store.hold("web").unwrap(), None);
}

#[test]
fn the_later_of_two_checks_counts() {
    let (_dir, store) = fresh();
    store.put_check("web", "available", 20).unwrap();
    store.put_check("web", "up_to_date", 10).unwrap();
    store.put_check("api", "unknown", 5).unwrap();

    let check = store.check("web").unwrap().unwrap();
    assert_eq!((check.check_json.as_str(), check.checked_at), ("available", 20));
    let names: Vec<_> = store.checks().unwrap().into_iter().map(|check| check.deployment).collect();
    assert_eq!(names, ["api", "web"]);
    assert_eq!(store.check("nothing").unwrap(), None);
}
