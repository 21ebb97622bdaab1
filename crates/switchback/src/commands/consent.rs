//! Asks before a change that cuts no session: what is taken over, given back, or cleared away.

use crate::{
    confirm::{self, How, Refusal, Situation},
    context::{Asking, Context},
    error::CommandError,
    operate::Answer,
};

/// Goes on, or refuses: without a terminal and without `-y` nothing is changed.
pub(super) fn agree(context: &Context, facts: &[String], question: &str) -> Answer<()> {
    let situation = Situation {
        yes: context.assumes_yes(),
        terminal: context.printer.can_ask(),
        has_changes: true,
        data: confirm::Data::Safe,
    };
    let refused = match confirm::how(situation) {
        How::Proceed => return Ok(()),
        How::Refuse(refusal) => refusal,
        How::Ask => {
            for fact in facts {
                context.printer.before_question(fact);
            }
            let _asking = Asking::begin();
            match tokio::task::block_in_place(|| confirm::ask_on_terminal(question)) {
                Ok(confirm::Answer::Yes) => return Ok(()),
                Ok(confirm::Answer::No) | Err(_) => Refusal::Declined,
            }
        }
    };
    Err(CommandError::new(refused.code(), refused.to_string()).hint(refused.hint()))
}

/// The result of a change that did not come about.
pub(super) fn failed(deployment: &str, action: &str, error: &CommandError) -> serde_json::Value {
    use crate::{exit_code::ExitCode, operate::result::without_transaction};
    let outcome = match error.exit_code() {
        ExitCode::Refused => "refused",
        ExitCode::Stuck => "stuck",
        _ => "failed",
    };
    without_transaction(deployment, action, outcome, Some(error))
}

/// What several results are worth; one that never came about is worth its error.
pub(super) fn worth(results: &[serde_json::Value]) -> crate::exit_code::ExitCode {
    use crate::exit_code::ExitCode;
    ExitCode::worst(results.iter().map(|it| {
        match it.pointer("/error/code").and_then(serde_json::Value::as_str) {
            Some(code) => ExitCode::of_error(code),
            None => ExitCode::of_result(it),
        }
    }))
}
