//! The one place that decides how loud and how colourful we are, and on which stream.
//!
//! Standard output carries results and nothing else; progress, warnings and notices go to standard
//! error. Everything is written through handles, so that a test can read along.

mod last_word;
mod stream;

use std::{
    borrow::Cow,
    io::{self, IsTerminal},
    sync::{Arc, Mutex, PoisonError},
};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::Value;

use crate::display::{self, Display, typed};
use crate::exit_code::ExitCode;

use last_word::Said;
#[cfg(test)]
pub(crate) use stream::Captured;
pub use stream::Stream;

/// The form of what a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document on standard output.
    Json,
    /// One event a line, and the document last.
    Ndjson,
}

/// Whether terminals get colours and lines that redraw themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colors {
    /// Where the terminal can and nobody objects.
    #[default]
    Auto,
    /// Never, as `--no-color` says.
    Never,
}

/// What the person who typed the command asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    /// The form of the output.
    pub output: Output,
    /// Only errors, and results that were asked for.
    pub quiet: bool,
    /// Times, phases and every probe.
    pub verbose: bool,
    /// Colours.
    pub colors: Colors,
}

/// What surrounds the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// Somebody can answer: standard input is a terminal.
    pub stdin_is_terminal: bool,
    /// Somebody watches: standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// `NO_COLOR` is set and not empty, or `TERM` is `dumb` or not set at all.
    pub plain: bool,
}

impl Surroundings {
    /// Looks at this process.
    pub fn of_this_process() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            stdin_is_terminal: io::stdin().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            plain: variable("NO_COLOR").is_some()
                || variable("TERM").is_none_or(|terminal| terminal == "dumb"),
        }
    }
}

/// Prints what a command has to say.
#[derive(Debug, Clone)]
pub struct Printer {
    wishes: Wishes,
    surroundings: Surroundings,
    stdout: Stream,
    stderr: Stream,
    live: Option<MultiProgress>,
    /// Held while a result is written, and shared by all clones.
    said: Arc<Mutex<Said>>,
}

impl Printer {
    /// Prints to the streams of this process.
    pub fn standard(wishes: Wishes) -> Self {
        Self::new(
            wishes,
            Surroundings::of_this_process(),
            Stream::new(io::stdout()),
            Stream::new(io::stderr()),
        )
    }

    /// Prints to those streams, as if they were in those surroundings. A display that redraws
    /// itself needs the terminal behind standard error, and goes there.
    pub fn new(wishes: Wishes, surroundings: Surroundings, stdout: Stream, stderr: Stream) -> Self {
        let live = may_redraw(wishes, surroundings)
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        let beside = |stream: Stream| match &live {
            Some(live) => stream.beside(live),
            None => stream,
        };
        let (stdout, stderr) = (beside(stdout), beside(stderr));
        Self { wishes, surroundings, stdout, stderr, live, said: Arc::default() }
    }

    /// Whether standard error may carry escape sequences: colours, and the cursor moving.
    pub fn escapes(&self) -> bool {
        may_escape(self.wishes, self.surroundings)
    }

    /// Whether a person can be asked.
    pub fn can_ask(&self) -> bool {
        self.surroundings.stdin_is_terminal && self.surroundings.stderr_is_terminal
    }

    /// Whether a notice about something other than the command is welcome: not in scripts.
    pub fn welcomes_notices(&self) -> bool {
        self.surroundings.stderr_is_terminal
            && !self.wishes.quiet
            && self.wishes.output == Output::Text
    }

    /// The form of the output.
    pub fn output(&self) -> Output {
        self.wishes.output
    }

    /// Whether nobody reads standard output any more: the end of what would go on for ever.
    pub fn is_unread(&self) -> bool {
        self.stdout.is_closed()
    }

    /// Standard error, for the log.
    pub fn log(&self) -> Stream {
        self.stderr.clone()
    }

    /// Takes off the terminal whatever redraws itself there. For whoever ends the process without
    /// dropping the display.
    pub fn clear_terminal(&self) {
        if let Some(live) = &self.live {
            let _unwritable = live.clear();
        }
    }

