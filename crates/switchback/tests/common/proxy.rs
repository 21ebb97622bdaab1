//! A proxy on the engine's socket at one of whose requests something happens: the program is killed, or the engine.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::wire::Wire;

/// When the program is sent its signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The request is never forwarded.
    HeldBack,
    /// The request is forwarded whole, and its answer finds nobody.
    LetThrough,
}

/// What happens at the request, to whoever made it or to its world.
type Strike = Box<dyn Fn(Pid) + Send + Sync>;

/// What the proxy does, and what it has seen.
struct Plan {
    engine: String,
    at: usize,
    moment: Moment,
    strike: Strike,
    /// Whether nobody is left to answer.
    is_deadly: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    pid: Option<Pid>,
    lines: Vec<String>,
    has_struck: bool,
}

/// A proxy at work until the test's process ends.
pub(crate) struct Proxy {
    plan: Arc<Plan>,
    /// For `DOCKER_HOST`.
    pub(crate) url: String,
}

impl Proxy {
    /// Listens at `socket`, and sends the signal at the request of this number, counted from 1.
    pub(crate) fn start(
        socket: &Path,
        engine: &str,
        (at, moment, signal): (usize, Moment, Signal),
    ) -> Self {
        let strike = move |pid| {
            kill_process(pid, signal).ok();
        };
        Self::start_with(socket, engine, (at, moment), signal == Signal::KILL, strike)
    }

    /// As [`Proxy::start`], with something else than a signal. What is deadly to the program ends the
    /// connection too.
    pub(crate) fn start_with(
        socket: &Path,
        engine: &str,
        (at, moment): (usize, Moment),
        is_deadly: bool,
        strike: impl Fn(Pid) + Send + Sync + 'static,
    ) -> Self {
        let engine = engine.to_owned();
        let (seen, strike) = (Mutex::default(), Box::new(strike));
        let plan = Arc::new(Plan { engine, at, moment, strike, is_deadly, seen });
        std::fs::remove_file(socket).ok();
        let listener = UnixListener::bind(socket).expect("a socket for the proxy");
        let shared = Arc::clone(&plan);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let plan = Arc::clone(&shared);
                // A connection that breaks is what this proxy is for.
                std::thread::spawn(move || plan.forward(client).ok());
            }
        });
        Self { plan, url: format!("unix://{}", socket.display()) }
    }

    /// Names the process; until then requests wait.
    pub(crate) fn watch(&self, pid: Pid) {
        self.plan.seen().pid = Some(pid);
    }

    /// Whether it has happened.
    pub(crate) fn has_struck(&self) -> bool {
        self.plan.seen().has_struck
    }

    /// The request lines so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.plan.seen().lines.clone()
    }
}

impl Plan {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forward(&self, client: UnixStream) -> io::Result<()> {
        let mut engine = Wire::connect(&self.engine)?;
        let (mut answers, mut back) = (engine.try_clone()?, client.try_clone()?);
        std::thread::spawn(move || {
            io::copy(&mut answers, &mut back).ok();
            back.shutdown(Shutdown::Both).ok();
        });
        let mut requests = BufReader::new(client);
        let done = self.requests(&mut requests, &mut engine);
        engine.finish().ok();
        done
    }

    fn requests(&self, from: &mut BufReader<UnixStream>, to: &mut Wire) -> io::Result<()> {
        while let Some(head) = head(from)? {
            let is_it = self.count(head.lines().next().unwrap_or_default());
            if is_it && self.moment == Moment::HeldBack {
                self.strike();
                if self.is_deadly {
                    return Ok(());
                }
            }
            to.write_all(head.as_bytes())?;
            body(&head, from, to)?;
            if is_it && self.moment == Moment::LetThrough {
                self.strike();
            }
            if field(&head, "upgrade").is_some() {
                io::copy(from, to)?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether this request is the one.
    fn count(&self, line: &str) -> bool {
        while self.seen().pid.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut seen = self.seen();
        seen.lines.push(line.trim_end_matches(" HTTP/1.1").to_owned());
        seen.lines.len() == self.at
    }

    fn strike(&self) {
        let pid = self.seen().pid;
        // Without the lock: it may take as long as an engine takes to start.
        if let Some(pid) = pid {
            (self.strike)(pid);
        }
        self.seen().has_struck = true;
    }
}

/// The head of a request with its empty line; none at the end of the connection.
fn head(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut head = String::new();
    loop {
        if from.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        if head.ends_with("\r\n\r\n") {
            return Ok(Some(head));
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|it| it.split_once(':'));
    fields.filter(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.trim()).next()
}

fn body(head: &str, from: &mut impl BufRead, to: &mut Wire) -> io::Result<()> {
    if field(head, "transfer-encoding").is_none() {
        let length = field(head, "content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
        return io::copy(&mut from.take(length), to).map(drop);
    }
    loop {
        let mut size = String::new();
        from.read_line(&mut size)?;
        to.write_all(size.as_bytes())?;
        let bytes = u64::from_str_radix(size.trim(), 16).unwrap_or(0);
        io::copy(&mut from.take(bytes + 2), to)?;
        if bytes == 0 {
            return Ok(());
        }
    }
}
