//! A registry that takes its time, and counts.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// A registry in which every reference is one digest, 50 ms after it was asked for.
pub(crate) struct SlowRegistry {
    pub(crate) port: u16,
    asked: Arc<Mutex<Asked>>,
}

/// What it was asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) heads: usize,
    pub(crate) others: usize,
    at_once: usize,
    pub(crate) most_at_once: usize,
}

impl SlowRegistry {
    pub(crate) fn start(digest: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Asked::default()));
        let counts = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (digest, counts) = (digest.clone(), Arc::clone(&counts));
                std::thread::spawn(move || answer(stream, &digest, &counts));
            }
        });
        Self { port, asked }
    }

    pub(crate) fn counts(&self) -> Asked {
        *self.asked.lock().unwrap()
    }
}

/// Answers the requests of one connection until it is closed.
fn answer(mut stream: TcpStream, digest: &str, counts: &Mutex<Asked>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.starts_with("HEAD ") {
            counts.lock().unwrap().heads += 1;
        } else if line.ends_with("HTTP/1.1") {
            counts.lock().unwrap().others += 1;
        }
        if !line.is_empty() {
            continue;
        }
        {
            let mut counts = counts.lock().unwrap();
            counts.at_once += 1;
            counts.most_at_once = counts.most_at_once.max(counts.at_once);
        }
        std::thread::sleep(Duration::from_millis(50));
        counts.lock().unwrap().at_once -= 1;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\nContent-Length: 2\r\n\r\n"
        );
        if stream.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}
