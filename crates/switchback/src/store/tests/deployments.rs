//! Deployments and how they were last seen.

use super::*;
use crate::store::Deployment;
use crate::store::NewDeployment;
use crate::store::Observation;
use crate::store::Release;
use crate::store::Sighting;

pub(super) const WEB: NewDeployment<'static> = NewDeployment {
    name: "web",
    kind: "container",
    engine: "unix:///run/docker.sock",
    target_key: "container:7f3a",
    target_json: r#"{"container":"web"}"#,
};

pub(super) fn release(number: u64) -> Release {
    Release {
        deployment: "web".to_owned(),
        number,
        state: "kept".to_owned(),
        version: format!("sha256:{number}"),
        label: Some(format!("1.{number}")),
        created_at: number,
        release_json: "{}".to_owned(),
    }
}

#[test]
fn a_deployment_is_described_anew_and_keeps_what_was_seen_of_it() {
    let (_dir, store) = fresh();
    store.put_deployment(WEB, 10).unwrap();
    store.put_release(&release(1)).unwrap();
    store.set_current("web", 1).unwrap();
    store.observe(&[Sighting { of: WEB, status_json: r#"{"healthy":true}"#, at: 20 }]).unwrap();

    store.put_deployment(NewDeployment { target_json: "{}", ..WEB }, 30).unwrap();

    let expected = Deployment {
        name: "web".to_owned(),
        kind: "container".to_owned(),
        engine: "unix:///run/docker.sock".to_owned(),
        target_key: "container:7f3a".to_owned(),
        target_json: "{}".to_owned(),
        created_at: 10,
        updated_at: 30,
        current_release: Some(1),
        observed_at: Some(20),
        status_json: Some(r#"{"healthy":true}"#.to_owned()),
    };
    assert_eq!(store.deployment("web").unwrap(), Some(expected.clone()));
    assert_eq!(store.deployments().unwrap(), [expected]);
    assert_eq!(store.deployment("api").unwrap(), None);
}

#[test]
fn the_list_shows_each_as_it_was_seen_last() {
    let (_dir, store) = fresh();
    store.put_deployment(WEB, 10).unwrap();
    store.put_deployment(NewDeployment { name: "api", ..WEB }, 10).unwrap();

    let sighting = |status_json, at| Sighting { of: WEB, status_json, at };
    store.observe(&[sighting("new", 25), sighting("old", 20)]).unwrap();

    let seen = |name: &str, status: Option<&str>, at| Observation {
        name: name.to_owned(),
        kind: "container".to_owned(),
        engine: "unix:///run/docker.sock".to_owned(),
        current_release: None,
        observed_at: at,
        status_json: status.map(str::to_owned),
    };
    assert_eq!(
        store.observations().unwrap(),
        [seen("api", None, None), seen("web", Some("new"), Some(25))]
    );
}

#[test]
fn what_is_looked_at_for_the_first_time_is_known_from_then_on() {
    let (_dir, store) = fresh();
    store.observe(&[Sighting { of: WEB, status_json: "{}", at: 7 }]).unwrap();
    let known = store.deployment("web").unwrap().expect("it was seen");
    assert_eq!((known.created_at, known.observed_at), (7, Some(7)));
    assert_eq!(known.target_key, WEB.target_key);
}

#[test]
fn a_new_name_holds_everywhere() {
    let (_dir, store) = fresh();
    store.put_deployment(WEB, 10).unwrap();
    store.put_release(&release(1)).unwrap();
    store.set_current("web", 1).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    store.add_quarantine("web", "sha256:bad", None, "crash", 1).unwrap();
    store.set_hold("web", "acme/web:1.4").unwrap();
    store.put_check("web", "{}", 5).unwrap();
    store.put_check("shop", "left over", 1).unwrap();

    store.rename("web", "shop").unwrap();

    assert_eq!(store.deployment("web").unwrap(), None);
    assert_eq!(store.deployment("shop").unwrap().unwrap().current_release, Some(1));
    assert_eq!(store.releases("shop").unwrap().len(), 1);
    assert_eq!(store.history(Some("shop"), 9, None).unwrap().len(), 1);
    assert_eq!(store.quarantine("shop").unwrap().len(), 1);
    assert_eq!(store.hold("shop").unwrap().as_deref(), Some("acme/web:1.4"));
    assert_eq!(store.check("shop").unwrap().unwrap().check_json, "{}");
    assert_eq!(store.check("web").unwrap(), None);
    store.rename("shop", "shop").unwrap();
    assert_eq!(store.quarantine("shop").unwrap().len(), 1);
}

#[test]
fn a_name_that_is_taken_is_not_given_twice() {
    let (_dir, store) = fresh();
    store.put_deployment(WEB, 10).unwrap();
    store.put_deployment(NewDeployment { name: "api", ..WEB }, 10).unwrap();

    let error = store.rename("web", "api").unwrap_err();
    assert_eq!(error.to_string(), "the store already has a deployment api");
    let error = store.rename("wbe", "shop").unwrap_err();
    assert_eq!(error.to_string(), "the store knows no deployment wbe");
    assert_eq!(store.deployments().unwrap().len(), 2);
}

#[test]
fn what_is_forgotten_leaves_only_its_history() {
    let (_dir, store) = fresh();
    store.put_deployment(WEB, 10).unwrap();
    store.put_release(&release(1)).unwrap();
    store.begin(&update("a1", 1)).unwrap();
    store.add_quarantine("web", "sha256:bad", None, "crash", 1).unwrap();
    store.set_hold("web", "acme/web:1.4").unwrap();
    store.put_check("web", "{}", 5).unwrap();

    assert!(store.forget("web").unwrap());
    assert!(!store.forget("web").unwrap());

    assert_eq!(store.deployments().unwrap(), []);
    assert_eq!(store.releases("web").unwrap(), []);
    assert_eq!(store.quarantine("web").unwrap(), []);
    assert_eq!(store.hold("web").unwrap(), None);
    assert_eq!(store.check("web").unwrap(), None);
    assert_eq!(store.history(Some("web"), 9, None).unwrap().len(), 1);
}
