//! `config`: shows the file and changes single keys of it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    cli::ConfigCommand,
    config::{
        self, Changed, ConfigError, EditError, Fix, Got, LoadError, Location, RealWorld,
        Surroundings as _, Warning, change_file, parse_path, place_for_new, set_to,
    },
    context::Context,
    error::CommandError,
    exit_code::ExitCode,
    operate::Answer,
};

/// `switchback config`
pub(super) fn config(context: &Context, command: ConfigCommand) -> Answer<ExitCode> {
    match command {
        ConfigCommand::Show => show(context),
        ConfigCommand::Get { key } => get(context, &key),
        ConfigCommand::Set { key, value } => change(context, &set_to(&parse_path(&key)?, &value)?),
        ConfigCommand::Unset { key } => change(context, &Fix::unset(&parse_path(&key)?)),
        ConfigCommand::Rename { key, name } => {
            change(context, &Fix::rename(&parse_path(&key)?, &name))
        }
        ConfigCommand::Validate => validate(context),
        ConfigCommand::Schema => {
            let schema = config::schema();
            Ok(print(context, &format!("{schema:#}\n"), &schema))
        }
    }
}

/// A closed pipe is no error of ours.
fn print(context: &Context, text: &str, document: &Value) -> ExitCode {
    drop(context.printer.result(text, document));
    ExitCode::Done
}

fn read(location: &Location) -> Answer<String> {
    let path = location.path.clone();
    let read = RealWorld.read(&path);
    Ok(read.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            LoadError::NotFound { looked_for: vec![path.display().to_string()] }
        }
        _ => LoadError::Unreadable { path, source },
    })?)
}

/// What is not TOML is told as every command tells it.
fn not_toml(location: &Location, error: EditError) -> CommandError {
    match config::Config::load(location, &RealWorld) {
        Err(LoadError::Invalid(invalid)) if matches!(error, EditError::NotToml(_)) => {
            (*invalid).into()
        }
        _ => error.into(),
    }
}

fn show(context: &Context) -> Answer<ExitCode> {
    let location = context.location()?;
    let text = read(&location)?;
    let masked = config::masked(&text).map_err(|it| not_toml(&location, EditError::NotToml(it)))?;
    let values =
        config::as_json(&masked).map_err(|it| not_toml(&location, EditError::NotToml(it)))?;
    Ok(print(context, &masked, &json!({ "file": location.path, "config": values })))
}

fn get(context: &Context, key: &str) -> Answer<ExitCode> {
    let path = parse_path(key)?;
    let location = context.location()?;
    let text = read(&location)?;
    let (value, is_default) =
        match config::get(&text, &path).map_err(|it| not_toml(&location, it))? {
            Got::Set(value) => (value, false),
            Got::Default(value) => (value.trim_matches('"').to_owned(), true),
        };
    let document = json!({ "key": key, "value": value, "is_default": is_default });
    Ok(print(context, &format!("{value}\n"), &document))
}

fn change(context: &Context, edit: &Fix) -> Answer<ExitCode> {
    let location = match context.location() {
        Ok(location) => location,
        // The first value makes the file.
        Err(_) => place_for_new(context.global.config.as_deref(), &RealWorld),
    };
    let Changed { remaining, warnings, .. } = change_file(edit, &location, &RealWorld)?;
    let remaining = remaining.map(CommandError::from);
    for warning in &warnings {
        context.warn(warning);
    }
    if let Some(error) = &remaining {
        context
            .printer
            .note(crate::display::error::error(&error.document()).trim_end_matches('\n'));
    }
    let mut document = json!({ "file": location.path, "changed": true, "warnings": warnings });
    if let Some(error) = &remaining {
        document["remaining"] = error.object();
    }
    let said = if context.global.quiet {
        String::new()
    } else {
        format!("Changed {}\n", location.path.display())
    };
    Ok(print(context, &said, &document))
}

fn validate(context: &Context) -> Answer<ExitCode> {
    let config = context.config()?;
    let path = &config.location.path;
    let many = config.deployments.len();
    let deployments = if many == 1 { "deployment" } else { "deployments" };
    let mut text = format!("{} is right: {many} {deployments}", path.display());
    if !config.fleets.is_empty() {
        let _infallible = write!(text, ", {} fleets", config.fleets.len());
    }
    let warnings: &Vec<Warning> = &config.warnings;
    let document =
        json!({ "file": path, "valid": true, "deployments": many, "warnings": warnings });
    Ok(print(context, &format!("{text}\n"), &document))
}

impl From<EditError> for CommandError {
    fn from(error: EditError) -> Self {
        let hint = match &error {
            EditError::UnknownKey { nearest: Some(nearest), .. } => {
                format!("switchback config schema   # every key; did you mean {nearest}?")
            }
            EditError::NotToml(_) => "switchback config validate".to_owned(),
            _ => "switchback config schema   # every key, with what it takes".to_owned(),
        };
        let code = if matches!(error, EditError::NotSet { .. }) { "not_found" } else { "usage" };
        Self::new(code, error.to_string()).hint(hint)
    }
}

impl From<config::ChangeError> for CommandError {
    fn from(error: config::ChangeError) -> Self {
        use config::ChangeError;
        let text = error.to_string();
        match error {
            ChangeError::Edit(error) => error.into(),
            ChangeError::WouldBeInvalid(error) => refused(*error),
            ChangeError::Load(error) => error.into(),
            ChangeError::Unwritable { source, .. } => {
                Self::new("config_invalid", format!("{text}: {source}"))
            }
        }
    }
}

/// The file is as it was: what was typed is what has to be typed otherwise.
fn refused(error: ConfigError) -> CommandError {
    let file = error.file.display().to_string();
    let made = CommandError::from(error);
    let problem = made.facts.get("problem").and_then(Value::as_str).unwrap_or_default();
    let problem = format!("{problem} (nothing was changed in {file})");
    made.fact("problem", json!(problem))
}
