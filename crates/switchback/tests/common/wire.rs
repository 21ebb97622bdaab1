//! A connection to the engine, over a socket or over TCP.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
};

/// What bytes go to the engine through.
#[derive(Debug)]
pub(crate) enum Wire {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Wire {
    /// Connects to an address as `DOCKER_HOST` names it.
    pub(crate) fn connect(url: &str) -> io::Result<Self> {
        match url.strip_prefix("tcp://") {
            Some(address) => TcpStream::connect(address).map(Self::Tcp),
            None => UnixStream::connect(url.trim_start_matches("unix://")).map(Self::Unix),
        }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Unix(it) => it.try_clone().map(Self::Unix),
            Self::Tcp(it) => it.try_clone().map(Self::Tcp),
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self {
            Self::Unix(it) => it.shutdown(Shutdown::Write),
            Self::Tcp(it) => it.shutdown(Shutdown::Write),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(it) => it.read(bytes),
            Self::Tcp(it) => it.read(bytes),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(it) => it.write(bytes),
            Self::Tcp(it) => it.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
