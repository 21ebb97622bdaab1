//! The program `switchback`.

fn main() {
    let _was_asked = switchback::notice::refresh_if_asked();
}
