//! Files in containers, and the programs that are run there: the keeper's, and a service's probe.

use serde_json::{Value, json};

use super::{Answered, Inner, refused};
use crate::engine::{Answer, Container, Output, Refusal, Status};

/// The volume that holds records and snapshots.
pub(super) const VOLUME: &str = "switchback";

/// Where the keeper's containers have it.
const STORE: &str = "/switchback";

/// The keeper's program.
const KEEPER: &str = "/keeper";

fn failed(code: i64, what: &str, path: &str) -> Output {
    let stderr = json!({ "error": { "what": what, "path": path } }).to_string();
    Output { code, stdout: String::new(), stderr }
}

fn lines(all: impl IntoIterator<Item = Value>) -> Output {
    let all: Vec<String> = all.into_iter().map(|it| it.to_string()).collect();
    let stdout = if all.is_empty() { String::new() } else { all.join("\n") + "\n" };
    Output { code: 0, stdout, stderr: String::new() }
}

impl Inner {
    /// A path of our volume is the same file in whichever container; others are its own.
    fn place(&self, container: &str, path: &str) -> Result<(String, String), Refusal> {
        let id = self.container(container)?.id.clone();
        let is_ours = path == STORE || path.starts_with(&format!("{STORE}/"));
        Ok((if is_ours { String::new() } else { id }, path.trim_end_matches('/').to_owned()))
    }

    pub(super) fn write_files(
        &mut self,
        container: &str,
        folder: &str,
        files: &[(String, Vec<u8>)],
    ) -> Answered {
        for (name, content) in files {
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            let place = self.place(container, &path)?;
            self.files.insert(place, content.clone());
        }
        Ok(Answer::Done)
    }

    pub(super) fn read_files(&self, container: &str, path: &str) -> Answered {
        let (owner, path) = self.place(container, path)?;
        let found: Vec<_> = self.below(&owner, &path).collect();
        if found.is_empty() {
            return Err(refused(404, format!("Could not find the file {path}")));
        }
        Ok(Answer::Files(found))
    }

    fn below<'a>(
        &'a self,
        owner: &'a str,
        path: &'a str,
    ) -> impl Iterator<Item = (String, Vec<u8>)> + 'a {
        let is_below = move |it: &str| {
            it.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let all = self.files.iter().filter(move |((of, it), _)| of == owner && is_below(it));
        all.map(|((_, path), content)| (path.clone(), content.clone()))
    }

    pub(super) fn exec(
        &mut self,
        container: &str,
        argv: &[String],
        input: &[u8],
    ) -> Result<Output, Refusal> {
        let found = self.container(container)?.clone();
        if found.status != Status::Running {
            return Err(refused(409, format!("Container {} is not running", found.id)));
        }
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        Ok(match words[..] {
            [KEEPER, "put", path, length] => self.put(path, length, input),
            [KEEPER, "remove", path] => self.remove_below(path),
            [KEEPER, "list", path] => self.names_in(path),
            [KEEPER, "usage", ..] => usage(&words),
            [KEEPER, "snapshot", "--to", to, ..] => self.copy_data(&found, to, &words),
            [KEEPER, "restore", "--from", from, "--aside", aside, ..] => {
                self.restore_data(&found, from, aside, &words)
            }
            ["probe"] => {
                let is_ill = self.ill.contains(&found.image_id);
                Output { code: i64::from(is_ill), ..Output::default() }
            }
            _ => failed(126, "no such program", words.first().unwrap_or(&"")),
        })
    }

    fn put(&mut self, path: &str, length: &str, input: &[u8]) -> Output {
        if length.parse() != Ok(input.len()) {
            return failed(1, "the input ended too early", path);
        }
        if !(self.hooks.loses_journal && path.ends_with("/journal.json")) {
            self.files.insert((String::new(), path.to_owned()), input.to_vec());
        }
        Output::default()
    }

    fn remove_below(&mut self, path: &str) -> Output {
        let gone: Vec<String> = self.below("", path).map(|it| it.0).collect();
        for it in gone {
            self.files.remove(&(String::new(), it));
        }
        self.copies.retain(|it, _| !it.starts_with(&format!("{path}/")));
        Output::default()
    }

    fn names_in(&self, path: &str) -> Output {
        let name = |it: &str| it.split('/').next().unwrap_or_default().to_owned();
        let mut names: Vec<String> = self
            .below("", path)
            .filter_map(|(it, _)| Some(name(it.strip_prefix(path)?.strip_prefix('/')?)))
            .collect();
        names.dedup();
        if names.is_empty() {
            return failed(1, "No such file or directory", path);
        }
        lines(names.into_iter().map(|it| json!({ "name": it })))
    }

    fn copy_data(&mut self, keeper: &Container, to: &str, words: &[&str]) -> Output {
        if self.manifest(to).is_none() {
            self.keep(keeper, to, words, "copied");
        }
        Output::default()
    }

    fn manifest(&self, folder: &str) -> Option<&Vec<u8>> {
        self.files.get(&(String::new(), format!("{folder}/manifest.json")))
    }

    /// Copies every mount to a folder, and writes the manifest last.
    fn keep(&mut self, keeper: &Container, to: &str, words: &[&str], what: &str) {
        let mut names = Vec::new();
        for (name, inside) in mounts(words) {
            let Some(volume) = volume_at(keeper, inside) else { continue };
            self.note_writers(&volume, what);
            let content = self.data.get(&volume).cloned().unwrap_or_default();
            self.copies.insert(format!("{to}/{name}"), content);
            names.push(json!({ "name": name }));
        }
        let manifest = json!({ "format": 1, "mounts": names }).to_string().into_bytes();
        self.files.insert((String::new(), format!("{to}/manifest.json")), manifest);
    }

    fn restore_data(
        &mut self,
        keeper: &Container,
        from: &str,
        aside: &str,
        words: &[&str],
    ) -> Output {
        if self.manifest(from).is_none() {
            return failed(3, "there is no manifest, so there is no snapshot to restore", from);
        }
        if self.manifest(aside).is_none() {
            self.keep(keeper, aside, words, "set aside");
        }
        for (name, inside) in mounts(words) {
            let Some(volume) = volume_at(keeper, inside) else { continue };
            self.note_writers(&volume, "restored");
            let content = self.copies.get(&format!("{from}/{name}")).cloned().unwrap_or_default();
            self.data.insert(volume, content);
        }
        Output::default()
    }

    /// Nothing is copied or restored below a service that runs.
    fn note_writers(&mut self, volume: &str, what: &str) {
        let writes = |it: &&Container| {
            it.status == Status::Running && it.specification.volumes.iter().any(|it| it == volume)
        };
        if let Some(writer) = self.containers.iter().find(writes) {
            let line = format!("{volume} was {what} while {} ran", writer.name);
            self.damage.push((0, line));
        }
    }
}

fn usage(words: &[&str]) -> Output {
    let used = mounts(words).map(|(name, _)| json!({ "mount": name, "bytes": 4096 }));
    lines(used.chain([json!({ "free": { "bytes": 1_u64 << 40 } })]))
}

/// `--mount NAME=PATH`, each.
fn mounts<'a>(words: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let given = words.windows(2).filter(|it| it[0] == "--mount");
    given.filter_map(|it| it[1].split_once('='))
}

/// The volume that a container has mounted at a path.
fn volume_at(container: &Container, path: &str) -> Option<String> {
    let mut binds = container.specification.binds();
    binds.find(|(_, target)| *target == path).map(|(source, _)| source.to_owned())
}
