//! Whether a registry has something newer than what runs. Pure: it compares digests, never names.

use super::error::RegistryError;
use super::platform::Platform;
use super::reference::Reference;
use super::resolve::Resolved;
use super::version_tag::names_fixed_version;

/// The image of a running container, as its engine describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalImage {
    /// `sha256:…`: the configuration's digest, or with the containerd image store the index's or
    /// manifest's.
    pub id: String,
    /// `repository@sha256:…`, of every repository it was pulled from or pushed to, in any order.
    pub repo_digests: Vec<String>,
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
    /// `v8`; empty where the engine says none.
    pub variant: String,
    /// The digests of the unpacked layers (`RootFS.Layers`). Empty: not known.
    pub layers: Vec<String>,
    /// The manifests for single platforms that the engine holds of it, where it says so (API 1.48
    /// and newer, containerd image store). Empty: not known.
    pub manifest_digests: Vec<String>,
}

impl LocalImage {
    /// For what it is made: the platform to resolve its successor for.
    pub fn platform(&self) -> Platform {
        Platform::new(&self.os, &self.architecture, Some(&self.variant))
    }

    fn digests(&self) -> impl Iterator<Item = &str> {
        let of_repositories =
            self.repo_digests.iter().filter_map(|text| Some(text.rsplit_once('@')?.1));
        of_repositories.chain(self.manifest_digests.iter().map(String::as_str))
    }

    /// Digests name content, whatever repository it came from: a mirror's count as well.
    fn is(&self, digest: &str) -> bool {
        self.id == digest || self.digests().any(|own| own == digest)
    }

    /// The containerd image store names an image by what a registry would call it.
    fn is_in_containerd_store(&self) -> bool {
        self.digests().any(|own| own == self.id)
    }
}

/// Whether there is something newer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detection {
    /// What runs is what the reference points to.
    UpToDate,
    /// The reference points to something else.
    Newer {
        /// What to pull: the index's digest, or the manifest's.
        digest: String,
    },
    /// The digests differ, which an index does whenever any platform in it changes: ask for what
    /// the reference means for [`LocalImage::platform`], and compare again.
    NeedsResolve,
    /// It cannot be said. Never applied, and never shown as success.
    Unknown {
        /// Why.
        reason: UnknownReason,
    },
}

/// Why it cannot be said whether there is something newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownReason {
    /// The reference names one fixed version, and that one runs: nothing newer can appear under it.
    Pinned,
    /// The image was built or loaded here, and was never in a registry.
    Local,
    /// The engine does not tell enough about its image to compare.
    NotComparable,
    /// The registry gave no answer; its error says more.
    Registry(&'static str),
}

impl UnknownReason {
    /// The word for `reason` beside the status `unknown`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Local => "local",
            Self::NotComparable => "not_comparable",
            Self::Registry(reason) => reason,
        }
    }
}

/// Compares what runs with what the registry has: `head` is the digest that the reference points to
/// (or why that is not known), `resolved` what that means for the local image's platform, if asked.
pub fn detect(
    reference: &Reference,
    local: &LocalImage,
    head: Result<&str, &RegistryError>,
    resolved: Option<&Resolved>,
) -> Detection {
    let head = match head {
        Ok(head) => head,
        Err(error) => return Detection::Unknown { reason: reason_of(local, error) },
    };
    if local.is(head) {
        return up_to_date(reference);
    }
    let Some(resolved) = resolved else {
        return Detection::NeedsResolve;
    };
    if local.is(&resolved.config_digest) || local.is(&resolved.manifest_digest) {
        return up_to_date(reference);
    }
    match compare(local, resolved) {
        None => Detection::Newer { digest: head.to_owned() },
        Some(reason) => Detection::Unknown { reason },
    }
}

/// Whether images without a digest in common can be told to differ. None: they do.
fn compare(local: &LocalImage, resolved: &Resolved) -> Option<UnknownReason> {
    if local.repo_digests.is_empty() {
        return Some(UnknownReason::Local);
    }
    // The classic store's id is the configuration's digest, and the engine's list of manifests is
    // complete: with either, another digest is another image.
    if !local.is_in_containerd_store() || !local.manifest_digests.is_empty() {
        return None;
    }
    let remote: Vec<&str> = resolved.config["rootfs"]["diff_ids"]
        .as_array()
        .map(|ids| ids.iter().filter_map(serde_json::Value::as_str).collect())
        .unwrap_or_default();
    let both_known = !local.layers.is_empty() && !remote.is_empty();
    let differ = both_known && local.layers.iter().map(String::as_str).ne(remote);
    (!differ).then_some(UnknownReason::NotComparable)
}

/// What runs is what is there. If nothing else can ever be there, that says nothing about updates.
fn up_to_date(reference: &Reference) -> Detection {
    let fixed_tag = reference.tag().is_some_and(names_fixed_version);
    if reference.is_pinned_by_digest() || fixed_tag {
        return Detection::Unknown { reason: UnknownReason::Pinned };
    }
    Detection::UpToDate
}

