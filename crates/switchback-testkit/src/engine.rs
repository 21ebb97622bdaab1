//! What the fake engine and a real one are both asked: requests and answers as data.
//!
//! A list of requests is a transcript. Whoever replays one on both sides can compare the answers.

use std::future::Future;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_core::Millis;

/// Something that answers like a container engine.
pub trait Engine: Send + Sync {
    /// Asks for one thing. It may never return, and what was asked for may happen nevertheless.
    fn call(&self, request: Request) -> impl Future<Output = Result<Answer, Refusal>> + Send;
}

/// One request. A container is named by its name, its id, or the first twelve digits of its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "request")]
#[allow(missing_docs, reason = "the fields say what they are, and the variants what they do")]
pub enum Request {
    /// Makes a container, which is not started.
    Create { name: String, specification: Specification },
    /// Starts one that does not run.
    Start { container: String },
    /// Stops one that runs.
    Stop { container: String },
    /// Freezes one that runs.
    Pause { container: String },
    /// Thaws one that is paused.
    Unpause { container: String },
    /// Gives it another name.
    Rename { container: String, name: String },
    /// Gives it another restart policy.
    SetPolicy { container: String, policy: RestartPolicy },
    /// Removes one; one that runs only with `force`.
    Remove { container: String, force: bool },
    /// Looks at one.
    Inspect { container: String },
    /// Looks at all, or at all that run.
    List { all: bool },
    /// Takes an image from the registry, by `repo:tag` or `repo@digest`.
    Pull { reference: String },
    /// Gives an image a tag, which another image loses.
    Tag { image: String, tag: String },
    /// Removes a tag, and the image with its last one.
    RemoveImage { reference: String },
    /// Looks at an image.
    InspectImage { reference: String },
    /// Makes an image without a registry.
    Import { reference: String },
    /// Looks at a named volume.
    InspectVolume { name: String },
    /// Ends whatever runs in a container and starts it again.
    Restart { container: String },
    /// Runs a program in a container, to its end.
    Exec { container: String, argv: Vec<String>, input: Vec<u8> },
    /// Writes files into a folder of a container's own layer.
    WriteFiles { container: String, folder: String, files: Vec<(String, Vec<u8>)> },
    /// Reads the file, or all files of the folder, at a path of a container.
    ReadFiles { container: String, path: String },
}

impl Request {
    /// The verb, as faults and counts name it.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Start { .. } => "start",
            Self::Stop { .. } => "stop",
            Self::Pause { .. } => "pause",
            Self::Unpause { .. } => "unpause",
            Self::Rename { .. } => "rename",
            Self::SetPolicy { .. } => "set policy",
            Self::Remove { .. } => "remove",
            Self::Inspect { .. } => "inspect",
            Self::List { .. } => "list",
            Self::Pull { .. } => "pull",
            Self::Tag { .. } => "tag",
            Self::RemoveImage { .. } => "remove image",
            Self::InspectImage { .. } => "inspect image",
            Self::Import { .. } => "import",
            Self::InspectVolume { .. } => "inspect volume",
            Self::Restart { .. } => "restart",
            Self::Exec { .. } => "exec",
            Self::WriteFiles { .. } => "write",
            Self::ReadFiles { .. } => "read",
        }
    }

    /// Whether it only looks.
    pub fn is_a_look(&self) -> bool {
        matches!(
            self,
            Self::Inspect { .. }
                | Self::List { .. }
                | Self::InspectImage { .. }
                | Self::InspectVolume { .. }
                | Self::ReadFiles { .. }
        )
    }

    /// The line that it leaves in the log of effects: the verb and what it was done to.
    pub fn line(&self) -> String {
        let verb = self.verb();
        match self {
            Self::Create { name, .. } => format!("{verb} {name}"),
            Self::Rename { container, name } => format!("{verb} {container} to {name}"),
            Self::SetPolicy { container, policy } => {
                format!("{verb} of {container} to {}", policy.word())
            }
            Self::Start { container }
            | Self::Stop { container }
            | Self::Pause { container }
            | Self::Unpause { container }
            | Self::Remove { container, .. }
            | Self::Restart { container }
            | Self::Inspect { container } => format!("{verb} {container}"),
            Self::List { .. } => verb.to_owned(),
            Self::Pull { reference }
            | Self::RemoveImage { reference }
            | Self::Import { reference }
            | Self::InspectImage { reference } => format!("{verb} {reference}"),
            Self::Tag { image, tag } => format!("{verb} {image} as {tag}"),
            Self::InspectVolume { name } => format!("{verb} {name}"),
            Self::Exec { container, argv, .. } => {
                format!("{verb} {} in {container}", argv.join(" "))
            }
            Self::WriteFiles { container, folder, .. } => {
                format!("{verb} into {folder} of {container}")
            }
            Self::ReadFiles { container, path } => format!("{verb} {path} of {container}"),
        }
    }
}

