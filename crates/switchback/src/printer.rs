//! The one place that decides how loud and how colourful we are, and on which stream.
//!
//! Standard output carries results and nothing else; progress, warnings and notices go to standard
//! error. Everything is written through handles, so that a test can read along.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::Value;

use crate::display::{self, Display};
use crate::exit_code::ExitCode;

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

/// A handle that several writers share. A reader that went away is not an error: whoever pipes
/// into `head` has seen what they wanted.
#[derive(Clone)]
pub struct Stream {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    /// What redraws itself on the same terminal, and has to step aside for a moment.
    live: Option<MultiProgress>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl Stream {
    /// A stream onto that writer.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Arc::new(Mutex::new(Box::new(writer))), live: None }
    }

    /// Writes and flushes; what fails for another reason than a closed pipe is returned.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let write = || {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.write_all(text.as_bytes()).and_then(|()| writer.flush())
        };
        let written = match &self.live {
            Some(live) => live.suspend(write),
            None => write(),
        };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes a line of progress or warning. Should even standard error be unwritable, there is
    /// nobody left to tell, and the operation is worth more than its display.
    pub fn line(&self, line: &str) {
        let _unwritable = self.write(&format!("{line}\n"));
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

    /// Prints to those streams, as if they were in those surroundings.
    pub fn new(
        wishes: Wishes,
        surroundings: Surroundings,
        mut stdout: Stream,
        mut stderr: Stream,
    ) -> Self {
        let mut printer = Self { wishes, surroundings, stdout: stdout.clone(), stderr, live: None };
        if printer.may_redraw() {
            let live = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            stderr = Stream { live: Some(live.clone()), ..printer.stderr };
            stdout.live = Some(live.clone());
            printer = Self { stdout, stderr, live: Some(live), ..printer };
        }
        printer
    }

    /// Whether standard error may carry escape sequences: colours, and the cursor moving.
    pub fn escapes(&self) -> bool {
        self.surroundings.stderr_is_terminal
            && !self.surroundings.plain
            && self.wishes.colors == Colors::Auto
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

    /// With `--verbose` the log is on the same stream, and a display that redraws would tear it.
    fn may_redraw(&self) -> bool {
        self.escapes()
            && !self.wishes.quiet
            && !self.wishes.verbose
            && self.wishes.output != Output::Ndjson
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
        match self.wishes.output {
            Output::Text => self.stdout.write(text),
            Output::Json => self.stdout.write(&format!("{document:#}\n")),
            Output::Ndjson => self.stdout.write(&format!("{document}\n")),
        }
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
        match text.strip_prefix(word) {
            Some(rest) if self.escapes() => {
                format!("{}{rest}", style.force_styling(true).apply_to(word))
            }
            _ => text.to_owned(),
        }
    }
}

/// What a test reads of a stream.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    pub(crate) fn stream(&self) -> Stream {
        Stream::new(self.clone())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
    fn a_reader_that_went_away_is_not_an_error_but_a_full_disk_is() {
        struct Fails(ErrorKind);
        impl Write for Fails {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let write = |kind| Stream::new(Fails(kind)).write("x");
        assert!(write(ErrorKind::BrokenPipe).is_ok());
        assert_eq!(write(ErrorKind::StorageFull).unwrap_err().kind(), ErrorKind::StorageFull);
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