/// A registry that does not know an image which never came from one is no fault of the registry.
fn reason_of(local: &LocalImage, error: &RegistryError) -> UnknownReason {
    let is_elsewhere =
        matches!(error, RegistryError::NotFound { .. } | RegistryError::Denied { .. });
    if local.repo_digests.is_empty() && is_elsewhere {
        return UnknownReason::Local;
    }
    UnknownReason::Registry(error.reason())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn reference(text: &str) -> Reference {
        text.parse().expect(text)
    }

    /// In the classic store: id `c`, pulled as index `a`.
    fn local() -> LocalImage {
        LocalImage {
            id: digest('c'),
            repo_digests: vec![format!("acme/web@{}", digest('a'))],
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            ..LocalImage::default()
        }
    }

    /// In the containerd store: named by its index `a`.
    fn local_in_containerd() -> LocalImage {
        LocalImage { id: digest('a'), layers: vec![digest('1'), digest('2')], ..local() }
    }

    fn resolved(index: char, manifest: char, config: char) -> Resolved {
        Resolved {
            index_digest: Some(digest(index)),
            manifest_digest: digest(manifest),
            config_digest: digest(config),
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            config: json!({"rootfs": {"diff_ids": [digest('1'), digest('2')]}}),
            compressed_size_bytes: 1,
            layer_count: 2,
            label: None,
        }
    }

    fn unknown(reason: UnknownReason) -> Detection {
        Detection::Unknown { reason }
    }

    #[test]
    fn the_same_digest_under_any_of_its_names_is_up_to_date() {
        let latest = reference("acme/web");
        let mut image = local();
        image.repo_digests.insert(0, format!("mirror.example/web@{}", digest('9')));
        assert_eq!(detect(&latest, &image, Ok(&digest('a')), None), Detection::UpToDate);
        assert_eq!(detect(&latest, &image, Ok(&digest('9')), None), Detection::UpToDate);
    }

    #[test]
    fn another_digest_is_not_yet_an_update() {
        let seen = detect(&reference("acme/web"), &local(), Ok(&digest('b')), None);
        assert_eq!(seen, Detection::NeedsResolve);
    }

    #[test]
    fn an_index_in_which_another_platform_changed_is_up_to_date() {
        let after = resolved('b', 'e', 'c');
        let seen = detect(&reference("acme/web"), &local(), Ok(&digest('b')), Some(&after));
        assert_eq!(seen, Detection::UpToDate);
        let mut image = local_in_containerd();
        image.manifest_digests = vec![digest('e')];
        let seen = detect(&reference("acme/web"), &image, Ok(&digest('b')), Some(&after));
        assert_eq!(seen, Detection::UpToDate);
    }

    #[test]
    fn an_image_pulled_by_its_platform_s_digest_is_the_same_image() {
        let mut image = local();
        image.id = digest('0');
        image.repo_digests = vec![format!("acme/web@{}", digest('e'))];
        let after = resolved('b', 'e', 'c');
        let seen = detect(&reference("acme/web"), &image, Ok(&digest('b')), Some(&after));
        assert_eq!(seen, Detection::UpToDate);
    }

    #[test]
    fn another_image_for_this_machine_is_newer() {
        let after = resolved('b', 'e', 'd');
        let seen = detect(&reference("acme/web"), &local(), Ok(&digest('b')), Some(&after));
        assert_eq!(seen, Detection::Newer { digest: digest('b') });
    }

    #[test]
    fn in_the_containerd_store_other_layers_are_newer_and_equal_ones_are_unknown() {
        let latest = reference("acme/web");
        let image = local_in_containerd();
        let mut after = resolved('b', 'e', 'd');
        let seen = detect(&latest, &image, Ok(&digest('b')), Some(&after));
        assert_eq!(seen, unknown(UnknownReason::NotComparable));
        after.config = json!({"rootfs": {"diff_ids": [digest('1'), digest('3')]}});
        let seen = detect(&latest, &image, Ok(&digest('b')), Some(&after));
        assert_eq!(seen, Detection::Newer { digest: digest('b') });
        after.config = json!({});
        let seen = detect(&latest, &image, Ok(&digest('b')), Some(&after));
        assert_eq!(seen, unknown(UnknownReason::NotComparable));
    }

    #[test]
    fn an_image_that_was_never_in_a_registry_is_never_replaced() {
        let mut image = local();
        image.repo_digests.clear();
        let latest = reference("acme/web");
        let after = resolved('b', 'e', 'd');
        let seen = detect(&latest, &image, Ok(&digest('b')), Some(&after));
        assert_eq!(seen, unknown(UnknownReason::Local));
        let loaded_from_a_file = resolved('b', 'e', 'c');
        let seen = detect(&latest, &image, Ok(&digest('b')), Some(&loaded_from_a_file));
        assert_eq!(seen, Detection::UpToDate);
        let gone = RegistryError::NotFound { reference: "acme/web:latest".to_owned() };
        assert_eq!(detect(&latest, &image, Err(&gone), None), unknown(UnknownReason::Local));
    }

    #[test]
    fn a_fixed_version_is_pinned_while_it_runs_and_newer_if_it_was_pushed_again() {
        let pinned = unknown(UnknownReason::Pinned);
        for text in [String::from("acme/web:1.4.2"), format!("acme/web@{}", digest('a'))] {
            assert_eq!(
                detect(&reference(&text), &local(), Ok(&digest('a')), None),
                pinned,
                "{text}"
            );
        }
        let after = resolved('b', 'e', 'd');
        let seen = detect(&reference("acme/web:1.4.2"), &local(), Ok(&digest('b')), Some(&after));
        assert_eq!(seen, Detection::Newer { digest: digest('b') });
    }

    #[test]
    fn no_answer_is_unknown_and_says_which() {
        let limited = RegistryError::RateLimited {
            registry: "docker.io".to_owned(),
            retry_after: None,
            login: super::super::LoginTried::Used { user: None },
        };
        let seen = detect(&reference("acme/web"), &local(), Err(&limited), None);
        assert_eq!(seen, unknown(UnknownReason::Registry("rate_limited")));
        let Detection::Unknown { reason } = seen else { unreachable!() };
        assert_eq!(reason.word(), "rate_limited");
    }
}
