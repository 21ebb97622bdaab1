//! A connection to the engine, over a socket or over TCP, and what every proxy on its way has to do.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
};

/// Listens at `socket` until the test's process ends, and forwards each client on a thread of its own.
/// The address is for `DOCKER_HOST`.
pub(crate) fn listen(
    socket: &Path,
    forward: impl Fn(UnixStream) -> io::Result<()> + Clone + Send + 'static,
) -> String {
    std::fs::remove_file(socket).ok();
    let listener = UnixListener::bind(socket).expect("a socket for the proxy");
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let forward = forward.clone();
            // Connections break: who dies or gives up a request leaves one so.
            std::thread::spawn(move || forward(client).ok());
        }
    });
    format!("unix://{}", socket.display())
}

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

    /// The same, with its answers on their way to the client.
    pub(crate) fn answering(url: &str, client: &UnixStream) -> io::Result<Self> {
        let engine = Self::connect(url)?;
        let (mut answers, mut back) = (engine.try_clone()?, client.try_clone()?);
        std::thread::spawn(move || {
            io::copy(&mut answers, &mut back).ok();
            back.shutdown(Shutdown::Both).ok();
        });
        Ok(engine)
    }

    fn try_clone(&self) -> io::Result<Self> {
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
