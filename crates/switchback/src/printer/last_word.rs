//! What stands in place of a result where the process ends at once.

use serde_json::Value;

use super::{Output, Printer};

/// What a program that reads along has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Said {
    /// No result yet.
    #[default]
    Nothing,
    /// A result.
    Result,
    /// That there will be none.
    LastWord,
}

/// How long the last word waits for a result that is being written, to a reader who may never take it.
const LAST_WORD_TRIES: u32 = 50;
const LAST_WORD_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

impl Printer {
    /// Says why there will be no result, for whoever is about to end the process at once; programs get
    /// a document in its place, unless they have one. Nothing is printed as a result after it.
    pub fn last_word(&self, error: &Value) {
        self.clear_terminal();
        if self.wishes.output == Output::Text {
            return drop(self.error(error));
        }
        for _ in 0..LAST_WORD_TRIES {
            if let Ok(mut said) = self.said.try_lock() {
                if *said == Said::Nothing {
                    drop(self.write_document(error));
                }
                *said = Said::LastWord;
                return;
            }
            std::thread::sleep(LAST_WORD_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::printer::{Captured, Surroundings, Wishes};

    const PIPE: Surroundings =
        Surroundings { stdin_is_terminal: false, stderr_is_terminal: false, plain: false };

    #[test]
    fn whoever_leaves_at_once_leaves_one_document() {
        for (has_result, code) in [(false, json!("interrupted")), (true, Value::Null)] {
            let (stdout, stderr) = (Captured::default(), Captured::default());
            let wishes = Wishes { output: Output::Json, ..Wishes::default() };
            let printer = Printer::new(wishes, PIPE, stdout.stream(), stderr.stream());
            let result = json!({"deployment": "web", "outcome": "committed"});
            if has_result {
                printer.operation(&result).unwrap();
            }
            printer.clone().last_word(&json!({"error": {"code": "interrupted"}}));
            printer.operation(&result).unwrap();
            let document: Value = serde_json::from_str(&stdout.text()).unwrap();
            assert_eq!(document["error"]["code"], code);
        }
    }
}
