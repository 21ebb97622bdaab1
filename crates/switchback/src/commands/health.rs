//! `health`: one round of the probes that updates use, or their whole gate.

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};
use switchback_core::{Reporter, event::Event};
use switchback_targets::probe::HttpClient;
use tokio::sync::mpsc::UnboundedSender;

use super::follow::Follower;
use crate::{
    cli::HealthArgs,
    context::{Busy, Context, chosen, only, signal_exit_code},
    display::result as text,
    error::CommandError,
    exit_code::ExitCode,
    operate::{
        Answer,
        connect::{Connected, connect_each},
        execute, health,
        look::Scope,
    },
};

/// How many deployments are probed at once.
const AT_ONCE: usize = 32;

/// `switchback health`
pub(super) async fn health(context: &Context, args: HealthArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let deployments = match args.names.as_slice() {
        [name] => vec![only(&config, Some(name))?],
        names => chosen(&config, names)?,
    };
    let client = HttpClient::default();
    let connected = connect_each(&deployments).await;
    let results = if args.gate {
        let names = deployments.iter().map(|it| it.name.clone());
        gates(context, names.zip(connected), &client).await?
    } else {
        let scope = Scope::of(deployments.len());
        let round = |it: Answer<Connected>| round(it, client.clone(), scope);
        stream::iter(connected.into_iter().map(round)).buffered(AT_ONCE).collect().await
    };
    let code = ExitCode::worst(results.iter().map(exit_code));
    let is_one = deployments.len() == 1;
    let named = || deployments.iter().map(|it| it.name.as_str()).zip(&results);
    let shown = text::health(&named().collect::<Vec<_>>());
    let document = if is_one { results[0].clone() } else { together(named()) };
    drop(context.printer.result(&shown, &document));
    Ok(if context.interrupt.is_asked() { signal_exit_code() } else { code })
}

async fn round(connected: Answer<Connected>, client: HttpClient, scope: Scope) -> Value {
    let looked = async { health::round(&connected?, client, scope).await };
    looked.await.unwrap_or_else(|error| unknown(&error))
}

/// Side by side: each takes as long as it takes.
async fn gates(
    context: &Context,
    deployments: impl Iterator<Item = (String, Answer<Connected>)>,
    client: &HttpClient,
) -> Answer<Vec<Value>> {
    let (follower, events) = Follower::begin(context);
    let busy = Busy::begin();
    let one = |it: (String, Answer<Connected>)| gate(context, it, client.clone(), events.clone());
    let results = stream::iter(deployments.map(one)).buffered(AT_ONCE).collect().await;
    drop((busy, events));
    follower.end().await;
    Ok(results)
}

async fn gate(
    context: &Context,
    (deployment, connected): (String, Answer<Connected>),
    client: HttpClient,
    events: UnboundedSender<Event>,
) -> Value {
    let reporter = Reporter { sender: events, operation: execute::id(), deployment };
    let judged = async { health::gate(&connected?, client, &reporter, &context.interrupt).await };
    judged.await.unwrap_or_else(|error| unknown(&error))
}

/// An engine that cannot be asked says nothing about the service.
fn unknown(error: &CommandError) -> Value {
    json!({ "reason": error.message, "error": error.object() })
}

fn exit_code(result: &Value) -> ExitCode {
    match (result["healthy"].as_bool(), result["error"]["code"].as_str()) {
        (Some(true), _) => ExitCode::Done,
        (Some(false), _) => ExitCode::Failed,
        (None, Some("usage" | "config_invalid")) => ExitCode::Usage,
        (None, _) => ExitCode::Unknown,
    }
}

/// All are well, or one is not, or it is not known.
fn together<'a>(results: impl Iterator<Item = (&'a str, &'a Value)>) -> Value {
    let deployments: Map<String, Value> =
        results.map(|(name, result)| (name.to_owned(), result.clone())).collect();
    let mut document = Map::new();
    let verdicts: Vec<Option<bool>> =
        deployments.values().map(|it| it["healthy"].as_bool()).collect();
    if verdicts.contains(&Some(false)) {
        document.insert("healthy".to_owned(), json!(false));
    } else if verdicts.iter().all(|it| *it == Some(true)) {
        document.insert("healthy".to_owned(), json!(true));
    }
    document.insert("deployments".to_owned(), Value::Object(deployments));
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_one_that_is_ill_or_unknown_decides() {
        let (well, ill, unknown) = (json!({"healthy": true}), json!({"healthy": false}), json!({}));
        let of = |all: &[&Value]| {
            together(
                all.iter()
                    .map(|it| ("", *it))
                    .enumerate()
                    .map(|(at, it)| (["a", "b", "c"][at], it.1)),
            )["healthy"]
                .clone()
        };
        assert_eq!(of(&[&well, &well]), json!(true));
        assert_eq!(of(&[&well, &unknown]), Value::Null);
        assert_eq!(of(&[&well, &unknown, &ill]), json!(false));
    }

    #[test]
    fn what_cannot_be_asked_is_neither_well_nor_ill() {
        assert_eq!(exit_code(&json!({"healthy": false})), ExitCode::Failed);
        assert_eq!(exit_code(&json!({"error": {"code": "engine_unreachable"}})), ExitCode::Unknown);
    }
}