    /// What shows the events of operations.
    pub fn display(&self) -> Display {
        match (&self.live, self.wishes) {
            (_, Wishes { output: Output::Ndjson, .. }) => Display::ndjson(self.stdout.clone()),
            (_, Wishes { quiet: true, .. }) => Display::Silent,
            (Some(live), _) => Display::live(live.clone(), self.escapes()),
            (None, wishes) => Display::lines(self.stderr.clone(), wishes.verbose),
        }
    }

    /// Prints the result of a command: the text for people, or the document.
    pub fn result(&self, text: &str, document: &Value) -> io::Result<()> {
        self.result_by(|| text.into(), || Cow::Borrowed(document))
    }

    /// The same of what is large: only what is printed is made.
    pub fn result_by<'a>(
        &self,
        text: impl FnOnce() -> Cow<'a, str>,
        document: impl FnOnce() -> Cow<'a, Value>,
    ) -> io::Result<()> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said == Said::LastWord {
            return Ok(());
        }
        *said = Said::Result;
        match self.wishes.output {
            Output::Text => self.stdout.write(&text()),
            Output::Json | Output::Ndjson => self.write_document(&document()),
        }
    }

    /// In the form that was asked for; for people there is none.
    fn write_document(&self, document: &Value) -> io::Result<()> {
        match self.wishes.output {
            Output::Text => Ok(()),
            Output::Json => self.stdout.write(&format!("{:#}\n", typed::in_document(document))),
            Output::Ndjson => self.stdout.write(&format!("{}\n", typed::in_document(document))),
        }
    }

    /// Prints what another program reads as it is, whatever the form of the output.
    pub fn script(&self, text: &str) -> io::Result<()> {
        self.stdout.write(text)
    }

    /// Prints what became of operations. With `--quiet` a success has no words, so that a timer
    /// which mails whatever was said mails nothing.
    pub fn operation(&self, document: &Value) -> io::Result<()> {
        let succeeded = ExitCode::of_result(document) == ExitCode::Done;
        if self.wishes.quiet && succeeded && self.wishes.output == Output::Text {
            return Ok(());
        }
        self.result(&display::result::operation_result(document), document)
    }

    /// Prints an error where there is no result: `document` is `{"error":{…}}`. For people it
    /// goes to standard error; for programs it takes the place of the result.
    pub fn error(&self, document: &Value) -> io::Result<()> {
        if self.wishes.output != Output::Text {
            return self.result("", document);
        }
        let text = display::error::error(document);
        self.stderr.write(&self.emphasize(&text, "Error:", console::Style::new().red().bold()))
    }

    /// Prints a warning on standard error, unless only errors are wanted.
    pub fn warning(&self, message: &str) {
        let text = format!("Warning: {}", display::text::brief(message));
        self.note(&self.emphasize(&text, "Warning:", console::Style::new().yellow()));
    }

    /// Prints a line on standard error, unless only errors are wanted.
    pub fn note(&self, line: &str) {
        if !self.wishes.quiet {
            self.stderr.line(line);
        }
    }

    /// Prints what a person has to know before they answer. They are about to be asked, so not
    /// even `--quiet` hides it.
    pub fn before_question(&self, line: &str) {
        self.stderr.line(line);
    }

    /// Colours the first word of a text, which says the same without the colour.
    fn emphasize(&self, text: &str, word: &str, style: console::Style) -> String {
        // The report about a configuration begins with an empty line.
        let text_begins = text.trim_start_matches('\n');
        let gap = &text[..text.len() - text_begins.len()];
        match text_begins.strip_prefix(word) {
            Some(rest) if self.escapes() => {
                format!("{gap}{}{rest}", style.force_styling(true).apply_to(word))
            }
            _ => text.to_owned(),
        }
    }
}

/// Colours and a moving cursor are for a terminal whose owner does not object.
fn may_escape(wishes: Wishes, surroundings: Surroundings) -> bool {
    surroundings.stderr_is_terminal && !surroundings.plain && wishes.colors == Colors::Auto
}

