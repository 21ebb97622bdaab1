//! What Switchback is tested with: a fake world that goes on without its callers, faults, a clock
//! that stands still, a journal that can be cut, a lease that can be lost.
//!
//! `lab` reaches the real engine and registries that `scripts/lab up` has started.

pub mod clock;
pub mod disk;
pub mod engine;
pub mod facts;
pub mod faults;
pub mod http;
pub mod journal;
pub mod lab;
pub mod lease;
pub mod rubbish;
pub mod world;

pub use clock::VirtualClock;
pub use disk::Disk;
pub use engine::{Answer, Engine, Refusal, Request};
pub use facts::Facts;
pub use faults::{Effect, Event, Fault, Reply};
pub use journal::MemoryJournal;
pub use lease::FakeLease;
pub use world::World;
