//! The fake engine held to the real one: the same operations of the driver, the lease and the keeper
//! on both, with the same observations and the same kinds of errors.
//!
//! Whatever random schedules play on the fake engine is only worth what this comparison is. A case is
//! a transcript; what it says on the real engine is what the fake one has to say.

mod cases;
mod happening;
mod leaving;
mod side;

use std::sync::Arc;

use switchback_targets::{
    engine_api::{EngineClient, EngineLocation, Pipe},
    keeper,
};
use switchback_testkit::{VirtualClock, World, http::Server, lab::Lab};

use self::{cases::Case, happening::Hand, side::Side};
use crate::common::{names::unique, spare::Spare};

/// What a case says on an engine.
async fn said(engine: EngineClient, hand: Hand, name: &str, case: Case) -> Vec<String> {
    keeper::ensure(&engine).await.unwrap();
    let mut side = Side::new(engine, hand, name);
    case.play(&mut side).await;
    side.clean_up().await;
    side.said()
}

fn on_the_real_engine(name: &str, case: Case) -> Vec<String> {
    let lab = Lab::connect().unwrap_or_else(|error| panic!("{error} (run scripts/lab up)"));
    on_the_engine_at(lab.engine_url(), Hand::None, name, case)
}

/// On one to which something may happen.
fn on_the_spare_engine(name: &str, case: Case) -> Vec<String> {
    let spare = Spare::take();
    on_the_engine_at(spare.url(), Hand::Spare(spare.machine()), name, case)
}

fn on_the_engine_at(url: &str, hand: Hand, name: &str, case: Case) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let location = EngineLocation { url: url.to_owned(), source: "the lab" };
    runtime.block_on(async {
        let engine = EngineClient::connect(&location).await.unwrap();
        said(engine, hand, name, case).await
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
        let world = Arc::new(World::new(clock));
        let server = Server::new(Arc::clone(&world));
        let pipe = Pipe { open: Arc::new(move || server.open()), boot_time };
        let engine = EngineClient::connect_through(&pipe).await.unwrap();
        said(engine, Hand::Fake(world), name, case).await
    })
}

#[track_caller]
fn conforms(case: Case) {
    let name = unique("conforming");
    is_the_same(&name, &on_the_real_engine(&name, case), case);
}

#[track_caller]
fn conforms_when_it_happens(case: Case) {
    let name = unique("conforming");
    is_the_same(&name, &on_the_spare_engine(&name, case), case);
}

#[track_caller]
fn is_the_same(name: &str, real: &[String], case: Case) {
    let fake = on_the_fake_engine(name, case);
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

#[test]
fn a_process_that_crashes_is_started_again_in_the_same_way_on_the_fake_engine() {
    conforms_when_it_happens(Case::Crash);
}

#[test]
fn a_program_that_fails_fails_in_the_same_way_on_the_fake_engine() {
    conforms(Case::Exec);
}

#[test]
fn what_two_ask_for_at_once_happens_once_on_the_fake_engine_too() {
    conforms(Case::Twice);
}

#[test]
fn an_engine_whose_machine_restarts_leaves_the_same_on_the_fake_engine() {
    conforms_when_it_happens(Case::EngineRestart);
}

#[test]
fn an_engine_that_is_killed_leaves_the_same_on_the_fake_engine() {
    conforms_when_it_happens(Case::EngineKilled);
}

#[test]
fn a_prune_takes_the_same_from_the_fake_engine() {
    conforms_when_it_happens(Case::Prune);
}

#[test]
fn a_stop_whose_caller_has_left_comes_late_on_the_fake_engine_too() {
    conforms_when_it_happens(Case::Late);
}

#[test]
fn a_start_whose_caller_has_left_holds_its_container_on_the_fake_engine_too() {
    conforms_when_it_happens(Case::LateStart);
}
