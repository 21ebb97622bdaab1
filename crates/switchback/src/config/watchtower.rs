//! What labels of a container say about updates: ours, and those of Watchtower.

use std::collections::BTreeMap;

use super::deployment::Updates;

/// What was read from labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UpdateLabels {
    /// Who updates it, if a label says so.
    pub(crate) updates: Option<Updates>,
    /// What has no counterpart here and should be known to whoever reads the file.
    pub(crate) remarks: Vec<String>,
}

/// `switchback.enable=false` is off, whatever else is said.
pub(crate) const OWN_LABEL: &str = "switchback.enable";
const WATCHTOWER: &str = "com.centurylinklabs.watchtower";
const HOOKS: &[&str] = &["pre-check", "pre-update", "post-update", "post-check"];

/// Translates labels. Watchtower's own default, updating everything by itself, is not taken over:
/// a person decides for `auto`.
pub(crate) fn update_labels(labels: &BTreeMap<String, String>) -> UpdateLabels {
    let watchtower = |name: &str| labels.get(&format!("{WATCHTOWER}.{name}")).map(String::as_str);
    let is = |value: Option<&str>, word: &str| {
        value.is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let mut found = UpdateLabels::default();
    if is(watchtower("monitor-only"), "true") {
        found.updates = Some(Updates::Manual);
        found.remarks.push("Watchtower only watched it".to_owned());
    }
    if is(watchtower("enable"), "true") && found.updates.is_none() {
        found
            .remarks
            .push("Watchtower updated it by itself; that is updates = \"auto\"".to_owned());
    }
    if is(watchtower("no-pull"), "true") {
        found.remarks.push("Watchtower pulled no image for it; an update here does".to_owned());
    }
    for hook in HOOKS {
        if let Some(command) = watchtower(&format!("lifecycle.{hook}")) {
            found.remarks.push(format!("Watchtower ran as {hook}: {command}"));
        }
    }
    for (name, meaning) in [
        ("stop-signal", "stopped it by"),
        ("depends-on", "restarted it with"),
        ("scope", "had it in the scope"),
    ] {
        if let Some(value) = watchtower(name) {
            found.remarks.push(format!("Watchtower {meaning} {value}"));
        }
    }
    if is(watchtower("enable"), "false") {
        found.updates = Some(Updates::Off);
        found.remarks.push("Watchtower passed it by".to_owned());
    }
    if is(labels.get(OWN_LABEL).map(String::as_str), "false") {
        found.updates = Some(Updates::Off);
        found.remarks.push(format!("its label {OWN_LABEL}=false always holds"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: &[(&str, &str)]) -> UpdateLabels {
        let pairs = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        update_labels(&pairs.collect())
    }

    #[test]
    fn what_watchtower_passed_by_stays_off() {
        let found = read(&[("com.centurylinklabs.watchtower.enable", "False")]);
        assert_eq!(found.updates, Some(Updates::Off));
    }

    #[test]
    fn what_watchtower_only_watched_is_manual_and_what_it_updated_is_left_to_a_person() {
        let watched = read(&[("com.centurylinklabs.watchtower.monitor-only", "true")]);
        assert_eq!(watched.updates, Some(Updates::Manual));
        let updated = read(&[("com.centurylinklabs.watchtower.enable", "true")]);
        assert_eq!(updated.updates, None);
        assert!(updated.remarks[0].contains("auto"));
    }

    #[test]
    fn hooks_are_named() {
        let found = read(&[("com.centurylinklabs.watchtower.lifecycle.pre-update", "/dump.sh")]);
        assert_eq!(found.remarks, ["Watchtower ran as pre-update: /dump.sh"]);
    }

    #[test]
    fn our_own_label_outranks_the_others() {
        let found = read(&[
            ("com.centurylinklabs.watchtower.monitor-only", "true"),
            ("switchback.enable", "false"),
        ]);
        assert_eq!(found.updates, Some(Updates::Off));
        assert_eq!(read(&[]), UpdateLabels::default());
    }
}
