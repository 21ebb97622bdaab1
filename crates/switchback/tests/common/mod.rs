//! What the tests against the real engine share: a world of one's own, and the program run in it.

pub(crate) mod away;
pub(crate) mod clock;
pub(crate) mod disk;
pub(crate) mod gathering;
pub(crate) mod http;
pub(crate) mod meddler;
pub(crate) mod names;
pub(crate) mod podman;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod registry;
pub(crate) mod registry_proxy;
pub(crate) mod request;
pub(crate) mod service;
pub(crate) mod slow_runtime;
pub(crate) mod spare;
pub(crate) mod store;
pub(crate) mod survival;
pub(crate) mod sweep;
pub(crate) mod target;
pub(crate) mod wire;
pub(crate) mod world;

pub(crate) use process::Output;
pub(crate) use world::World;
