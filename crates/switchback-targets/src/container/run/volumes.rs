//! Volumes, binds and tmpfs mounts, in the short and the long syntax.

use std::path::Path;

use serde_json::{Map, Value};

use super::words::{only, scalar};
use super::{RunError, normal_path, parse_bytes, relative_to};

/// One mount of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeMount {
    /// A directory, file or socket of the host.
    Bind {
        /// Path on the host.
        source: String,
        /// Path in the container.
        target: String,
        /// Not writable.
        read_only: bool,
        /// `rprivate`, `rshared` and so on.
        propagation: Option<String>,
        /// `z` (shared) or `Z` (private) relabelling for `SELinux`.
        selinux: Option<char>,
        /// Whether the engine makes a missing directory.
        create_host_path: bool,
    },
    /// A volume of the engine.
    Volume {
        /// Its name. None: one without a name, new with each container.
        source: Option<String>,
        /// Path in the container.
        target: String,
        /// Not writable.
        read_only: bool,
        /// An empty volume is not filled from the image.
        nocopy: bool,
        /// Only this part of the volume.
        subpath: Option<String>,
    },
    /// Memory.
    Tmpfs {
        /// Path in the container.
        target: String,
        /// Limit.
        size_bytes: Option<i64>,
        /// Mode of its root.
        mode: Option<u32>,
        /// Not writable.
        read_only: bool,
    },
}

impl VolumeMount {
    /// Where it is in the container.
    pub fn target(&self) -> &str {
        match self {
            Self::Bind { target, .. }
            | Self::Volume { target, .. }
            | Self::Tmpfs { target, .. } => target,
        }
    }
}

/// All of `volumes`; `base` is the folder that relative paths were probably meant from.
pub(super) fn parse_volumes(
    value: Option<&Value>,
    base: &Path,
) -> Result<Vec<VolumeMount>, RunError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| RunError::at("volumes", "must be a list"))?;
    let mut volumes = Vec::new();
    for (index, element) in list.iter().enumerate() {
        let parsed = match element {
            Value::Object(table) => {
                only(&["volumes", &index.to_string()], table, LONG)?;
                long(table)
            }
            element => scalar(element)
                .ok_or_else(|| "must be a string or a table".to_owned())
                .and_then(|text| short(&text)),
        };
        volumes.push(parsed.map_err(|problem| {
            let better = element.as_str().and_then(|text| suggestion(text, base));
            RunError::at_index("volumes", index, problem).or_rather(better)
        })?);
    }
    Ok(volumes)
}

const LONG: &[&str] =
    &["type", "source", "target", "read_only", "bind", "volume", "tmpfs", "consistency"];
const PROPAGATIONS: &[&str] = &["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// `[SOURCE:]TARGET[:MODE,MODE]`. A source that begins with `/`, `.` or `~` is a path.
fn short(text: &str) -> Result<VolumeMount, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, modes) = match parts[..] {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, modes] => (Some(source), target, modes),
        _ => return Err(format!("`{text}` is not [SOURCE:]TARGET[:MODE]")),
    };
    let target = mount_target(target)?;
    let modes = Modes::parse(modes)?;
    match source {
        Some(path) if path.starts_with(['/', '.', '~']) => modes.bind(normal_path(path)?, target),
        Some(name) => modes.volume(Some(volume_name(name)?), target),
        None => modes.volume(None, target),
    }
}

#[derive(Default)]
struct Modes {
    read_only: bool,
    nocopy: bool,
    propagation: Option<String>,
    selinux: Option<char>,
}

