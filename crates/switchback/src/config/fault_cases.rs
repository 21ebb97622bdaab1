//! One file for each rule. Other tests can include the same texts and run the printed commands.

/// A configuration, the field it is reported at, and a piece of what is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) text: &'static str,
    pub(crate) field: &'static str,
    pub(crate) says: &'static str,
}

/// Files with a mistake.
pub(crate) fn faults() -> Vec<Case> {
    cases(include_str!("faults.txt"))
}

/// Right files with a warning.
pub(crate) fn warnings() -> Vec<Case> {
    cases(include_str!("warnings.txt"))
}

/// Each case begins with a line `#: FIELD | PIECE`; what follows is the file.
fn cases(all: &'static str) -> Vec<Case> {
    let case = |block: &'static str| {
        let (head, text) = block.split_once('\n')?;
        let (field, says) = head.split_once(" | ")?;
        Some(Case { text, field, says })
    };
    all.split("#: ")
        .filter(|block| !block.is_empty())
        .map(|block| case(block).expect(block))
        .collect()
}
