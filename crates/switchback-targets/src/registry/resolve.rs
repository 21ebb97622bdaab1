//! What a reference means for one machine: its manifest and its configuration, verified.

use oci_client::manifest::{ImageIndexEntry, OciImageIndex, OciImageManifest};
use serde::Deserialize;
use serde_json::Value;

use super::client::{Client, Part};
use super::digest;
use super::error::{RegistryError, bad_answer};
use super::platform::Platform;
use super::reference::Reference;
use super::version_tag::names_fixed_version;

/// One version of an image, for one machine. Every digest in it was computed from what was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The index that the reference points to. None: it points to the manifest itself.
    pub index_digest: Option<String>,
    /// The manifest for the machine.
    pub manifest_digest: String,
    /// The configuration; on an engine with the classic image store this is the image's id.
    pub config_digest: String,
    /// Of what the reference points to.
    pub media_type: String,
    /// The image's configuration: `config` (Env, Cmd, Volumes, Healthcheck, Labels), `os`,
    /// `architecture`, `rootfs`, `history`.
    pub config: Value,
    /// What a pull of all layers transfers, at most.
    pub compressed_size_bytes: u64,
    /// Layers.
    pub layer_count: usize,
    /// What people call this version, if the image or its tag says.
    pub label: Option<String>,
}

impl Resolved {
    /// What `repository@digest` names it: the index where there is one.
    pub fn digest(&self) -> &str {
        self.index_digest.as_deref().unwrap_or(&self.manifest_digest)
    }

    /// For what the image is made, as its configuration says.
    pub fn platform(&self) -> Platform {
        platform_of(&self.config).unwrap_or_else(|| Platform::new("", "", None))
    }
}

/// A manifest of either kind.
pub(super) enum Document {
    Index(OciImageIndex),
    Image(Box<OciImageManifest>),
}

