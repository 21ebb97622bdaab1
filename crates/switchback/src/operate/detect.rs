//! Whether the registry has something newer than what runs: asked once, in the cheapest way.

use serde_json::Value;
use switchback_targets::registry::{
    Client, Detection, LocalImage, Reference, RegistryError, Resolved, detect,
};

/// What a registry was asked about one reference, and what that says about what runs.
#[derive(Debug)]
pub struct Comparison {
    /// The digest that the reference points to.
    pub head: Result<String, RegistryError>,
    /// What that is for our platform, if it had to be asked.
    pub resolved: Option<Result<Resolved, RegistryError>>,
    /// The verdict.
    pub detection: Detection,
}

/// Compares what runs with what the registry has. One small request tells that nothing is new; only
/// where the digests differ is it asked what the new one means for this platform.
pub async fn compare(registry: &Client, reference: &Reference, local: &LocalImage) -> Comparison {
    let head = registry.head(reference).await;
    let detection = detect(reference, local, head.as_deref(), None);
    let (Detection::NeedsResolve, Ok(digest)) = (&detection, &head) else {
        return Comparison { head, resolved: None, detection };
    };
    let exact = reference.with_digest(digest);
    let resolved = registry.resolve(&exact, &local.platform()).await;
    let detection = match &resolved {
        Ok(found) => detect(reference, local, Ok(digest), Some(found)),
        Err(error) => detect(reference, local, Err(error), None),
    };
    Comparison { head, resolved: Some(resolved), detection }
}

impl Comparison {
    /// The answer that did not come, if one did not.
    pub fn failure(&self) -> Option<&RegistryError> {
        match (&self.head, &self.resolved) {
            (Err(error), _) | (_, Some(Err(error))) => Some(error),
            _ => None,
        }
    }
}

/// The image of a running container, from the engine's inspect.
pub fn local_image(image: &Value) -> LocalImage {
    let words = |it: &Value| {
        it.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let word = |key: &str| image[key].as_str().unwrap_or_default().to_owned();
    LocalImage {
        id: word("Id"),
        repo_digests: words(&image["RepoDigests"]),
        os: word("Os"),
        architecture: word("Architecture"),
        variant: word("Variant"),
        layers: words(&image["RootFS"]["Layers"]),
        manifest_digests: image["Manifests"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it["Descriptor"]["digest"].as_str().map(str::to_owned))
            .collect(),
    }
}

/// The reference that a container was made from, less a digest: what an adopted one follows.
pub fn followed_by_itself(reference: &str) -> Option<String> {
    let plain = reference.split('@').next().unwrap_or(reference);
    (!plain.is_empty() && !plain.starts_with("sha256:")).then(|| plain.to_owned())
}
