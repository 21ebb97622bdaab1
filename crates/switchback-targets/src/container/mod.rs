//! A container on a Docker-compatible engine, declared or adopted as it runs.

pub mod change;
pub mod document;
pub mod hash;
pub mod members;
pub mod observe;
pub mod run;
pub mod settings;
pub mod specification;