/// What is read first of a manifest: enough to know its kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Client {
    /// What the reference means for `platform`: two small requests, and one more where it points to
    /// an index. After [`Client::head`], ask with [`Reference::with_digest`]: the tag may have moved
    /// in between.
    pub async fn resolve(
        &self,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Resolved, RegistryError> {
        self.bounded(reference, self.resolve_unbounded(reference, platform)).await
    }

    async fn resolve_unbounded(
        &self,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Resolved, RegistryError> {
        let (digest, media_type, document) =
            self.manifest(reference, reference.tag_or_digest()).await?;
        let (index_digest, manifest_digest, manifest) = match document {
            Document::Image(manifest) => (None, digest, manifest),
            Document::Index(index) => {
                let chosen = choose(reference, &index.manifests, platform)?;
                match self.manifest(reference, &chosen).await? {
                    (_, _, Document::Image(manifest)) => (Some(digest), chosen, manifest),
                    _ => return Err(bad_answer(reference, "an index within an index")),
                }
            }
        };
        let config = self.config(reference, &manifest).await?;
        check_platform(reference, &config, platform)?;
        let sizes = manifest.layers.iter().map(|layer| u64::try_from(layer.size).unwrap_or(0));
        Ok(Resolved {
            index_digest,
            manifest_digest,
            label: label(reference, &config),
            compressed_size_bytes: sizes.fold(0, u64::saturating_add),
            layer_count: manifest.layers.len(),
            config_digest: manifest.config.digest,
            media_type,
            config,
        })
    }

    /// A manifest, its digest and its media type.
    pub(super) async fn manifest(
        &self,
        reference: &Reference,
        tag_or_digest: &str,
    ) -> Result<(String, String, Document), RegistryError> {
        let (body, kind) = self.get(reference, Part::Manifest(tag_or_digest)).await?;
        let by_digest = tag_or_digest.contains(':');
        if by_digest && !digest::matches(&body, tag_or_digest) {
            return Err(bad_answer(reference, format!("other bytes than {tag_or_digest}")));
        }
        let digest = if by_digest { tag_or_digest.to_owned() } else { digest::sha256(&body) };
        let (media_type, document) = read_manifest(&body, kind.as_deref())
            .map_err(|problem| bad_answer(reference, problem))?;
        Ok((digest, media_type, document))
    }

    async fn config(
        &self,
        reference: &Reference,
        manifest: &OciImageManifest,
    ) -> Result<Value, RegistryError> {
        let digest = &manifest.config.digest;
        if !digest::is_valid(digest) {
            return Err(bad_answer(reference, "a manifest whose configuration has no digest"));
        }
        let (body, _) = self.get(reference, Part::Blob(digest)).await?;
        if !digest::matches(&body, digest) {
            return Err(bad_answer(reference, format!("other bytes than {digest}")));
        }
        let config =
            serde_json::from_slice(&body).ok().filter(|config| platform_of(config).is_some());
        config.ok_or_else(|| {
            let kind = &manifest.config.media_type;
            bad_answer(reference, format!("something that is no container image ({kind})"))
        })
    }
}

/// The kind of a manifest and its content. The error is the problem, in words.
pub(super) fn read_manifest(body: &[u8], kind: Option<&str>) -> Result<(String, Document), String> {
    let outline: Outline =
        serde_json::from_slice(body).map_err(|_| "something that is no manifest".to_owned())?;
    if outline.schema_version != 2 {
        return Err("an image in Docker's first format, which engines no longer take".to_owned());
    }
    let incomplete = |error: serde_json::Error| format!("an incomplete manifest: {error}");
    let is_index = outline.manifests.is_some();
    let document = if is_index {
        Document::Index(serde_json::from_slice(body).map_err(incomplete)?)
    } else {
        Document::Image(serde_json::from_slice(body).map_err(incomplete)?)
    };
    // The specification lets a manifest leave its own type out; then the header says it.
    let media_type = outline
        .media_type
        .or_else(|| kind.map(str::to_owned))
        .unwrap_or_else(|| oci_client::manifest::OCI_IMAGE_MEDIA_TYPE.to_owned());
    Ok((media_type, document))
}

/// The digest of the image in an index that suits the machine best, as Docker chooses it.
pub(super) fn choose(
    reference: &Reference,
    entries: &[ImageIndexEntry],
    wanted: &Platform,
) -> Result<String, RegistryError> {
    let offered: Vec<(Platform, &str)> =
        entries.iter().filter_map(|entry| Some((offered(entry)?, entry.digest.as_str()))).collect();
    // The first of several equals: an index lists a Windows image for each of its releases.
    let best = offered
        .iter()
        .filter_map(|(platform, digest)| Some((wanted.rank(platform)?, *digest)))
        .min_by_key(|(rank, _)| *rank);
    match best {
        Some((_, digest)) if digest::is_valid(digest) => Ok(digest.to_owned()),
        Some(_) => Err(bad_answer(reference, "an index whose entry has no digest")),
        None => Err(RegistryError::PlatformMissing {
            reference: reference.familiar(),
            wanted: wanted.clone(),
            available: offered.into_iter().map(|(platform, _)| platform).collect(),
        }),
    }
}

/// For what an entry of an index is made. None: it is no image, but what a builder attests of one.
fn offered(entry: &ImageIndexEntry) -> Option<Platform> {
    let platform = entry.platform.as_ref()?;
    let (os, architecture) = (platform.os.to_string(), platform.architecture.to_string());
    let is_image = os != "unknown" && architecture != "unknown";
    is_image.then(|| Platform::new(&os, &architecture, platform.variant.as_deref()))
}

/// For what a configuration says that it is made. None: it does not say, so it is no image.
pub(super) fn platform_of(config: &Value) -> Option<Platform> {
    let text = |key: &str| config[key].as_str().filter(|text| !text.is_empty());
    Some(Platform::new(text("os")?, text("architecture")?, text("variant")))
}

/// An index may lie, and a tag without an index says nothing before this.
fn check_platform(
    reference: &Reference,
    config: &Value,
    wanted: &Platform,
) -> Result<(), RegistryError> {
    let made_for = platform_of(config);
    if made_for.as_ref().is_some_and(|platform| wanted.rank(platform).is_some()) {
        return Ok(());
    }
    Err(RegistryError::PlatformMissing {
        reference: reference.familiar(),
        wanted: wanted.clone(),
        available: made_for.into_iter().collect(),
    })
}

/// What people call a version: the tag if it names one, else what the image says of itself.
pub(super) fn label(reference: &Reference, config: &Value) -> Option<String> {
    if let Some(tag) = reference.tag().filter(|tag| names_fixed_version(tag)) {
        return Some(tag.to_owned());
    }
    let labels = &config["config"]["Labels"];
    let of = |key: &str| labels[key].as_str().filter(|text| !text.is_empty());
    // Labels are inherited. A base image that also says its name (as Ubuntu's do) speaks of itself.
    let image = reference.repository().rsplit('/').next().unwrap_or_default();
    let speaks_of_another = of("org.opencontainers.image.ref.name")
        .is_some_and(|name| !name.split(['/', ':']).any(|word| word == image));
    let version = of("org.opencontainers.image.version").filter(|_| !speaks_of_another);
    version.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(digit: char, platform: &Value) -> ImageIndexEntry {
        let digest = format!("sha256:{}", digit.to_string().repeat(64));
        let entry = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest, "size": 1, "platform": platform,
        });
        serde_json::from_value(entry).expect("an entry")
    }

    fn web() -> Reference {
        "registry.example/acme/web".parse().expect("a reference")
    }

    #[test]
    fn attestations_are_no_images() {
        let entries = [
            entry('1', &json!({"os": "unknown", "architecture": "unknown"})),
            entry('2', &json!({"os": "linux", "architecture": "arm64", "variant": "v8"})),
            entry('3', &json!({"os": "linux", "architecture": "amd64"})),
        ];
        let chosen = choose(&web(), &entries, &Platform::new("linux", "x86_64", None));
        assert_eq!(chosen, Ok(entries[2].digest.clone()));
        let missing = choose(&web(), &entries, &Platform::new("linux", "riscv64", None))
            .expect_err("there is none");
        assert_eq!(
            missing.to_string(),
            "registry.example/acme/web:latest is not made for linux/riscv64, \
             only for linux/arm64, linux/amd64"
        );
    }

    #[test]
    fn the_best_variant_is_taken_wherever_it_stands() {
        let entries = [
            entry('1', &json!({"os": "linux", "architecture": "arm", "variant": "v6"})),
            entry('2', &json!({"os": "linux", "architecture": "arm", "variant": "v7"})),
        ];
        let of = |variant| choose(&web(), &entries, &Platform::new("linux", "arm", Some(variant)));
        assert_eq!(of("v7"), Ok(entries[1].digest.clone()));
        assert_eq!(of("v6"), Ok(entries[0].digest.clone()));
        assert!(of("v5").is_err());
    }

    #[test]
    fn a_version_s_name_is_the_tag_s_or_the_image_s_own_but_not_its_base_s() {
        let named = |reference: &str, labels: Value| {
            let reference: Reference = reference.parse().expect(reference);
            label(&reference, &json!({"config": {"Labels": labels}}))
        };
        let own = json!({"org.opencontainers.image.version": "1.4.2"});
        assert_eq!(named("acme/web:latest", own.clone()).as_deref(), Some("1.4.2"));
        assert_eq!(named("acme/web:v1.4.2-alpine", own).as_deref(), Some("v1.4.2-alpine"));
        let base = json!({
            "org.opencontainers.image.version": "22.04",
            "org.opencontainers.image.ref.name": "ubuntu",
        });
        assert_eq!(named("acme/web:latest", base.clone()), None);
        assert_eq!(named("ubuntu:latest", base).as_deref(), Some("22.04"));
        assert_eq!(named("acme/web:latest", json!(null)), None);
    }
}
