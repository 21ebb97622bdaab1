//! What the fake engine does, as transcripts. The line of an effect names who it was done to.

use switchback_core::Clock;

use super::*;
use crate::engine::{RestartPolicy, Specification};

const OLD: &str = "sha256:1111";
const NEW: &str = "sha256:2222";

fn specification(image: &str, policy: RestartPolicy) -> Specification {
    let (ports, volumes) = (vec![8080], vec!["data".to_owned()]);
    Specification { image: image.to_owned(), policy, ports, volumes, ..Specification::default() }
}

/// A world where `web` serves the old image, and the registry has the new one.
async fn world(policy: RestartPolicy) -> World {
    let world = World::default();
    world.publish("shop/web:1", OLD);
    world.call(pull("shop/web:1")).await.unwrap();
    let specification = specification("shop/web:1", policy);
    world.call(Request::Create { name: "web".into(), specification }).await.unwrap();
    world.call(start("web")).await.unwrap();
    world.publish("shop/web:1", NEW);
    world.look(|it| it.log.clear());
    world
}

fn pull(reference: &str) -> Request {
    Request::Pull { reference: reference.into() }
}
fn create(name: &str) -> Request {
    let specification = specification("shop/web:1", RestartPolicy::Always);
    Request::Create { name: name.into(), specification }
}
fn start(container: &str) -> Request {
    Request::Start { container: container.into() }
}
fn stop(container: &str) -> Request {
    Request::Stop { container: container.into() }
}
fn rename(container: &str, name: &str) -> Request {
    Request::Rename { container: container.into(), name: name.into() }
}
fn remove(container: &str, force: bool) -> Request {
    Request::Remove { container: container.into(), force }
}
fn inspect(container: &str) -> Request {
    Request::Inspect { container: container.into() }
}
fn set_policy(container: &str, policy: RestartPolicy) -> Request {
    Request::SetPolicy { container: container.into(), policy }
}

async fn status(world: &World, request: Request) -> u16 {
    match world.call(request).await {
        Ok(Answer::Unchanged) => 304,
        Ok(_) => 200,
        Err(refusal) => refusal.status,
    }
}

/// Waits for an answer as long as a caller would, and then leaves.
async fn gives_up(world: &World, request: Request) {
    tokio::select! {
        biased;
        answer = world.call(request) => panic!("it was answered: {answer:?}"),
        () = world.clock().sleep(10_000) => {}
    }
}

/// Each status as a Docker engine of API 1.41 was seen to give it, in this order.
#[tokio::test]
async fn it_answers_as_an_engine_was_seen_to() {
    let world = world(RestartPolicy::No).await;
    let pause = || Request::Pause { container: "web".into() };
    let unpause = || Request::Unpause { container: "web".into() };
    let untag = Request::RemoveImage { reference: "shop/web:1".into() };
    let seen = [
        (create("web"), 409),
        (create("-"), 400),
        (create("web-2"), 200),
        (rename("web-2", "web"), 409),
        (rename("web-2", "web-2"), 400),
        (Request::Pause { container: "web-2".into() }, 409),
        (start("web"), 304),
        (start("web-2"), 500),
        (unpause(), 500),
        (pause(), 200),
        (pause(), 409),
        (start("web"), 409),
        (start("web-2"), 500),
        (stop("web"), 200),
        (stop("web"), 304),
        (start("web"), 200),
        (remove("web", false), 409),
        (stop("web-2"), 304),
        (untag, 409),
        (start("nobody"), 404),
        (remove("web", true), 200),
    ];
    for (request, expected) in seen {
        let line = request.line();
        assert_eq!(status(&world, request).await, expected, "{line}");
    }
    let Ok(Answer::Container(left)) = world.call(inspect("web-2")).await else { panic!("gone") };
    assert_eq!((left.status, left.exit_code), (Status::Created, 128));
}

