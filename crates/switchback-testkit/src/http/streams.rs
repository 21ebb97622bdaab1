//! Programs in containers: asked for, started on a connection that becomes theirs, and looked at.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http_body_util::BodyExt;
use hyper::{
    Request as HttpRequest, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONNECTION, UPGRADE},
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Answered, Lost, document_of, refusal, requests::without_version};
use crate::engine::{Answer, Engine, Output, Refusal, Request, Status};

/// The programs that were asked for over one client's connections, by their ids.
#[derive(Debug, Default)]
pub(super) struct Programs(Mutex<HashMap<String, Program>>);

#[derive(Debug, Clone, Default)]
struct Program {
    container: String,
    argv: Vec<String>,
    reads: bool,
    code: Option<i64>,
}

/// Whether a request is about a program that is run in a container.
pub(super) fn is_program(uri: &Uri) -> bool {
    let path = without_version(uri.path());
    path.starts_with("/exec/") || path.ends_with("/exec")
}

impl Programs {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Program>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, program: Program) -> String {
        let mut all = self.all();
        let id = format!("{:064x}", all.len() + 1);
        all.insert(id.clone(), program);
        id
    }

    fn find(&self, id: &str) -> Option<Program> {
        self.all().get(id).cloned()
    }

    fn ended(&self, id: &str, code: i64) {
        if let Some(program) = self.all().get_mut(id) {
            program.code = Some(code);
        }
    }
}

/// Answers a request about a program.
pub(super) async fn answer<E: Engine + 'static>(
    engine: Arc<E>,
    programs: Arc<Programs>,
    mut request: HttpRequest<Incoming>,
) -> Answered {
    let path = without_version(request.uri().path()).to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[..] {
        ["containers", container, "exec"] => {
            let body = request.body_mut().collect().await.map_err(|_| Lost)?.to_bytes();
            let document = serde_json::from_slice(&body).unwrap_or(Value::Null);
            ask(&*engine, &programs, container, &document).await
        }
        ["exec", id, "start"] => start(engine, &programs, id, request),
        ["exec", id, "json"] => {
            let code = programs.find(id).and_then(|it| it.code);
            let running = code.is_none();
            Ok(document_of(200, &json!({ "ID": id, "Running": running, "ExitCode": code })))
        }
        _ => refusal(Refusal { status: 404, message: format!("page not found: {path}") }),
    }
}

async fn ask<E: Engine>(
    engine: &E,
    programs: &Programs,
    container: &str,
    document: &Value,
) -> Answered {
    let container = container.to_owned();
    let found = match engine.call(Request::Inspect { container }).await {
        Ok(Answer::Container(found)) => found,
        Ok(_) => return Err(Lost),
        Err(refused) => return refusal(refused),
    };
    if found.status != Status::Running {
        let message = format!("Container {} is not running", found.id);
        return refusal(Refusal { status: 409, message });
    }
    let words = document["Cmd"].as_array().into_iter().flatten();
    let argv = words.filter_map(|it| it.as_str().map(str::to_owned)).collect();
    let reads = document["AttachStdin"] == true;
    let id = programs.add(Program { container: found.id, argv, reads, code: None });
    Ok(document_of(201, &json!({ "Id": id })))
}

fn start<E: Engine + 'static>(
    engine: Arc<E>,
    programs: &Arc<Programs>,
    id: &str,
    mut request: HttpRequest<Incoming>,
) -> Answered {
    let Some(program) = programs.find(id) else {
        return refusal(Refusal { status: 404, message: format!("No such exec: {id}") });
    };
    let (programs, id) = (programs.clone(), id.to_owned());
    let upgrading = hyper::upgrade::on(&mut request);
    let run = async move {
        let Ok(upgraded) = upgrading.await else { return };
        let mut stream = TokioIo::new(upgraded);
        let Some(output) = run(&*engine, program, &mut stream).await else { return };
        programs.ended(&id, output.code);
        // Whoever has left does not hear what it said.
        drop(say(&mut stream, &output).await);
    };
    let _detached = tokio::spawn(run);
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, hyper::header::HeaderValue::from_static("tcp"));
    Ok(response)
}

/// Nothing where the connection was lost.
async fn run<E: Engine>(
    engine: &E,
    program: Program,
    stream: &mut TokioIo<Upgraded>,
) -> Option<Output> {
    let mut input = Vec::new();
    if program.reads {
        stream.read_to_end(&mut input).await.ok()?;
    }
    let Program { container, argv, .. } = program;
    match engine.call(Request::Exec { container, argv, input }).await {
        Ok(Answer::Output(output)) => Some(output),
        Ok(_) | Err(_) => None,
    }
}

/// Each part has eight bytes before it: the stream's number, and the length in the last four.
async fn say(stream: &mut TokioIo<Upgraded>, output: &Output) -> std::io::Result<()> {
    for (number, text) in [(1_u8, &output.stdout), (2, &output.stderr)] {
        let length = u32::try_from(text.len()).unwrap_or(0).to_be_bytes();
        if !text.is_empty() {
            stream.write_all(&[number, 0, 0, 0]).await?;
            stream.write_all(&length).await?;
            stream.write_all(text.as_bytes()).await?;
        }
    }
    stream.shutdown().await
}
