//! On which rung the way back to a release stands.

use switchback_core::release::{Release, Rung, way_back as choose};
use switchback_targets::container::{
    decisions::Decisions,
    document::{KeptRelease, TargetState},
};

use super::EngineView;

/// The rung of a recorded release, from what is there. Whether a registry still has an image is
/// not asked: `registry` says that it would have to be pulled.
pub(crate) fn rung(view: &EngineView, state: &TargetState, kept: &KeptRelease) -> Rung {
    let is_there = view.has_container(&kept.container);
    match (kept.release.number == state.current, is_there) {
        (true, true) => Rung::Running,
        (_, true) => Rung::Kept,
        _ if view.has_image(&kept.image) => Rung::Image,
        _ if kept.digest.is_some() => Rung::Registry,
        _ => Rung::Lost,
    }
}

/// The release that a rollback without a number goes to.
pub(crate) fn way_back<'a>(state: &'a TargetState, decided: &Decisions) -> Option<&'a KeptRelease> {
    let releases: Vec<Release> = state.releases.iter().map(|it| it.release.clone()).collect();
    let is_rejected = |it: &Release| decided.rejection_of(&it.version, &it.specification).is_some();
    let number = choose(&releases, state.current, None, is_rejected).ok()?.number;
    state.release(number)
}

/// The word of a rung.
pub(crate) fn word(rung: Rung) -> &'static str {
    match rung {
        Rung::Running => "running",
        Rung::Kept => "kept",
        Rung::Image => "image",
        Rung::Registry => "registry",
        Rung::Lost => "lost",
    }
}
