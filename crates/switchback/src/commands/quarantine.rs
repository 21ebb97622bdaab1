//! `quarantine`: what is skipped, and why; by hand too.

use serde_json::{Value, json};
use switchback_core::release::Rejected;
use switchback_targets::{
    container::decisions::Decisions,
    registry::{Platform, Reference},
};

use crate::{
    cli::{QuarantineArgs, QuarantineVerb},
    config::Deployment,
    context::{Busy, Context, only},
    display::result as text,
    error::CommandError,
    exit_code::ExitCode,
    operate::{
        Answer, Request,
        connect::{Connected, connect, refuse_other_engine},
        decisions,
        look::time,
        now,
    },
    store::{Quarantined, Store},
};

/// Fewer digits of a digest than this are a slip of the keyboard.
const DIGITS_MIN: usize = 4;

/// `switchback quarantine`
pub(super) async fn quarantine(context: &Context, args: QuarantineArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let deployment = only(&config, args.name.as_deref())?;
    let store = context.store(Some(&config))?;
    let name = &deployment.name;
    match (args.verb, &args.reference) {
        (None, _) => {}
        (Some(QuarantineVerb::Add), None) => {
            return Err(CommandError::new("usage", "what is to be skipped? A digest or a tag")
                .hint(format!("switchback show {name}   # lists versions; then: switchback quarantine {name} add VERSION")));
        }
        (Some(QuarantineVerb::Add), Some(reference)) => {
            let version = resolved(context, deployment, reference).await?;
            let (specification, reason, at) = (String::new(), "by hand".to_owned(), now());
            let rejected = Rejected { version, specification, reason, at };
            change(context, &store, deployment, |it| it.reject(rejected.clone())).await?;
        }
        (Some(QuarantineVerb::Clear), None) => {
            change(context, &store, deployment, |it| clear(it, None)).await?;
        }
        (Some(QuarantineVerb::Clear), Some(reference)) => {
            let list = store.quarantine(name)?;
            let version = match named(&list, reference, name)? {
                Some(version) => version,
                None => resolved(context, deployment, reference).await?,
            };
            if list.iter().all(|it| it.version != version) {
                let message = format!("{reference} is not in the quarantine of {name}");
                return Err(CommandError::new("not_found", message)
                    .hint(format!("switchback quarantine {name}")));
            }
            change(context, &store, deployment, |it| clear(it, Some(&version))).await?;
        }
    }
    let document = json!({ "deployment": name, "quarantine": listed(&store, name)? });
    let shown = text::quarantine(&document, jiff::Timestamp::now());
    drop(context.printer.result(&shown, &document));
    Ok(ExitCode::Done)
}

/// Changes what is skipped, with the target and here. Of a target that was never taken over nothing
/// need be known there, so its engine need not answer.
async fn change(
    context: &Context,
    store: &Store,
    deployment: &Deployment,
    change: impl Fn(&mut Decisions),
) -> Answer<()> {
    let is_ours =
        store.deployment(&deployment.name)?.is_some_and(|it| it.current_release.is_some());
    let connected = match connect(deployment).await {
        Ok(connected) => connected,
        Err(_) if !is_ours => return decisions::change_here(store, &deployment.name, change),
        Err(error) => return Err(error),
    };
    refuse_other_engine(store, &connected)?;
    let (sender, _nobody) = tokio::sync::mpsc::unbounded_channel();
    let around = context.surroundings(store, sender)?;
    let request = Request { lock_timeout_ms: context.lock_timeout_ms()?, ..Request::default() };
    let _busy = Busy::begin();
    decisions::change(&around, &connected, &request, change).await
}

fn clear(decisions: &mut Decisions, version: Option<&str>) {
    let _how_many = decisions.clear(version);
}

/// What is set aside for a deployment, as `show` and `quarantine` list it.
pub(super) fn listed(store: &Store, name: &str) -> Answer<Value> {
    let entry = |it: &Quarantined| {
        let mut object =
            json!({ "version": it.version, "reason": it.reason, "added_at": time(it.added_at) });
        if let Some(fingerprint) = &it.spec_fingerprint {
            object["specification"] = json!(fingerprint);
        }
        object
    };
    Ok(store.quarantine(name)?.iter().map(entry).collect())
}

/// The one version of the list that a (shortened) digest stands for.
fn named(list: &[Quarantined], reference: &str, name: &str) -> Answer<Option<String>> {
    let digits = |text: &str| text.strip_prefix("sha256:").unwrap_or(text).to_owned();
    let wanted = digits(reference.rsplit('@').next().unwrap_or(reference));
    if wanted.len() < DIGITS_MIN || !wanted.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let mut found: Vec<&str> = list
        .iter()
        .map(|it| it.version.as_str())
        .filter(|it| digits(it).starts_with(&wanted))
        .collect();
    found.dedup();
    match found.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).to_owned())),
        several => Err(CommandError::new(
            "usage",
            format!("{reference} may be any of {}", several.join(", ")),
        )
        .hint(format!("switchback quarantine {name}"))),
    }
}

/// The digest that a reference stands for: itself, or what the registry says.
async fn resolved(context: &Context, deployment: &Deployment, reference: &str) -> Answer<String> {
    let bare = reference.rsplit('@').next().unwrap_or(reference);
    if is_digest(bare) {
        return Ok(bare.to_owned());
    }
    let connected = connect(deployment).await?;
    let followed = followed(&connected).await?;
    let wanted = crate::operate::prepare::named(reference, followed.as_deref());
    let wanted: Reference = wanted.parse()?;
    let facts = connected.engine.facts();
    let platform = Platform::new(&facts.os, &facts.architecture, None);
    Ok(context.registry()?.resolve(&wanted, &platform).await?.digest().to_owned())
}

fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|it| it.is_ascii_hexdigit())
}

/// The image that a tag is a tag of.
async fn followed(connected: &Connected) -> Answer<Option<String>> {
    let inspect = connected.engine.container(connected.target()).await?;
    let state = connected.kept().await?.state;
    Ok(decisions::followed(&connected.settings, state.as_ref(), inspect.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: &str) -> Quarantined {
        Quarantined {
            deployment: "web".into(),
            version: version.into(),
            spec_fingerprint: None,
            reason: "it ended".into(),
            added_at: 1,
        }
    }

    #[test]
    fn a_shortened_digest_names_the_one_entry_that_begins_so() {
        let list = [entry("sha256:abcdef01"), entry("sha256:abcdef01"), entry("sha256:abce9999")];
        let named = |it: &str| named(&list, it, "web");
        assert_eq!(named("abcdef"), Ok(Some("sha256:abcdef01".into())));
        assert_eq!(named("sha256:abce"), Ok(Some("sha256:abce9999".into())));
        assert_eq!(named("1.4.2"), Ok(None));
        assert_eq!(named("abc"), Ok(None), "three digits are too few");
        let list = [entry("sha256:abcdef01"), entry("sha256:abcdef02")];
        assert_eq!(super::named(&list, "abcdef", "web").unwrap_err().code, "usage");
    }
}
