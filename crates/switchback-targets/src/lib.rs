//! What Switchback can update, one kind a module.

mod address;
pub mod container;
pub mod engine_api;
pub mod keeper;
pub mod patience;
pub mod probe;
pub mod registry;
