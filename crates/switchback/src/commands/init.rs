//! `init`: writes a configuration from what runs here. Again, it only adds.

use std::path::Path;

use serde_json::{Value, json};
use switchback_targets::engine_api::{EngineClient, locate};

use super::found;
use crate::{
    cli::InitArgs,
    config::{
        self, Config, FoundContainer, LoadError, Location, RealWorld, Surroundings as _, init_text,
        merge_found, place_for_new, write_atomically,
    },
    context::Context,
    display::result as text,
    error::CommandError,
    exit_code::ExitCode,
    operate::Answer,
    recover_unit::{Machine, Standing, Wanted},
};

/// The engine that is found where nothing else is said.
const USUAL_ENGINE: &str = "unix:///var/run/docker.sock";

/// `switchback init`
pub(super) async fn init(context: &Context, args: InitArgs) -> Answer<ExitCode> {
    let location = locate(args.engine.as_deref(), |key| std::env::var(key).ok())?;
    let engine = EngineClient::connect(&location).await?;
    let found = found::all(&engine).await?;
    let (location, before) = existing(context)?;
    let after = text_of_file(context, &location, before.as_deref(), &found)?;
    let is_changed = before.as_deref() != Some(after.as_str());
    if is_changed {
        write(&location.path, &after)?;
    }
    let mut document = document(&location, before.as_deref(), &found, is_changed, &engine)?;
    let unit = recover_service(context, &location, &engine, args.recover_service).await?;
    if let Some(unit) = unit {
        document["recover_service"] = unit;
    }
    drop(context.printer.result(&text::init(&document), &document));
    Ok(ExitCode::Done)
}

/// Installs the unit that recovers at boot, or offers it where it could be: on a machine with systemd
/// and an engine of its own.
async fn recover_service(
    context: &Context,
    location: &Location,
    engine: &EngineClient,
    installs: bool,
) -> Answer<Option<Value>> {
    let url = &engine.location().url;
    let config = Config::load(location, &RealWorld)?;
    let state = context.state_folder(Some(&config));
    let named = Some(url.clone()).filter(|it| it != USUAL_ENGINE);
    let (machine, wanted) = (Machine::this(), Wanted::of(&location.path, &state, named)?);
    let (path, command) = (machine.path(), wanted.command());
    let word = if installs {
        if machine.install(&wanted).await? { "installed" } else { "in_place" }
    } else {
        match machine.standing(&wanted) {
            Standing::Missing | Standing::Outdated if url.starts_with("unix://") => "offered",
            Standing::InPlace => "in_place",
            _ => return Ok(None),
        }
    };
    Ok(Some(json!({ "state": word, "path": path, "command": command })))
}

/// The file that is there, or the place for a new one.
pub(super) fn existing(context: &Context) -> Answer<(Location, Option<String>)> {
    let flag = context.global.config.as_deref();
    let location =
        config::locate(flag, &RealWorld).unwrap_or_else(|_| place_for_new(flag, &RealWorld));
    match RealWorld.read(&location.path) {
        Ok(text) => Ok((location, Some(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((location, None)),
        Err(source) => Err(LoadError::Unreadable { path: location.path, source }.into()),
    }
}

/// The text that the file gets. A new one names its store, so that it means the same one whoever
/// reads it.
pub(super) fn text_of_file(
    context: &Context,
    location: &Location,
    before: Option<&str>,
    found: &[FoundContainer],
) -> Answer<String> {
    let Some(before) = before else {
        let state = std::path::absolute(context.state_folder(None));
        let state = state.unwrap_or_else(|_| context.state_folder(None));
        return Ok(init_text(Some(&state), found));
    };
    // What is wrong in the file is told as every command tells it.
    let _read = Config::parse(before, location, &RealWorld)?;
    Ok(merge_found(before, found)?)
}

pub(super) fn write(path: &Path, text: &str) -> Answer<()> {
    write_atomically(path, text).map_err(|error| {
        let message = format!("Cannot write the configuration {}: {error}", path.display());
        CommandError::new("config_invalid", message)
            .hint("switchback init --help   # --config FILE names another file")
    })
}

fn document(
    location: &Location,
    before: Option<&str>,
    found: &[FoundContainer],
    is_changed: bool,
    engine: &EngineClient,
) -> Answer<Value> {
    let names = |config: &Config| config.deployments.keys().cloned().collect::<Vec<_>>();
    let old = match before {
        Some(text) => names(&Config::parse(text, location, &RealWorld)?),
        None => Vec::new(),
    };
    let all = names(&Config::load(location, &RealWorld)?);
    let added: Vec<&String> = all.iter().filter(|it| !old.contains(it)).collect();
    let left_out = found
        .iter()
        .filter_map(|it| Some(json!({ "container": it.name, "reason": it.left_out.as_deref()? })));
    Ok(json!({
        "file": location.path, "created": before.is_none(), "changed": is_changed,
        "engine": engine.location().url, "added": added, "deployments": all,
        "left_out": left_out.collect::<Vec<_>>(),
    }))
}