impl Modes {
    fn parse(text: &str) -> Result<Self, String> {
        let mut modes = Self::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            match word {
                "ro" => modes.read_only = true,
                // Both say what holds anyhow on Linux.
                "rw" | "cached" | "delegated" | "consistent" => {}
                "nocopy" => modes.nocopy = true,
                "z" => modes.selinux = Some('z'),
                "Z" => modes.selinux = Some('Z'),
                word if PROPAGATIONS.contains(&word) => modes.propagation = Some(word.to_owned()),
                word => return Err(format!("`{word}` is not a mode of a mount")),
            }
        }
        Ok(modes)
    }

    fn bind(self, source: String, target: String) -> Result<VolumeMount, String> {
        if self.nocopy {
            return Err("`nocopy` is for volumes; a path of the host is never copied".to_owned());
        }
        let Self { read_only, propagation, selinux, .. } = self;
        Ok(VolumeMount::Bind {
            source,
            target,
            read_only,
            propagation,
            selinux,
            create_host_path: true,
        })
    }

    fn volume(self, source: Option<String>, target: String) -> Result<VolumeMount, String> {
        if self.propagation.is_some() {
            return Err("propagation is for paths of the host, not for volumes".to_owned());
        }
        let Self { read_only, nocopy, .. } = self;
        Ok(VolumeMount::Volume { source, target, read_only, nocopy, subpath: None })
    }
}

fn long(table: &Map<String, Value>) -> Result<VolumeMount, String> {
    let text = |key: &str| table.get(key).and_then(scalar);
    let target = mount_target(&text("target").ok_or("needs a `target`, the path inside")?)?;
    let read_only = flag(table, "read_only")?.unwrap_or(false);
    match text("type").as_deref() {
        Some("bind") => {
            let source = text("source").ok_or("a bind needs a `source`, a path of the host")?;
            long_bind(options(table, "bind")?, normal_path(&source)?, target, read_only)
        }
        Some("volume") => {
            let source = text("source").map(|name| volume_name(&name)).transpose()?;
            let options = options(table, "volume")?;
            known(options, &["nocopy", "subpath"])?;
            let nocopy = flag(options, "nocopy")?.unwrap_or(false);
            let subpath = options.get("subpath").and_then(scalar);
            Ok(VolumeMount::Volume { source, target, read_only, nocopy, subpath })
        }
        Some("tmpfs") => {
            let options = options(table, "tmpfs")?;
            known(options, &["size", "mode"])?;
            let size = options.get("size").and_then(scalar);
            let mode = options.get("mode").map(file_mode).transpose()?;
            let size_bytes = size.map(|size| parse_bytes(&size)).transpose()?;
            Ok(VolumeMount::Tmpfs { target, size_bytes, mode, read_only })
        }
        _ => Err("`type` is bind, volume or tmpfs".to_owned()),
    }
}

fn long_bind(
    options: &Map<String, Value>,
    source: String,
    target: String,
    read_only: bool,
) -> Result<VolumeMount, String> {
    known(options, &["propagation", "create_host_path", "selinux"])?;
    let propagation = options.get("propagation").and_then(scalar);
    if propagation.as_ref().is_some_and(|word| !PROPAGATIONS.contains(&word.as_str())) {
        return Err(format!("`propagation` is one of {}", PROPAGATIONS.join(", ")));
    }
    let selinux = match options.get("selinux").and_then(scalar).as_deref() {
        None => None,
        Some("z") => Some('z'),
        Some("Z") => Some('Z'),
        Some(_) => return Err("`selinux` is z or Z".to_owned()),
    };
    let create_host_path = flag(options, "create_host_path")?.unwrap_or(true);
    Ok(VolumeMount::Bind { source, target, read_only, propagation, selinux, create_host_path })
}

/// An octal text (`"1777"`), or the number itself.
fn file_mode(value: &Value) -> Result<u32, String> {
    let mode = match value {
        Value::String(text) => u32::from_str_radix(text, 8).ok(),
        value => value.as_u64().and_then(|mode| u32::try_from(mode).ok()),
    };
    mode.filter(|mode| *mode <= 0o7777).ok_or_else(|| "`mode` is a file mode such as 1777".into())
}

fn options<'a>(table: &'a Map<String, Value>, key: &str) -> Result<&'a Map<String, Value>, String> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    match table.get(key) {
        None => Ok(&EMPTY),
        Some(value) => value.as_object().ok_or_else(|| format!("`{key}` must be a table")),
    }
}

fn known(table: &Map<String, Value>, keys: &[&str]) -> Result<(), String> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(format!("unknown key `{key}`; known are {}", keys.join(", "))),
    }
}

fn flag(table: &Map<String, Value>, key: &str) -> Result<Option<bool>, String> {
    let wrong = || format!("`{key}` must be true or false");
    table.get(key).map(|value| value.as_bool().ok_or_else(wrong)).transpose()
}

