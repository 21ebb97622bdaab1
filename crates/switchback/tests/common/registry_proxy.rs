//! A registry in front of the lab's, at some of whose requests something goes wrong.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::World;

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// It says this in place of an answer: a status with its reason, and further header lines.
    Says(&'static str, &'static str),
    /// It takes the request and is never heard of again.
    Silence,
    /// It sends so many bytes, and then nobody is there any more, for this request and all others.
    DiesAfter(usize),
    /// It sends an answer in pieces of so many bytes, ten a second.
    Drips(usize),
}

/// Knows what goes wrong at a request, by its head.
type Rule = Box<dyn Fn(&str) -> Option<Trouble> + Send + Sync>;

/// A registry that serves what the lab's does, until the test's process ends.
pub(crate) struct RegistryProxy {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
}

struct Plan {
    upstream: String,
    rule: Rule,
    is_dead: AtomicBool,
}

impl RegistryProxy {
    pub(crate) fn start(
        upstream: &str,
        rule: impl Fn(&str) -> Option<Trouble> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the registry");
        let address = listener.local_addr().expect("an address").to_string();
        let (upstream, rule) = (upstream.to_owned(), Box::new(rule));
        let plan = Arc::new(Plan { upstream, rule, is_dead: AtomicBool::new(false) });
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let plan = Arc::clone(&plan);
                // A connection that breaks is what this registry is for.
                std::thread::spawn(move || plan.serve(client).ok());
            }
        });
        Self { address }
    }
}

impl World {
    /// From here on images come through a registry at which something goes wrong.
    pub(crate) fn follows_through(
        &self,
        rule: impl Fn(&str) -> Option<Trouble> + Send + Sync + 'static,
    ) {
        let proxy = RegistryProxy::start(self.lab.registry(), rule);
        let repository = format!("{}/{}", proxy.address, self.name);
        self.setting(&format!("image = \"{repository}:latest\""));
        self.made.repositories.borrow_mut().push(repository);
    }

    /// From here on images come through a registry that writes down what the program asks, and not
    /// what the engine does.
    pub(crate) fn follows_counted(&self) -> Asked {
        let asked = Asked::default();
        let writes = Arc::clone(&asked.0);
        self.follows_through(move |head| -> Option<Trouble> {
            if head.to_lowercase().contains("user-agent: switchback") {
                let line = head.lines().next().unwrap_or_default().to_owned();
                writes.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
            None
        });
        asked
    }
}

/// What a program has asked a registry.
#[derive(Debug, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    /// The first lines of the requests since this was last asked.
    pub(crate) fn since(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Plan {
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        if self.is_dead.load(Ordering::SeqCst) {
            return client.shutdown(Shutdown::Both);
        }
        let mut lines = BufReader::new(client.try_clone()?).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let mut head = first + "\r\n";
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            if !line.to_lowercase().starts_with("connection:") {
                head = head + &line + "\r\n";
            }
        }
        match (self.rule)(&head) {
            Some(Trouble::Says(status, fields)) => say(client, status, fields),
            Some(Trouble::Silence) => {
                std::thread::sleep(Duration::from_secs(600));
                Ok(())
            }
            trouble => self.forward(&head, client, trouble),
        }
    }

    /// One request a connection, so that the end of an answer is the end of the connection.
    fn forward(
        &self,
        head: &str,
        mut client: TcpStream,
        trouble: Option<Trouble>,
    ) -> io::Result<()> {
        let mut registry = TcpStream::connect(&self.upstream)?;
        write!(registry, "{head}Connection: close\r\n\r\n")?;
        match trouble {
            Some(Trouble::DiesAfter(bytes)) => {
                self.is_dead.store(true, Ordering::SeqCst);
                io::copy(&mut registry.take(bytes as u64), &mut client)?;
            }
            Some(Trouble::Drips(bytes)) => {
                let mut piece = vec![0; bytes];
                loop {
                    let count = registry.read(&mut piece)?;
                    if count == 0 {
                        break;
                    }
                    client.write_all(&piece[..count])?;
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            _ => {
                io::copy(&mut registry, &mut client)?;
            }
        }
        client.shutdown(Shutdown::Both)
    }
}

fn say(mut client: TcpStream, status: &str, fields: &str) -> io::Result<()> {
    write!(client, "HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n")?;
    client.shutdown(Shutdown::Write)
}
