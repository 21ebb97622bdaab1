//! What Switchback is tested with. `lab` reaches the real engine and registries that `scripts/lab up` has started.

pub mod lab;
