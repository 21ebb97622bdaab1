//! What Switchback can update, one kind a module.

pub mod container;
pub mod probe;
pub mod registry;
