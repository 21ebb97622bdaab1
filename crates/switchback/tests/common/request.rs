//! The frame of a request over HTTP/1.1: its head, its fields and how long its body is.

use std::io::{self, BufRead, Read, Write};

use super::wire::Wire;

/// Method and path of a request.
pub(super) fn line(head: &str) -> &str {
    head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1")
}

/// Whether a request of this method and path changes nothing.
pub(crate) fn is_a_look(line: &str) -> bool {
    line.starts_with("GET ") || line.starts_with("HEAD ")
}

/// The head of a request with its empty line; none at the end of the connection.
pub(super) fn head(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut head = String::new();
    loop {
        if from.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        if head.ends_with("\r\n\r\n") {
            return Ok(Some(head));
        }
    }
}

/// The value of a header field.
pub(super) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|it| it.split_once(':'));
    fields.filter(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.trim()).next()
}

/// Copies the body that belongs to `head`.
pub(super) fn body(head: &str, from: &mut impl BufRead, to: &mut Wire) -> io::Result<()> {
    if field(head, "transfer-encoding").is_none() {
        let length = field(head, "content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
        return io::copy(&mut from.take(length), to).map(drop);
    }
    loop {
        let mut size = String::new();
        from.read_line(&mut size)?;
        to.write_all(size.as_bytes())?;
        let bytes = u64::from_str_radix(size.trim(), 16).unwrap_or(0);
        io::copy(&mut from.take(bytes + 2), to)?;
        if bytes == 0 {
            return Ok(());
        }
    }
}
