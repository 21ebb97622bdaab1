//! The numbered releases of a deployment.

use super::deployments::release;
use super::*;
use crate::store::NewDeployment;
use crate::store::Release;

fn with_web() -> (TempDir, Store) {
    let (dir, store) = fresh();
    let web = NewDeployment {
        name: "web",
        kind: "container",
        engine: "local",
        target_key: "container:7f3a",
        target_json: "{}",
    };
    store.put_deployment(web, 1).unwrap();
    (dir, store)
}

#[test]
fn releases_are_numbered_from_one() {
    let (_dir, store) = with_web();
    assert_eq!(store.next_number("web").unwrap(), 1);
    assert_eq!(store.next_number("nothing").unwrap(), 1);

    store.put_release(&release(1)).unwrap();
    store.put_release(&release(2)).unwrap();

    assert_eq!(store.next_number("web").unwrap(), 3);
    assert_eq!(store.releases("web").unwrap(), [release(1), release(2)]);
    assert_eq!(store.release("web", 2).unwrap(), Some(release(2)));
    assert_eq!(store.release("web", 3).unwrap(), None);
}

#[test]
fn a_release_steps_down_a_rung_without_a_new_number() {
    let (_dir, store) = with_web();
    store.put_release(&release(1)).unwrap();
    let lower = Release { state: "image".to_owned(), label: None, ..release(1) };

    store.put_release(&lower).unwrap();

    assert_eq!(store.releases("web").unwrap(), [lower]);
    assert_eq!(store.next_number("web").unwrap(), 2);
}

#[test]
fn going_back_to_a_release_makes_no_new_number() {
    let (_dir, store) = with_web();
    store.put_release(&release(1)).unwrap();
    store.put_release(&release(2)).unwrap();
    store.set_current("web", 2).unwrap();
    store.set_current("web", 1).unwrap();

    assert_eq!(store.deployment("web").unwrap().unwrap().current_release, Some(1));
    assert_eq!(store.next_number("web").unwrap(), 3);

    let error = store.set_current("web", 9).unwrap_err();
    assert_eq!(error.to_string(), "the store knows no release r9 of web");
    assert_eq!(store.deployment("web").unwrap().unwrap().current_release, Some(1));
}

#[test]
fn the_number_of_a_removed_release_is_not_given_again() {
    let (_dir, store) = with_web();
    store.put_release(&release(1)).unwrap();
    store.put_release(&release(2)).unwrap();
    store.set_current("web", 1).unwrap();

    assert!(store.remove_release("web", 2).unwrap());
    assert!(!store.remove_release("web", 2).unwrap());
    assert!(!store.remove_release("web", 1).unwrap(), "it runs");

    assert_eq!(store.releases("web").unwrap(), [release(1)]);
    assert_eq!(store.next_number("web").unwrap(), 3);
}

#[test]
fn a_release_belongs_to_a_known_deployment() {
    let (_dir, store) = fresh();
    let error = store.put_release(&release(1)).unwrap_err();
    assert_eq!(error.to_string(), "the store knows no deployment web");
}