#[tokio::test]
async fn what_holds_already_is_answered_304() {
    let world = world(RestartPolicy::No).await;
    assert_eq!(status(&world, start("web")).await, 304);
    assert_eq!(status(&world, stop("web")).await, 200);
    assert_eq!(status(&world, stop("web")).await, 304);
    assert_eq!(world.transcript(), "stop web");
}

#[tokio::test]
async fn a_name_and_a_port_have_one_owner() {
    let world = world(RestartPolicy::No).await;
    assert_eq!(status(&world, create("web")).await, 409);
    assert_eq!(status(&world, create("web-2")).await, 200);
    assert_eq!(status(&world, rename("web-2", "web")).await, 409);
    assert_eq!(status(&world, start("web-2")).await, 500);
    assert_eq!(status(&world, remove("web", false)).await, 409);
    assert_eq!(status(&world, start("nobody")).await, 404);
    assert_eq!(status(&world, create("-")).await, 400);
    assert_eq!(world.transcript(), "create web-2");
}

#[tokio::test]
async fn a_paused_container_holds_its_port_and_is_not_started() {
    let world = world(RestartPolicy::No).await;
    let pause = || Request::Pause { container: "web".into() };
    assert_eq!(status(&world, pause()).await, 200);
    assert_eq!(status(&world, pause()).await, 409);
    assert_eq!(status(&world, start("web")).await, 409);
    assert!(world.serves(8080).is_none());
    world.call(create("web-2")).await.unwrap();
    assert_eq!(status(&world, start("web-2")).await, 500);
    assert_eq!(status(&world, Request::Unpause { container: "web".into() }).await, 200);
    assert_eq!(world.serves(8080).unwrap().name, "web");
}

#[tokio::test]
async fn a_moved_tag_leaves_a_container_on_its_image() {
    let world = world(RestartPolicy::No).await;
    let before = world.serves(8080).unwrap().image_id;
    world.call(pull("shop/web:1")).await.unwrap();
    world.call(create("web-2")).await.unwrap();
    let [old, new] = &world.containers()[..] else { panic!("there are two") };
    assert_eq!(old.image_id, before);
    assert_ne!(new.image_id, before);
    let digest = || Request::RemoveImage { reference: before.clone() };
    assert_eq!(status(&world, digest()).await, 409, "a container uses it");
    let tagged = format!("shop/web:1@{OLD}");
    let Ok(Answer::Image(image)) = world.call(Request::InspectImage { reference: tagged }).await
    else {
        panic!("the digest counts, not the tag beside it")
    };
    assert_eq!(image.id, before);
}

/// After an engine restart: whom its policy starts again, by what happened to it before.
#[tokio::test]
async fn an_engine_restart_starts_whom_the_policy_names() {
    use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
    for (policy, running, stopped) in [
        (No, false, false),
        (Always, true, true),
        (UnlessStopped, true, false),
        (OnFailure, false, false),
    ] {
        let world = world(policy).await;
        world.happen(&Event::EngineRestart);
        assert_eq!(world.serves(8080).is_some(), running, "{policy:?}, was running");
        let world = self::world(policy).await;
        world.call(stop("web")).await.unwrap();
        world.happen(&Event::EngineRestart);
        assert_eq!(world.serves(8080).is_some(), stopped, "{policy:?}, was stopped");
    }
    let world = world(No).await;
    world.call(create("never-started")).await.unwrap();
    world.call(remove("web", true)).await.unwrap();
    world.happen(&Event::EngineRestart);
    assert!(world.serves(8080).is_none(), "what was never started stays so");
}

#[tokio::test]
async fn a_parked_container_is_not_started_beside_the_new_one() {
    for (parked, serves) in [(RestartPolicy::No, "web-2"), (RestartPolicy::Always, "web")] {
        let world = world(RestartPolicy::Always).await;
        for request in [set_policy("web", parked), stop("web"), create("web-2"), start("web-2")] {
            world.call(request).await.unwrap();
        }
        world.happen(&Event::EngineRestart);
        assert_eq!(world.serves(8080).unwrap().name, serves, "parked with {parked:?}");
    }
}