/// With `--verbose` the log is on the same stream, and whoever wants all of it wants it in order.
fn may_redraw(wishes: Wishes, surroundings: Surroundings) -> bool {
    may_escape(wishes, surroundings)
        && !wishes.quiet
        && !wishes.verbose
        && wishes.output != Output::Ndjson
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::script;
    use serde_json::json;

    const TERMINAL: Surroundings =
        Surroundings { stdin_is_terminal: true, stderr_is_terminal: true, plain: false };
    const PIPE: Surroundings =
        Surroundings { stdin_is_terminal: false, stderr_is_terminal: false, plain: false };

    /// Runs an update that commits, warns once, and returns what stood on both streams.
    fn run(wishes: Wishes, surroundings: Surroundings) -> (String, String) {
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let printer = Printer::new(wishes, surroundings, stdout.stream(), stderr.stream());
        let mut display = printer.display();
        for event in script::committed_update() {
            display.on_event(&event);
        }
        printer.warning("the disk is nearly full");
        let result = json!({"deployment": "web", "action": "update", "outcome": "committed"});
        printer.operation(&result).unwrap();
        (stdout.text(), stderr.text())
    }

    #[test]
    fn json_is_exactly_one_document_on_stdout_with_the_progress_beside_it() {
        let (stdout, stderr) = run(Wishes { output: Output::Json, ..Wishes::default() }, PIPE);
        let document: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(document["outcome"], "committed");
        assert!(stderr.contains("[update] Pulling latest image...\n"));
    }

    #[test]
    fn ndjson_is_one_event_a_line_and_the_document_last() {
        let (stdout, stderr) = run(Wishes { output: Output::Ndjson, ..Wishes::default() }, PIPE);
        let lines: Vec<Value> =
            stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), script::committed_update().len() + 1);
        assert_eq!(lines[0]["event"], "started");
        assert_eq!(lines.last().unwrap()["outcome"], "committed");
        assert_eq!(stderr, "Warning: the disk is nearly full\n");
    }

    #[test]
    fn quiet_says_nothing_of_a_success_and_everything_of_a_failure() {
        let quiet = Wishes { quiet: true, ..Wishes::default() };
        assert_eq!(run(quiet, TERMINAL), (String::new(), String::new()));

        let (stdout, stderr) = (Captured::default(), Captured::default());
        let printer = Printer::new(quiet, PIPE, stdout.stream(), stderr.stream());
        printer.operation(&json!({"deployment": "web", "outcome": "stuck"})).unwrap();
        printer.error(&json!({"error": {"code": "internal", "message": "boom"}})).unwrap();
        assert!(stdout.text().starts_with("Stuck: "));
        assert!(stderr.text().starts_with("Error: boom"));
    }

    #[test]
    fn no_escapes_without_a_terminal_or_where_somebody_objects() {
        let plain = Surroundings { plain: true, ..TERMINAL };
        let never = Wishes { colors: Colors::Never, ..Wishes::default() };
        for (wishes, surroundings) in
            [(Wishes::default(), PIPE), (Wishes::default(), plain), (never, TERMINAL)]
        {
            let (stdout, stderr) = run(wishes, surroundings);
            assert!(!(stdout + &stderr).contains('\u{1b}'));
            assert!(stderr.contains("[update] Pulling latest image..."));
        }
    }

    #[test]
    fn a_terminal_sees_the_word_in_colour_and_stdout_stays_plain() {
        let (stdout, stderr) = run(Wishes::default(), TERMINAL);
        assert!(stderr.contains("\u{1b}[33mWarning:\u{1b}[0m the disk"), "{stderr:?}");
        assert!(!stdout.contains('\u{1b}'));
    }

    #[test]
    fn an_error_takes_the_place_of_the_result_for_programs_only() {
        let document = json!({"error": {"code": "not_found", "message": "no deployment 'wbe'"}});
        let print = |output| {
            let (stdout, stderr) = (Captured::default(), Captured::default());
            let wishes = Wishes { output, ..Wishes::default() };
            let printer = Printer::new(wishes, PIPE, stdout.stream(), stderr.stream());
            printer.error(&document).unwrap();
            (stdout.text(), stderr.text())
        };
        assert_eq!(print(Output::Text), (String::new(), "Error: no deployment 'wbe'\n".into()));
        let (stdout, stderr) = print(Output::Json);
        assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), document);
        assert_eq!(stderr, "");
    }
}
