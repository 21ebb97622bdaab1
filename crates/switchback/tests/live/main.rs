//! The program against a real engine and a real registry. Needs the lab: run `scripts/lab up`.

#![allow(clippy::unwrap_used, reason = "a test's harness ends where it cannot go on")]

#[path = "../common/mod.rs"]
mod common;

mod acceptance;
mod bad_engine;
mod bad_input;
mod bad_store;
mod checking;
mod clocks;
mod compared;
mod conforming;
mod consistent;
mod counting;
mod deciding;
mod failing;
mod fencing;
mod fidelity;
mod full_engine;
mod full_target;
mod giving_up;
mod hooks;
mod in_turn;
mod interrupting;
mod judging;
mod killing;
mod killing_at_records;
mod killing_randomly;
mod late;
mod limits;
mod members;
mod operators;
mod ports;
mod pruning;
mod random;
mod recording;
mod registries;
mod restarting;
mod rollback;
mod rule;
mod scenario;
mod secrets;
mod staged;
mod staging;
mod strangers;
mod suspending;
mod taking;
mod taking_over;
mod together;
mod told;
mod unwritable;
mod updating;
mod watching;