#[tokio::test]
async fn a_crash_is_mended_by_the_policy_with_another_process() {
    let world = world(RestartPolicy::OnFailure).await;
    let before = world.serves(8080).unwrap();
    world.happen(&Event::Crash { container: "web".into(), code: 1 });
    let after = world.serves(8080).unwrap();
    assert_eq!((after.restarts, after.pid == before.pid), (before.restarts + 1, false));
    world.happen(&Event::Crash { container: "web".into(), code: 0 });
    assert!(world.serves(8080).is_none());
}

#[tokio::test]
async fn a_late_stop_comes_after_the_start_that_was_to_undo_it() {
    let world = world(RestartPolicy::No).await;
    world.fault(Fault::late("stop", 30_000));
    gives_up(&world, stop("web")).await;
    assert_eq!(status(&world, start("web")).await, 304, "it still runs");
    assert!(world.serves(8080).is_some() && !world.is_quiet());
    world.clock().pass(20_000);
    assert!(world.serves(8080).is_none() && world.is_quiet());
    assert_eq!(world.log(), [(30_000, "late stop web".to_owned())]);
}

#[tokio::test]
async fn whoever_stops_a_container_waits_for_a_start_of_it_that_is_under_way() {
    let world = world(RestartPolicy::No).await;
    world.call(stop("web")).await.unwrap();
    world.fault(Fault::late("start", 30_000));
    gives_up(&world, start("web")).await;
    assert_eq!(status(&world, stop("web")).await, 200, "it was started first");
    world.clock().pass(60_000);
    assert!(world.serves(8080).is_none() && world.is_quiet());
    assert_eq!(world.transcript(), "stop web, late start web, stop web");
}

#[tokio::test]
async fn a_stop_that_is_under_way_is_over_with_the_process() {
    let world = world(RestartPolicy::No).await;
    world.fault(Fault::late("stop", 30_000));
    gives_up(&world, stop("web")).await;
    assert_eq!(status(&world, stop("web")).await, 200);
    assert_eq!(status(&world, start("web")).await, 200);
    world.clock().pass(60_000);
    assert!(world.serves(8080).is_some() && world.is_quiet());
}

#[tokio::test]
async fn a_late_create_holds_its_name_and_shows_nothing() {
    let world = world(RestartPolicy::No).await;
    world.fault(Fault::late("create", 30_000));
    gives_up(&world, create("web-2")).await;
    assert_eq!(status(&world, inspect("web-2")).await, 404);
    assert_eq!(status(&world, create("web-2")).await, 409);
    world.clock().pass(20_000);
    assert_eq!(status(&world, inspect("web-2")).await, 200);
}

#[tokio::test]
async fn a_late_effect_stays_with_its_container_whatever_that_is_called() {
    let world = world(RestartPolicy::No).await;
    world.fault(Fault::late("stop", 30_000));
    gives_up(&world, stop("web")).await;
    world.call(rename("web", "web-old")).await.unwrap();
    world.call(create("web")).await.unwrap();
    world.clock().pass(20_000);
    assert_eq!(world.transcript(), "rename web to web-old, create web, late stop web-old");
}

#[tokio::test]
async fn an_engine_restart_forgets_what_was_under_way() {
    let world = world(RestartPolicy::Always).await;
    world.fault(Fault::late("stop", 30_000));
    gives_up(&world, stop("web")).await;
    world.happen(&Event::EngineRestart);
    world.clock().pass(60_000);
    assert_eq!(world.serves(8080).unwrap().name, "web");
    assert_eq!(world.transcript(), "engine restart");
}

