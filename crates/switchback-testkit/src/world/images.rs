//! Images, their names, and the registry that they come from.

use super::{Answered, Inner, refused};
use crate::engine::{Answer, Image, Refusal};

impl Inner {
    pub(super) fn publish(&mut self, tag: &str, digest: &str) {
        let repository = repository(tag);
        self.registry.insert(tag.to_owned(), digest.to_owned());
        self.registry.insert(format!("{repository}@{digest}"), digest.to_owned());
    }

    pub(super) fn image(&self, reference: &str) -> Result<Image, Refusal> {
        let is = |it: &&Image| {
            let has = |names: &[String]| names.iter().any(|it| it == reference);
            it.id == reference || has(&it.tags) || has(&it.digests)
        };
        // `repo:tag@digest` is the digest's, whatever the tag says.
        let by_digest = without_tag(reference);
        let found = self.images.iter().find(is).or_else(|| {
            self.images
                .iter()
                .find(|it| by_digest.as_ref().is_some_and(|by| it.digests.contains(by)))
        });
        found.cloned().ok_or_else(|| refused(404, format!("No such image: {reference}")))
    }

    pub(super) fn pull(&mut self, reference: &str) -> Answered {
        let by_digest = without_tag(reference).unwrap_or_else(|| reference.to_owned());
        let Some(digest) = self.registry.get(&by_digest).cloned() else {
            return Err(refused(404, format!("manifest for {reference} not found")));
        };
        let id = format!("sha256:image-of-{digest}");
        let name = format!("{}@{digest}", repository(reference));
        self.add_image(&id);
        if !reference.contains('@') {
            self.move_tag(&id, reference);
        }
        let image = self.images.iter_mut().find(|it| it.id == id);
        if let Some(image) = image.filter(|it| !it.digests.contains(&name)) {
            image.digests.push(name);
            image.digests.sort();
        }
        Ok(Answer::Done)
    }

    /// What a pull leaves that broke off: the image without a name.
    pub(super) fn pull_half(&mut self, reference: &str) {
        let by_digest = without_tag(reference).unwrap_or_else(|| reference.to_owned());
        if let Some(digest) = self.registry.get(&by_digest).cloned() {
            self.add_image(&format!("sha256:image-of-{digest}"));
        }
    }

    fn add_image(&mut self, id: &str) {
        if !self.images.iter().any(|it| it.id == id) {
            self.images.push(Image { id: id.to_owned(), tags: Vec::new(), digests: Vec::new() });
        }
    }

    /// An image without a digest: no registry knows it.
    pub(super) fn import(&mut self, reference: &str) -> Answered {
        let id = format!("sha256:image-of-{reference}");
        self.add_image(&id);
        self.move_tag(&id, reference);
        Ok(Answer::Done)
    }

    pub(super) fn tag(&mut self, image: &str, tag: &str) -> Answered {
        let id = self.image(image)?.id;
        self.move_tag(&id, tag);
        Ok(Answer::Done)
    }

    fn move_tag(&mut self, id: &str, tag: &str) {
        for image in &mut self.images {
            image.tags.retain(|it| it != tag);
            if image.id == id {
                image.tags.push(tag.to_owned());
                image.tags.sort();
            }
        }
    }

    /// With the last tag of a repository its digests go too; with the last reference the image. Of one
    /// that is used a single name stays.
    pub(super) fn remove_image(&mut self, reference: &str) -> Answered {
        let mut left = self.image(reference)?;
        let is_single = is_single(&left);
        let (is_tag, by_id) = (left.tags.iter().any(|it| it == reference), left.id == reference);
        let digest = without_tag(reference).unwrap_or_else(|| reference.to_owned());
        left.tags.retain(|it| it != reference && !by_id);
        left.digests.retain(|it| *it != digest && !by_id);
        let is_of = |it: &String| repository(it) == repository(reference);
        if is_tag && !left.tags.iter().any(is_of) {
            left.digests.retain(|it| !is_of(it));
        }
        let is_last = left.tags.is_empty() && left.digests.is_empty();
        let is_used = self.containers.iter().any(|it| it.image_id == left.id);
        if is_used && (is_single || is_last) {
            let message = format!("conflict: unable to remove {reference}: a container uses it");
            return Err(refused(409, message));
        }
        self.images.retain(|it| it.id != left.id);
        if !is_last {
            self.images.push(left);
        }
        Ok(Answer::Done)
    }

    /// Takes the images of which there is no container, and of the others the names one after the other:
    /// the last of each stays.
    pub(super) fn prune_images(&mut self) {
        let containers = &self.containers;
        self.images.retain(|image| containers.iter().any(|it| it.image_id == image.id));
        let names = |it: &Image| [it.tags.clone(), it.digests.clone()].concat();
        let mut names: Vec<String> = self.images.iter().flat_map(names).collect();
        names.sort_by_key(|it| whole(it));
        for name in names {
            // It is refused for the last one, and may be gone with its tag.
            self.remove_image(&name).ok();
        }
    }
}

/// Whether the names of an image count as one: those of one repository with one tag at most.
fn is_single(image: &Image) -> bool {
    let mut repositories = image.tags.iter().chain(&image.digests).map(|it| repository(it));
    let first = repositories.next();
    image.tags.len() <= 1 && repositories.all(|it| Some(it) == first)
}

/// The whole name of a reference, by which an engine sorts them.
fn whole(reference: &str) -> String {
    match reference.split_once('/') {
        None => format!("docker.io/library/{reference}"),
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => reference.to_owned(),
        Some(_) => format!("docker.io/{reference}"),
    }
}

/// `repo` of `repo:tag`, `repo@digest` and `repo:tag@digest`. The colon of a port stays.
fn repository(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |it| it.0);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// `repo@digest` of `repo:tag@digest`; nothing without a digest.
fn without_tag(reference: &str) -> Option<String> {
    let (_, digest) = reference.split_once('@')?;
    Some(format!("{}@{digest}", repository(reference)))
}
