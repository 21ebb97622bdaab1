//! The keeper beside a container: a program of ours that runs where the volumes are.

pub mod image;
