//! Whether a change may go on: decided from the facts, and asked of a person where one is there.

use std::io::{self, BufRead, Write};

use crate::exit_code::ExitCode;

/// What the data of a target faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Nothing is lost for certain.
    Safe,
    /// Some of it will be lost.
    AtRisk,
    /// Some of it will be lost, and `--accept-loss` was given.
    LossAccepted,
}

/// All that the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// `-y` was given.
    pub yes: bool,
    /// A person can be asked: standard input and standard error are terminals.
    pub terminal: bool,
    /// The plan is not empty.
    pub has_changes: bool,
    /// What becomes of the data.
    pub data: Data,
}

/// What to do before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Go on.
    Proceed,
    /// Ask first.
    Ask,
    /// Change nothing.
    Refuse(Refusal),
}

/// Why nothing may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody can be asked, and nobody agreed beforehand.
    #[error("this changes something and there is no terminal on which to ask")]
    ConfirmationRequired,
    /// Data would be lost. `-y` does not cover that, and neither does an answer typed in passing.
    #[error("this loses data for certain")]
    DataAtRisk,
    /// A person said no.
    #[error("declined")]
    Declined,
}

impl Refusal {
    /// The stable word for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ConfirmationRequired => "confirmation_required",
            Self::DataAtRisk => "data_at_risk",
            Self::Declined => "declined",
        }
    }

    /// What to do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::ConfirmationRequired => "run the same command with --yes",
            Self::DataAtRisk => "read the plan, then run the same command with --accept-loss",
            Self::Declined => "run the same command again to be asked again",
        }
    }

    /// The exit code of the command.
    pub const fn exit_code(self) -> ExitCode {
        ExitCode::Refused
    }
}

/// What to do before a change.
pub const fn how(situation: Situation) -> How {
    match situation {
        Situation { has_changes: false, .. } => How::Proceed,
        Situation { data: Data::AtRisk, .. } => How::Refuse(Refusal::DataAtRisk),
        Situation { yes: true, .. } => How::Proceed,
        Situation { terminal: true, .. } => How::Ask,
        Situation { .. } => How::Refuse(Refusal::ConfirmationRequired),
    }
}

/// What a person answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Yes,
    /// Leave everything as it is. Enter alone means this too.
    No,
}

/// The longest line that is read as an answer; whoever sends more is not a person.
const ANSWER_BYTES_MAX: u64 = 256;

/// Asks on the terminal of this process. It blocks until a line comes, so it belongs on a thread
/// that may block; Ctrl-C does what it does to any program.
///
/// The question is a plain line on purpose. Prompt libraries hide the cursor and read key by key,
/// and a Ctrl-C at the wrong moment leaves the terminal so.
pub fn ask_on_terminal(question: &str) -> io::Result<Answer> {
    ask(question, &mut io::stdin().lock(), &mut io::stderr().lock())
}

/// Asks by one line and reads one line. The end of the input means no.
pub fn ask(
    question: &str,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<Answer> {
    write!(output, "{question} [y/N] ")?;
    output.flush()?;
    let mut line = String::new();
    io::Read::take(input, ANSWER_BYTES_MAX).read_line(&mut line)?;
    if line.is_empty() {
        writeln!(output)?;
    }
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(Answer::Yes),
        _ => Ok(Answer::No),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUTIOUS: Situation =
        Situation { yes: false, terminal: false, has_changes: true, data: Data::Safe };

    #[test]
    fn without_a_terminal_and_without_yes_a_change_is_refused_with_exit_3() {
        assert_eq!(how(CAUTIOUS), How::Refuse(Refusal::ConfirmationRequired));
        assert_eq!(Refusal::ConfirmationRequired.code(), "confirmation_required");
        assert_eq!(Refusal::ConfirmationRequired.exit_code().number(), 3);
    }

    #[test]
    fn a_plan_that_changes_nothing_needs_no_consent() {
        assert_eq!(how(Situation { has_changes: false, ..CAUTIOUS }), How::Proceed);
        let at_risk = Situation { has_changes: false, data: Data::AtRisk, ..CAUTIOUS };
        assert_eq!(how(at_risk), How::Proceed);
    }

    #[test]
    fn a_person_at_a_terminal_is_asked_unless_they_said_yes_before() {
        assert_eq!(how(Situation { terminal: true, ..CAUTIOUS }), How::Ask);
        assert_eq!(how(Situation { terminal: true, yes: true, ..CAUTIOUS }), How::Proceed);
    }

    #[test]
    fn yes_never_accepts_a_loss_of_data() {
        for terminal in [false, true] {
            for yes in [false, true] {
                let situation = Situation { yes, terminal, data: Data::AtRisk, ..CAUTIOUS };
                assert_eq!(how(situation), How::Refuse(Refusal::DataAtRisk));
            }
        }
    }

    #[test]
    fn accepting_the_loss_is_not_saying_yes() {
        let accepted = Situation { data: Data::LossAccepted, ..CAUTIOUS };
        assert_eq!(how(accepted), How::Refuse(Refusal::ConfirmationRequired));
        assert_eq!(how(Situation { yes: true, ..accepted }), How::Proceed);
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        let answer = |typed: &str| {
            let mut shown = Vec::new();
            let answer = ask("Continue?", &mut typed.as_bytes(), &mut shown).unwrap();
            assert!(shown.starts_with(b"Continue? [y/N] "));
            answer
        };
        for typed in ["y\n", "Y\n", "yes\n", " yes \n"] {
            assert_eq!(answer(typed), Answer::Yes, "{typed:?}");
        }
        for typed in ["n\n", "\n", "", "yess\n", "no\n", "sure\n"] {
            assert_eq!(answer(typed), Answer::No, "{typed:?}");
        }
    }
}
