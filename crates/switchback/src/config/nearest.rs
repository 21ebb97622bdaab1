//! The key that was probably meant, where one that was typed is not known.

use super::check::nearest;
use super::table::place;

/// The path that was probably meant. Each key of it is known, so that what is proposed is never refused
/// for the same reason.
pub(super) fn nearest_path(path: &[String]) -> Option<Vec<String>> {
    let mut better = path.to_vec();
    // Each turn makes one more key a known one.
    for _ in 0..path.len() {
        if place(&better).is_some() {
            break;
        }
        let known = (0..better.len()).rev().find(|length| place(&better[..*length]).is_some())?;
        let above = place(&better[..known])?;
        match nearest(&better[known], above.takes.rows().map(|row| row.key)) {
            Some(near) => near.clone_into(&mut better[known]),
            // Nothing can stand below it, or nothing like that: what is above was meant.
            None if above.takes.rows().next().is_none() || better[..known] != path[..known] => {
                better.truncate(known);
            }
            None => return None,
        }
    }
    (place(&better).is_some() && !better.is_empty()).then_some(better)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::dotted;

    #[test]
    fn what_is_proposed_for_an_unknown_key_is_known() {
        let proposed = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|it| (*it).to_owned()).collect();
            nearest_path(&path).map(|it| dotted(&it))
        };
        let nearest =
            |path: &[&str], wanted: &str| assert_eq!(proposed(path).as_deref(), Some(wanted));
        nearest(&["deployment", "web", "imgae"], "deployment.web.image");
        nearest(&["deployment", "web", "image", "tag"], "deployment.web.image");
        nearest(&["deployment", "web", "image", "image"], "deployment.web.image");
        nearest(&["deploymnet", "web", "imgae"], "deployment.web.image");
        nearest(&["deploymnet", "web", "zzzz"], "deployment.web");
        assert_eq!(proposed(&["deployment", "web", "zzzz"]), None);
        assert_eq!(proposed(&["zzzz"]), None);
    }
}
