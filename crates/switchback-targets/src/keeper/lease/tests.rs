//! A lease on the fake engine, in time of its own.

use std::{sync::Arc, time::Duration};

use switchback_testkit::{Answer, Engine, Refusal, Request, VirtualClock, World, http::Server};

use super::*;
use crate::engine_api::Pipe;

/// Longer than the engine takes for a creation here.
const LATER: Duration = Duration::from_secs(60);

/// An engine whose answers to creations are under way for five seconds, and may get lost.
#[derive(Debug)]
struct FarAway {
    world: World,
    loses: AtomicBool,
}

impl Engine for FarAway {
    async fn call(&self, request: Request) -> Result<Answer, Refusal> {
        let is_creation = matches!(request, Request::Create { .. });
        let answer = self.world.call(request).await;
        if is_creation {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        if is_creation && self.loses.load(Ordering::SeqCst) {
            return Err(Refusal { status: 0, message: "the connection was lost".to_owned() });
        }
        answer
    }
}

fn holder() -> Holder {
    let of = |word: &str| word.to_owned();
    Holder {
        user: of("ann"),
        host: of("desk"),
        pid: 7,
        place: String::new(),
        began: 0,
        store: of("store"),
        operation: of("op"),
        since: 0,
        generation: 1,
    }
}

fn is_there(engine: &FarAway) -> bool {
    engine.world.containers().iter().any(|it| it.name == lease_name("web"))
}

/// Gives a lease back while a renewal takes it anew, for that somebody has removed its container.
async fn given_back_in_the_middle(loses: bool) {
    let world = World::new(VirtualClock::of_the_runtime());
    let engine = Arc::new(FarAway { world, loses: AtomicBool::new(false) });
    let server = Server::new(engine.clone());
    let pipe = Pipe { open: Arc::new(move || server.open()), boot_time: || 0 };
    let client = EngineClient::connect_through(&pipe).await.unwrap();
    let lease = acquire(&client, "web", holder(), &[]).await.unwrap();
    lease.write_journal(b"{}".to_vec()).await.unwrap();
    let renewing = lease.keep_renewing();

    engine.call(Request::Remove { container: lease_name("web"), force: true }).await.unwrap();
    engine.loses.store(loses, Ordering::SeqCst);
    while !is_there(&engine) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(renewing);
    lease.release().await.unwrap();
    tokio::time::sleep(LATER).await;

    assert!(!is_there(&engine), "{:?}", engine.world.containers());
}

/// The renewal was given up in its middle, and the container that it had asked for stayed.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_taken_anew_while_it_is_given_back_leaves_nothing() {
    given_back_in_the_middle(false).await;
}

/// Nobody knew its id, and a release by the id of the one before found nothing to do.
#[tokio::test(start_paused = true)]
async fn a_lease_of_whose_making_no_answer_came_is_given_back_too() {
    given_back_in_the_middle(true).await;
}
