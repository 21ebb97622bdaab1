//! What is skipped, and why.

use jiff::Timestamp;
use serde_json::Value;

use super::facts::{list, name, word};
use crate::display::table::Table;
use crate::display::text;

/// The text of the document of `quarantine`, read at `now`.
pub fn quarantine(document: &Value, now: Timestamp) -> String {
    let entries = list(document, "quarantine");
    let name = name(document);
    if entries.is_empty() {
        return format!("Nothing is skipped for {name}\n");
    }
    let mut table = Table::new(&["VERSION", "SINCE", "RUN AS", "REASON"]);
    for entry in entries {
        let version = word(entry, "version").map(text::version).unwrap_or_default();
        let since = word(entry, "added_at").map(|at| text::ago_of(at, now)).unwrap_or_default();
        let run = if entry.get("specification").is_some() { "it was tried" } else { "anything" };
        let reason = word(entry, "reason").map(text::brief).unwrap_or_default();
        table.push(vec![version, since, run.to_owned(), reason]);
    }
    let next = super::next(&format!("switchback quarantine {name} clear VERSION"));
    table.render() + &next
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_version_has_its_reason_and_the_list_a_way_out() {
        let document = json!({"deployment": "web", "quarantine": [
            {"version": format!("sha256:{}", "a".repeat(64)), "specification": "f00d",
             "reason": "it ended with exit code 3", "added_at": "2026-01-10T11:57:00Z"},
            {"version": format!("sha256:{}", "b".repeat(64)), "reason": "by hand",
             "added_at": "2026-01-08T12:00:00Z"},
        ]});
        let now = "2026-01-10T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!(quarantine(&document, now), @r"
        VERSION        SINCE        RUN AS         REASON
        aaaaaaaaaaaa   3 min ago    it was tried   it ended with exit code 3
        bbbbbbbbbbbb   2 days ago   anything       by hand
        Next: switchback quarantine web clear VERSION
        ");
        let none = json!({"deployment": "web", "quarantine": []});
        assert_eq!(quarantine(&none, now), "Nothing is skipped for web\n");
    }
}
