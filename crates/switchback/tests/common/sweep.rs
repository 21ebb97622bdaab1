//! How much of a sweep is tried.

/// Whether every place is tried, and not only some of them: `SWITCHBACK_SWEEP=full` in the environment.
pub(crate) fn is_full() -> bool {
    std::env::var("SWITCHBACK_SWEEP").is_ok_and(|it| it == "full")
}
