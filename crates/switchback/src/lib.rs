//! The command line and the daemon of Switchback.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod confirm;
pub mod display;
pub mod exit_code;
pub mod notice;
pub mod printer;
pub mod store;
