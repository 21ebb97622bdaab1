# Images that need no pull: static programs of this workspace in a layer of their own.
# shellcheck shell=bash

IMAGES="$LAB_DIR/images"
LEDGER_VERSIONS="1.0.0 2.0.0 3.0.0"

# Where the programs below are built to. A target folder of their own: other flags would make cargo
# build everything again, each time.
static_bin() { echo "$LAB_DIR/target/static/$(rustc -vV | sed -n 's/^host: //p')/debug"; }

# static_build PACKAGE...: builds the programs of these packages without any shared library, so that
# they run in an image with nothing else in it. Sets STATIC_BIN, the folder they are in. They are
# not optimised: with it, the first build of everything takes eight minutes in place of two.
static_build() {
    local package packages=()
    command -v cargo >/dev/null || die "cargo is missing" "install Rust: https://rustup.rs"
    command -v cc >/dev/null || apt_install gcc libc6-dev
    STATIC_BIN="$(static_bin)"
    for package in "$@"; do packages+=(--package "$package"); done
    (
        cd "$CHECKOUT"
        export RUSTFLAGS="-C target-feature=+crt-static"
        export CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_INCREMENTAL=false CARGO_PROFILE_DEV_STRIP=true
        cargo build --quiet --target "$(rustc -vV | sed -n 's/^host: //p')" --target-dir "$LAB_DIR/target/static" \
            "${packages[@]}" --bins
    ) || die "the build of $* failed"
}

# make_layer NAME FOLDER: the folder as NAME.tar.gz, with its two digests in NAME.layer. Equal
# contents give equal digests: names are sorted, and times and owners left out of it.
make_layer() {
    local name=$1 folder=$2 file="$IMAGES/$1.tar"
    mkdir -p "$IMAGES"
    as_root tar --sort=name --mtime=@0 --numeric-owner -C "$folder" "${@:3}" -cf - . >"$file"
    local diff_id digest
    diff_id="$(sha256sum <"$file")"
    # The fastest level: it is read back on this machine only.
    gzip -n -1 -f "$file"
    digest="$(sha256sum <"$file.gz")"
    echo "sha256:${digest%% *} sha256:${diff_id%% *}" >"$IMAGES/$name.layer.new"
    mv "$IMAGES/$name.layer.new" "$IMAGES/$name.layer"
}

# debian_root SUITE FOLDER: the smallest Debian of that name.
debian_root() {
    local suite=$1 root=$2 log="$LAB_DIR/debootstrap.log" script=/usr/share/debootstrap/scripts
    command -v debootstrap >/dev/null || [ -x /usr/sbin/debootstrap ] || apt_install debootstrap debian-archive-keyring
    # A release that is newer than this machine's debootstrap is built as all the newer ones are.
    if [ -e "$script/$suite" ]; then script="$script/$suite"; else script="$script/sid"; fi
    as_root rm -rf "$root"
    as_root env PATH="$PATH:/usr/sbin:/sbin" debootstrap --variant=minbase \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$root" http://deb.debian.org/debian "$script" \
        >"$log" 2>&1 || die "debootstrap failed: $(tail -n 2 "$log")" "see $log"
}

# The ledger with busybox beside it (for `docker exec` and exec probes), in the versions of the demo.
ledger_up() {
    static_build switchback-testkit
    [ -x "$LAB_DIR/busybox/bin/busybox" ] || apt_unpack busybox-static "$LAB_DIR/busybox"
    if [ ! -s "$IMAGES/ledger.layer" ] || ! cmp -s "$STATIC_BIN/ledger" "$IMAGES/ledger.program"; then
        ledger_layer
        cp "$STATIC_BIN/ledger" "$IMAGES/ledger.program"
    fi
    local version
    for version in $LEDGER_VERSIONS; do publish_ledger_version "ledger:$version" "$version" >/dev/null; done
}

ledger_layer() {
    local root applet
    root="$(mktemp -d "$LAB_DIR/ledger.XXXXXX")"
    chmod 755 "$root"
    mkdir -p "$root"/{bin,data,etc,tmp}
    chmod 1777 "$root/tmp"
    cp "$STATIC_BIN/ledger" "$root/ledger"
    cp "$LAB_DIR/busybox/bin/busybox" "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
    make_layer ledger "$root" --owner=0 --group=0
    rm -rf "$root"
}

# publish_ledger REPOSITORY:TAG NAME=VALUE...: prints the digest. Call ledger_up first.
publish_ledger() { "$STATIC_BIN/lab_publish" ledger "$@" || die "the image $1 could not be published"; }

# publish_ledger_version REPOSITORY:TAG VERSION [NAME=VALUE...]: the releases that the demo goes through.
publish_ledger_version() {
    local reference=$1 version=$2
    shift 2
    case $version in
    1.0.0) set -- "$@" LEDGER_MIGRATE=none ;;
    2.0.0) set -- "$@" LEDGER_MIGRATE=add-column ;;
    # Drops a column that the earlier ones need, and is never healthy: only a way back that brings
    # the data along gets the service running again.
    3.0.0) set -- "$@" LEDGER_MIGRATE=drop-column LEDGER_HEALTH=never ;;
    *) die "there is no ledger $version" ;;
    esac
    publish_ledger "$reference" "LEDGER_VERSION=$version" "$@"
}
