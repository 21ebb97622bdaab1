//! The command line and the daemon of Switchback, and its library.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod commands;
mod config;
pub mod confirm;
pub mod context;
pub mod display;
pub mod error;
pub mod exit_code;
mod library;
pub mod notice;
pub mod operate;
pub mod printer;
mod recover_unit;
pub mod store;
pub mod wrong_usage;

pub use library::{Service, UpdateResult, has_previous_image, rollback_image, update_image};
