//! A container on a Docker-compatible engine, declared or adopted as it runs.

pub mod run;
pub mod settings;
