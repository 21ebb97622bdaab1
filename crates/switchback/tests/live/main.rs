//! The program against a real engine and a real registry. Needs the lab: run `scripts/lab up`.

#[path = "../common/mod.rs"]
mod common;

mod checking;
mod failing;
mod killing;
mod rollback;
mod taking;
mod updating;
