//! The fake engine held to the real one: the same operations of the driver, the lease and the keeper
//! on both, with the same observations and the same kinds of errors.
//!
//! Whatever random schedules play on the fake engine is only worth what this comparison is. A case is
//! a transcript; what it says on the real engine is what the fake one has to say.

mod cases;
mod side;

use std::sync::Arc;

use switchback_targets::{
    engine_api::{EngineClient, EngineLocation, Pipe},
    keeper,
};
use switchback_testkit::{VirtualClock, World, http::Server, lab::Lab};

use self::{cases::Case, side::Side};
use crate::common::names::unique;

/// What a case says on an engine.
async fn said(engine: EngineClient, name: &str, case: Case) -> Vec<String> {
    keeper::ensure(&engine).await.unwrap();
    let mut side = Side::new(engine, name);
    case.play(&mut side).await;
    side.clean_up().await;
    side.said()
}

fn on_the_real_engine(name: &str, case: Case) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lab = Lab::connect().unwrap_or_else(|error| panic!("{error} (run scripts/lab up)"));
    let location = EngineLocation { url: lab.engine_url().to_owned(), source: "the lab" };
    runtime.block_on(async {
        let engine = EngineClient::connect(&location).await.unwrap();
        said(engine, name, case).await
    })
}

thread_local! {
    static CLOCK: std::cell::RefCell<VirtualClock> = std::cell::RefCell::default();
}

fn boot_time() -> u64 {
    CLOCK.with_borrow(VirtualClock::awake)
}

fn on_the_fake_engine(name: &str, case: Case) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = VirtualClock::of_the_runtime();
        CLOCK.set(clock.clone());
        let server = Server::new(Arc::new(World::new(clock)));
        let pipe = Pipe { open: Arc::new(move || server.open()), boot_time };
        said(EngineClient::connect_through(&pipe).await.unwrap(), name, case).await
    })
}

#[track_caller]
fn conforms(case: Case) {
    let name = unique("conforming");
    let real = on_the_real_engine(&name, case);
    let fake = on_the_fake_engine(&name, case);
    assert!(!real.is_empty(), "nothing was compared");
    assert_eq!(fake, real, "the fake engine, and then the real one");
}

#[test]
fn a_stop_a_start_and_a_pause_are_the_same_on_the_fake_engine() {
    conforms(Case::Lifecycle);
}

#[test]
fn names_and_restart_policies_are_the_same_on_the_fake_engine() {
    conforms(Case::Names);
}

#[test]
fn creating_and_removing_are_the_same_on_the_fake_engine() {
    conforms(Case::Creating);
}

#[test]
fn names_of_images_are_the_same_on_the_fake_engine() {
    conforms(Case::Images);
}

#[test]
fn a_lease_is_taken_renewed_and_lost_in_the_same_way_on_the_fake_engine() {
    conforms(Case::Lease);
}

#[test]
fn snapshots_are_the_same_on_the_fake_engine() {
    conforms(Case::Data);
}
