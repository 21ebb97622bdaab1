//! `forget`: gives back what was taken over.

use serde_json::json;
use switchback_targets::container::settings::key_of;

use super::{consent, follow::Follower};
use crate::{
    cli::ForgetArgs,
    context::{Busy, Context, only},
    exit_code::ExitCode,
    operate::{Answer, Request, connect, drive, forget as give, result::without_transaction},
};

/// `switchback forget`
pub(super) async fn forget(context: &Context, args: ForgetArgs) -> Answer<ExitCode> {
    let config = context.config()?;
    let deployment = only(&config, args.name.as_deref())?;
    let name = &deployment.name;
    let store = context.store(Some(&config))?;
    let (follower, events) = Follower::begin(context);
    let around = context.surroundings(&store, events)?;
    let busy = Busy::begin();
    let request = Request { lock_timeout_ms: context.lock_timeout_ms()?, ..Request::default() };
    let work = async {
        let connected = connect::connect(deployment).await?;
        let kept = connected.kept().await?;
        connect::refuse_strangers(kept.state.as_ref(), store.id(), name)?;
        let leaving = give::survey(&around, &connected, &kept).await?;
        if !leaving.has_changes(args.purge) {
            let mut nothing = without_transaction(name, "forget", "skipped", None);
            nothing["warnings"] = json!([format!("{name} was not taken over by anybody")]);
            return Ok(nothing);
        }
        let question = if args.purge {
            "Forget it, with everything that was kept of it?"
        } else {
            "Forget it?"
        };
        consent::agree(context, &leaving.explanation(name, args.purge), question)?;
        let kept = drive::settled(&around, &connected, &request, kept, &follower, false).await?;
        let leaving = give::survey(&around, &connected, &kept).await?;
        let mut document =
            give::forget(&around, &connected, &request, &leaving, args.purge).await?;
        let file = config.location.path.display();
        let mut warnings = vec![format!(
            "{name} stays in {file}: the next update takes it over again   (to fix, run: switchback config unset {})",
            key_of(name, "")
        )];
        if document["left"].as_array().is_some_and(|it| !it.is_empty()) {
            warnings.push(format!("what is left goes with: switchback forget {name} --purge"));
        }
        document["warnings"] = json!(warnings);
        Ok(document)
    };
    let done = work.await;
    drop((around, busy));
    follower.end().await;
    let document = done.unwrap_or_else(|error| consent::failed(name, "forget", &error));
    drop(context.printer.operation(&document));
    Ok(consent::worth(std::slice::from_ref(&document)))
}
