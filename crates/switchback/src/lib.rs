//! The parts of the `switchback` binary that stand on their own.

pub mod store;
