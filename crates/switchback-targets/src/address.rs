//! Addresses as they may be shown: without whoever logs in by them.

/// A text that may be an address with a login in it, with `***` in the place of the login.
pub(crate) fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = authority.rsplit_once('@').map(|(_, host)| format!("***@{host}"));
    format!("{scheme}://{}{tail}", host.as_deref().unwrap_or(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_login_is_left_out() {
        assert_eq!(without_login("https://ada:x@host/a@b"), "https://***@host/a@b");
        assert_eq!(without_login("tcp://host:1"), "tcp://host:1");
        assert_eq!(without_login("acme/web:1"), "acme/web:1");
    }
}
