//! A proxy on the engine's socket that answers in the engine's place, or asks it for something else.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::{
    World,
    process::{Output, Running},
    request::{body, field, head, line},
    wire::{Wire, listen},
};

/// What is done to one request.
#[derive(Clone, Copy)]
pub(crate) enum Meddling {
    /// The engine never hears of it; this is answered: a status with its reason, and a message.
    Says(&'static str, &'static str),
    /// The engine is asked for this line instead of that one.
    Asks(fn(&str) -> String),
    /// The engine gets another body.
    Changes(fn(&mut Value)),
}

/// Knows what is done to a request, by its method and path.
type Rule = Box<dyn Fn(&str) -> Option<Meddling> + Send + Sync>;

/// A proxy at work until the test's process ends.
pub(crate) struct Meddler {
    url: String,
    plan: Arc<Plan>,
}

struct Plan {
    engine: String,
    rule: Rule,
    seen: Mutex<Vec<String>>,
}

/// Whether a request makes the container of the new version, and not the lease.
pub(crate) fn makes_the_new_one(line: &str) -> bool {
    line.contains("/containers/create?name=") && line.ends_with("-new")
}

impl Meddler {
    pub(crate) fn start(
        world: &World,
        rule: impl Fn(&str) -> Option<Meddling> + Send + Sync + 'static,
    ) -> Self {
        let socket = world.folder.path().join("meddled.sock");
        let (engine, rule) = (world.lab.engine_url().to_owned(), Box::new(rule));
        let plan = Arc::new(Plan { engine, rule, seen: Mutex::default() });
        let shared = Arc::clone(&plan);
        Self { url: listen(&socket, move |client| shared.forward(client)), plan }
    }

    /// Runs the program through it to its end.
    #[must_use = "a command whose end nobody looks at proves nothing"]
    pub(crate) fn run(&self, world: &World, arguments: &[&str]) -> Output {
        Running::spawn(world.command("state", &self.url, arguments)).wait()
    }

    /// The request lines so far, as the program has sent them.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.plan.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Plan {
    fn forward(&self, client: UnixStream) -> io::Result<()> {
        let mut engine = Wire::answering(&self.engine, &client)?;
        let mut requests = BufReader::new(client.try_clone()?);
        let done = self.requests(&mut requests, &mut engine, client);
        engine.finish().ok();
        done
    }

    fn requests(
        &self,
        from: &mut BufReader<UnixStream>,
        to: &mut Wire,
        mut client: UnixStream,
    ) -> io::Result<()> {
        while let Some(head) = head(from)? {
            let line = line(&head).to_owned();
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
            match (self.rule)(&line) {
                None => {
                    to.write_all(head.as_bytes())?;
                    body(&head, from, to)?;
                }
                Some(Meddling::Asks(other)) => {
                    to.write_all(head.replacen(&line, &other(&line), 1).as_bytes())?;
                    body(&head, from, to)?;
                }
                Some(Meddling::Says(status, message)) => {
                    let _unread = whole_body(&head, from)?;
                    let text = json!({ "message": message }).to_string();
                    let fields =
                        format!("Content-Type: application/json\r\nContent-Length: {}", text.len());
                    write!(client, "HTTP/1.1 {status}\r\n{fields}\r\n\r\n{text}")?;
                }
                Some(Meddling::Changes(change)) => {
                    let mut document: Value = serde_json::from_slice(&whole_body(&head, from)?)?;
                    change(&mut document);
                    let text = document.to_string();
                    let is_length = |it: &&str| it.to_lowercase().starts_with("content-length:");
                    let fields = head.trim_end().lines().filter(|it| !is_length(it));
                    let fields: Vec<&str> = fields.collect();
                    write!(
                        to,
                        "{}\r\nContent-Length: {}\r\n\r\n{text}",
                        fields.join("\r\n"),
                        text.len()
                    )?;
                }
            }
            if field(&head, "upgrade").is_some() {
                io::copy(from, to)?;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The body that belongs to `head`, which says how long it is.
fn whole_body(head: &str, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    assert!(field(head, "transfer-encoding").is_none(), "a body in chunks: {head}");
    let length = field(head, "content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut bytes = Vec::new();
    let _count = from.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