/// What a container is made from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Specification {
    /// The image as it was written: `repo:tag`, `repo@digest`, or an id.
    pub image: String,
    /// When it is started again without being asked.
    pub policy: RestartPolicy,
    /// The ports of the host that it takes while it runs.
    pub ports: Vec<u16>,
    /// The named volumes that it has mounted for writing.
    pub volumes: Vec<String>,
    /// The request that it was made from, where there was one in the engine's own words.
    #[serde(default)]
    pub document: Value,
}

impl Specification {
    /// Named volumes and where they are mounted, whoever writes there.
    pub fn binds(&self) -> impl Iterator<Item = (&str, &str)> {
        let binds = self.document["HostConfig"]["Binds"].as_array().into_iter().flatten();
        binds.filter_map(|it| it.as_str()?.split_once(':'))
    }
}

/// When a container is started again without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// When it has ended, and with the engine even if it had been stopped by hand.
    Always,
    /// When it has ended, and with the engine unless it had been stopped by hand.
    UnlessStopped,
    /// When it has ended with another code than 0.
    OnFailure,
}

impl RestartPolicy {
    /// The word that the engine has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
            Self::OnFailure => "on-failure",
        }
    }
}

/// A container as an inspect shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Unique at every instant.
    pub name: String,
    /// What it was made from. The policy is the one that holds now.
    pub specification: Specification,
    /// The id of its image, which a moving tag does not change.
    pub image_id: String,
    /// What it is doing.
    pub status: Status,
    /// Its process; 0 while it does not run.
    pub pid: u32,
    /// How often its policy has started it since it was last started by hand.
    pub restarts: u32,
    /// How its process ended last.
    pub exit_code: i64,
    /// Whether it was ever started.
    pub was_started: bool,
    /// Whether it was stopped by hand since.
    pub was_stopped: bool,
    /// Whether a program is under way in it whose caller has left.
    pub is_busy: bool,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made, and never started.
    Created,
    /// Its process runs.
    Running,
    /// Its process is frozen, and still holds its ports.
    Paused,
    /// Its process has ended.
    Exited,
    /// Half removed: it can be removed, and nothing else.
    Dead,
}

/// An image as an inspect shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `sha256:…`
    pub id: String,
    /// `repo:tag`, sorted.
    pub tags: Vec<String>,
    /// `repo@sha256:…`, sorted.
    pub digests: Vec<String>,
}

/// What a request that worked is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done,
    /// There was nothing to do (304).
    Unchanged,
    /// It is made, and this is its id.
    Created(String),
    /// A container.
    Container(Box<Container>),
    /// Containers, by name.
    Containers(Vec<Container>),
    /// An image.
    Image(Image),
    /// What a program did.
    Output(Output),
    /// Files: path and content.
    Files(Vec<(String, Vec<u8>)>),
}

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Output {
    /// Its exit code.
    pub code: i64,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// What a request that did not work is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The status of HTTP; 0 where the connection was lost without one.
    pub status: u16,
    /// For people.
    pub message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.message)
    }
}

impl std::error::Error for Refusal {}

/// When something happened, and what.
pub type Logged = (Millis, String);
