//! A container on a Docker-compatible engine, declared or adopted as it runs.

pub mod accounts;
pub mod change;
pub mod decisions;
pub mod diff;
pub mod document;
pub mod driver;
pub mod gate;
pub mod goal;
pub mod hash;
pub mod killed;
pub mod members;
pub mod observe;
pub mod plan;
pub mod preflight;
pub mod run;
pub mod settings;
pub mod specification;
