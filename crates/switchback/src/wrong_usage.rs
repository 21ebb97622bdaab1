//! Words of the command line that make no sense, told in the form that was asked for.

use crate::{error::CommandError, printer::Output};

/// The form of the output that these words ask for, though as a whole they make no sense.
/// `variable` is the value of `SWITCHBACK_OUTPUT`.
pub fn wanted_output(words: impl IntoIterator<Item = String>, variable: Option<&str>) -> Output {
    let mut form = variable.map(str::to_owned);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "-o" || word == "--output" {
            form = words.next();
        } else if let Some(joined) = word.strip_prefix("--output=") {
            form = Some(joined.to_owned());
        } else if let Some(joined) = word.strip_prefix("-o") {
            form = Some(joined.trim_start_matches('=').to_owned());
        }
    }
    match form.as_deref() {
        Some("json") => Output::Json,
        Some("ndjson") => Output::Ndjson,
        _ => Output::Text,
    }
}

/// The parser's report as an error of ours: its first paragraph, without the advice after it.
pub fn error(report: &clap::Error) -> CommandError {
    let text = report.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let lines: Vec<&str> = first.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let message = lines.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    CommandError::new("usage", message).hint("switchback --help")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn asked(words: &[&str], variable: Option<&str>) -> Output {
        wanted_output(words.iter().map(|it| (*it).to_owned()), variable)
    }

    #[test]
    fn the_form_is_found_however_it_is_asked_for() {
        for words in [&["-o", "json"][..], &["-ojson"], &["--output", "json"], &["--output=json"]] {
            assert_eq!(asked(words, None), Output::Json, "{words:?}");
        }
        assert_eq!(asked(&["update"], Some("ndjson")), Output::Ndjson);
        assert_eq!(asked(&["-o", "text"], Some("json")), Output::Text);
        assert_eq!(asked(&["-o", "yaml"], None), Output::Text);
        assert_eq!(asked(&["-o"], None), Output::Text);
    }

    #[test]
    fn wrong_usage_is_an_error_of_one_line() {
        let report = Cli::try_parse_from(["switchback", "update", "--imagine"]).unwrap_err();
        let error = error(&report);
        assert_eq!(error.code, "usage");
        assert_eq!(error.message, "unexpected argument '--imagine' found");
    }
}
