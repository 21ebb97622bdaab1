//! Ports for services under test.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use super::LabError;

const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;

/// A port of 127.0.0.1 on which nothing listens, and which no other call in this process was given.
///
/// It lies below the range from which the kernel serves outgoing connections: a port from that range
/// is taken by some prober's connection just while the container that publishes it restarts.
pub fn free_port() -> Result<u16, LabError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test processes that run side by side begin at different places; 7919 is prime to 10000.
    let offset = std::process::id().wrapping_mul(7919) % COUNT;
    for _ in 0..100 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + (offset + step) % COUNT).unwrap_or(u16::MAX);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(LabError::NoFreePort)
}
