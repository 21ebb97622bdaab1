//! One HTTP request to a service under test, with a deadline.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than any answer of a healthy service on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// Status and body of a request to `IP:PORT`; none where nobody answers.
pub(crate) fn ask(address: &str, method: &str, path: &str) -> Option<(u16, String)> {
    let address: SocketAddr = address.parse().expect("an address and a port");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        .ok()?;
    let mut text = String::new();
    stream.take(1 << 20).read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
