# What `scripts/test` and `scripts/coverage` share: the tools they need, and the lab they run on.
# shellcheck shell=bash

# Builds go beside the lab rather than into the checkout, unless the caller has a place of their own.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$LAB_DIR/target}"

# need_component NAME PROGRAM: a part of the Rust toolchain that a minimal installation lacks.
need_component() {
    if "$2" --version >/dev/null 2>&1; then return; fi
    command -v rustup >/dev/null || die "$2 is missing" "install it with your Rust toolchain"
    say "installing by rustup: $1"
    rustup component add "$1" >&2
}

# need_program NAME PACKAGE
need_program() { command -v "$1" >/dev/null || apt_install "$2"; }

# A lab with everything in it, and an engine that tests may prune and kill. Its images are built and
# fetched once.
need_lab() {
    # Tests let the clock of a program jump.
    need_program faketime faketime
    # And make file systems whose power they cut.
    need_program mke2fs e2fsprogs
    "$CHECKOUT/scripts/lab" images
    "$CHECKOUT/scripts/lab" engine spare >/dev/null
    set -a
    # shellcheck disable=SC1090 # written by scripts/lab
    . "$LAB_ENV"
    set +a
}
