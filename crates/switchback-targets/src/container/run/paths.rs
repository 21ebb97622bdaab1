//! Paths as they may stand in a specification: absolute, and without detours.

use std::path::{Component, Path, PathBuf};

/// The path without a trailing slash if it is absolute and has no `.`, `..` or `//` in it.
pub fn normal_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("`{text}` is a relative path; it has to begin with /"));
    }
    let trimmed = if text.len() > 1 { text.strip_suffix('/').unwrap_or(text) } else { text };
    let detour = |part: &str| part.is_empty() || part == "." || part == "..";
    if text.ends_with("//") || trimmed.len() > 1 && trimmed[1..].split('/').any(detour) {
        return Err(format!("`{text}` is not a plain path: it has `.`, `..` or `//` in it"));
    }
    if text.contains('\0') {
        return Err("a path cannot contain a NUL character".to_owned());
    }
    Ok(trimmed.to_owned())
}

/// What a path means seen from a folder, with its detours resolved by their text alone.
pub fn relative_to(base: &Path, text: &str) -> String {
    let text = text.strip_prefix("~/").unwrap_or(text);
    let mut resolved = PathBuf::from("/");
    for component in base.join(text).components() {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::Normal(part) => resolved.push(part),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    resolved.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_absolute_path_stays_as_it_is() {
        assert_eq!(normal_path("/srv/data"), Ok("/srv/data".to_owned()));
        assert_eq!(normal_path("/srv/data/"), Ok("/srv/data".to_owned()));
        assert_eq!(normal_path("/"), Ok("/".to_owned()));
    }

    #[test]
    fn relative_paths_and_detours_are_refused() {
        for text in ["data", "./data", "../data", "~/data", "/srv/../etc", "/srv//x", "//", ""] {
            assert!(normal_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_relative_path_is_seen_from_the_folder_of_the_file() {
        assert_eq!(relative_to(Path::new("/etc/app"), "./data"), "/etc/app/data");
        assert_eq!(relative_to(Path::new("/etc/app"), "../data"), "/etc/data");
        assert_eq!(relative_to(Path::new("/etc/app"), "/srv//x/../y"), "/srv/y");
    }
}
