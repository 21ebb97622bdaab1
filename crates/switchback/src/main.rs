//! The program `switchback`.

fn main() {
    let _was_asked = switchback::notice::refresh_if_asked();
}
//! Placeholder.
#[allow(dead_code, unused_imports, reason = "the commands that use it are written beside it")]
mod config;
fn main() {}