fn mount_target(text: &str) -> Result<String, String> {
    match normal_path(text)?.as_str() {
        "/" => Err("nothing can be mounted over the container's /".to_owned()),
        path => Ok(path.to_owned()),
    }
}

/// The engine's own rule for names of volumes.
fn volume_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let valid =
        text.len() > 1 && text.as_bytes()[0].is_ascii_alphanumeric() && text.bytes().all(plain);
    if valid { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a name of a volume")) }
}

/// What was probably meant. Never nothing: a fix must not take a mount away.
fn suggestion(text: &str, base: &Path) -> Option<String> {
    let mut parts = text.splitn(3, ':');
    let (first, second, modes) = (parts.next()?, parts.next(), parts.next().unwrap_or(""));
    let source = second.map(|_| first);
    let source = match source {
        Some(path) if path.starts_with(['/', '.', '~']) => Some(relative_to(base, path)),
        Some(name) if volume_name(name).is_err() => Some(format!("volume_{}", tidy(name))),
        other => other.map(str::to_owned),
    };
    let target = match relative_to(Path::new("/"), second.unwrap_or(first)).as_str() {
        "/" => "/data".to_owned(),
        path => path.to_owned(),
    };
    let words = modes.split(',').filter(|word| *word == "ro");
    let candidate: Vec<String> =
        source.into_iter().chain([target]).chain(words.map(str::to_owned)).collect();
    Some(candidate.join(":")).filter(|text| short(text).is_ok())
}

fn tidy(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(value: &Value) -> VolumeMount {
        parse_volumes(Some(&json!([value])), Path::new("/etc/app")).unwrap().remove(0)
    }

    #[test]
    fn a_path_is_a_bind_and_a_name_is_a_volume() {
        assert_eq!(
            parsed(&json!("/srv/x:/x:ro,z,rshared")),
            VolumeMount::Bind {
                source: "/srv/x".into(),
                target: "/x".into(),
                read_only: true,
                propagation: Some("rshared".into()),
                selinux: Some('z'),
                create_host_path: true,
            }
        );
        let volume = |source: Option<&str>, nocopy| VolumeMount::Volume {
            source: source.map(str::to_owned),
            target: "/x".into(),
            read_only: false,
            nocopy,
            subpath: None,
        };
        assert_eq!(parsed(&json!("session:/x:nocopy")), volume(Some("session"), true));
        assert_eq!(parsed(&json!("/x")), volume(None, false));
    }

    #[test]
    fn the_long_syntax_knows_subpaths_and_memory() {
        let subpath = json!({ "type": "volume", "source": "v1", "target": "/x", "read_only": true,
            "volume": { "subpath": "a/b", "nocopy": true } });
        assert_eq!(
            parsed(&subpath),
            VolumeMount::Volume {
                source: Some("v1".into()),
                target: "/x".into(),
                read_only: true,
                nocopy: true,
                subpath: Some("a/b".into()),
            }
        );
        let memory =
            json!({ "type": "tmpfs", "target": "/x", "tmpfs": { "size": "64m", "mode": "1770" } });
        assert_eq!(
            parsed(&memory),
            VolumeMount::Tmpfs {
                target: "/x".into(),
                size_bytes: Some(64 << 20),
                mode: Some(0o1770),
                read_only: false,
            }
        );
    }

    #[test]
    fn a_bad_mount_is_never_answered_by_leaving_it_out() {
        let cases = [
            ("./data:/data", "relative path", "/etc/app/data:/data"),
            ("/srv/../etc:/data", "plain path", "/etc:/data"),
            ("session:data", "relative path", "session:/data"),
            ("my volume:/data", "not a name of a volume", "volume_my_volume:/data"),
            ("session:/data:wr", "not a mode", "session:/data"),
            ("session:/", "over the container's /", "session:/data"),
        ];
        for (text, problem, better) in cases {
            let error = parse_volumes(Some(&json!([text])), Path::new("/etc/app")).unwrap_err();
            assert!(error.problem.contains(problem), "{error}");
            assert_eq!(error.replacement, Some(json!(better)), "{text}");
        }
    }
}