#[tokio::test]
async fn an_effect_may_come_twice_half_or_without_an_answer() {
    let world = world(RestartPolicy::No).await;
    world.fault(Fault::of("create", Effect::Twice, Reply::True));
    assert_eq!(status(&world, create("a1")).await, 409, "the second try meets the first");
    world.fault(Fault::of("create", Effect::Whole, Reply::Lost));
    assert_eq!(status(&world, create("a2")).await, 0);
    assert_eq!(status(&world, inspect("a2")).await, 200, "nevertheless");
    world.fault(Fault::of("create", Effect::Half, Reply::True));
    assert_eq!(status(&world, create("a3")).await, 500);
    assert_eq!(status(&world, inspect("a3")).await, 404);
    assert_eq!(status(&world, create("a3")).await, 409, "until the engine is restarted");
    world.fault(Fault::of("remove", Effect::Half, Reply::True));
    assert_eq!(status(&world, remove("a1", false)).await, 500);
    assert_eq!(status(&world, start("a1")).await, 409, "it is dead");
    assert_eq!(status(&world, remove("a1", false)).await, 200);
    assert_eq!((world.count("create"), world.count("half create")), (2, 1));
}

#[tokio::test]
async fn a_stranger_may_act_before_the_effect_or_before_its_answer() {
    let world = world(RestartPolicy::No).await;
    let stranger = Event::Stranger(rename("web", "mine"));
    let fault = Fault::of("stop", Effect::Whole, Reply::True);
    world.fault(Fault { before: Some(stranger), ..fault.clone() });
    assert_eq!(status(&world, stop("web")).await, 404);
    let between = Some(Event::Stranger(start("mine")));
    world.fault(Fault { between, after: 1, ..fault });
    assert_eq!(status(&world, stop("mine")).await, 200, "one goes well before");
    world.call(start("mine")).await.unwrap();
    assert_eq!(status(&world, stop("mine")).await, 200);
    assert_eq!(world.serves(8080).unwrap().name, "mine", "it was started again meanwhile");
}

#[tokio::test]
async fn a_prune_takes_what_does_not_run() {
    let world = world(RestartPolicy::No).await;
    world.call(create("parked")).await.unwrap();
    world.happen(&Event::Prune { volumes: true });
    assert_eq!(world.containers().len(), 1);
    assert!(world.volumes().contains("data"), "it is in use");
    world.call(stop("web")).await.unwrap();
    world.happen(&Event::Prune { volumes: true });
    assert!(world.containers().is_empty() && world.volumes().is_empty());
}

/// As `docker system prune --all` was seen to: it asks for each name to be removed, in their order.
#[tokio::test]
async fn a_prune_leaves_one_name_of_an_image_that_is_in_use() {
    let world = world(RestartPolicy::No).await;
    let used = world.serves(8080).unwrap().image_id;
    for tag in ["keep/web:old", "zoo/web:1", "localhost:5000/web:1"] {
        world.call(Request::Tag { image: used.clone(), tag: tag.into() }).await.unwrap();
    }
    world.call(pull("shop/web:1")).await.unwrap();
    world.happen(&Event::Prune { volumes: false });
    let [image] = &world.images()[..] else { panic!("the other one is used by nobody") };
    assert_eq!((&image.id, &image.tags[..]), (&used, &["localhost:5000/web:1".to_owned()][..]));
    assert!(image.digests.is_empty(), "{image:?}");
}

#[tokio::test]
async fn two_writers_on_one_volume_are_remembered() {
    let world = world(RestartPolicy::No).await;
    let other = Specification { ports: vec![], ..specification("shop/web:1", RestartPolicy::No) };
    let create = Request::Create { name: "web-2".into(), specification: other };
    world.call(create).await.unwrap();
    assert_eq!(world.overlaps(), []);
    world.call(start("web-2")).await.unwrap();
    assert_eq!(world.overlaps(), [(0, "data".to_owned())]);
    assert_eq!(world.snapshot().overlaps().len(), 1);
}
