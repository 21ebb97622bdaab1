# What every script here shares: where the lab lies, how to speak, how to become root, how to wait.
# shellcheck shell=bash

# The lab lies outside of the checkout, so that a fresh clone does not build or fetch anything twice.
LAB_DIR="${SWITCHBACK_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/switchback-lab}"
LAB_ENV="$LAB_DIR/env"
CHECKOUT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

say() { printf '%s\n' "$*" >&2; }

# die MESSAGE [WHAT TO DO NEXT]
die() {
    say "error: $1"
    if [ $# -gt 1 ]; then say "  to fix: $2"; fi
    exit 1
}

# Runs a command as root, by sudo where we are not root already.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "'$1' needs root, and there is no sudo on this machine" "run this script as root"
    fi
}

# wait_until SECONDS COMMAND...: true as soon as the command succeeds, false after the deadline.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
        sleep 0.1
    done
}

# Installs the Debian packages named, and says so. The package lists are fetched only when
# installing without them fails: they are often there, and fetching takes longer than the rest.
apt_install() {
    command -v apt-get >/dev/null || die "'$*' is missing, and this is not a Debian or Ubuntu system" \
        "install it by hand, then run this command again"
    say "installing by apt: $*"
    local log="$LAB_DIR/apt.log"
    apt_try() {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1
    }
    apt_try "$@" && return
    as_root apt-get update >"$log" 2>&1 || die "apt-get update failed: $(tail -n 3 "$log")" "see $log"
    apt_try "$@" || die "apt-get install $* failed: $(tail -n 3 "$log")" "see $log"
}

# apt_unpack PACKAGE FOLDER: the files of a package, without installing it. A package with a
# service of its own would otherwise start that service on the reader's machine.
apt_unpack() {
    local package=$1 folder=$2 work
    work="$(mktemp -d "$LAB_DIR/unpack.XXXXXX")"
    say "fetching by apt: $package (unpacked into the lab, not installed)"
    (cd "$work" && { apt-get download "$package" || { as_root apt-get update && apt-get download "$package"; }; }) \
        >"$LAB_DIR/apt.log" 2>&1 || die "apt-get download $package failed: $(tail -n 3 "$LAB_DIR/apt.log")"
    rm -rf "$folder.new"
    dpkg-deb --extract "$work"/*.deb "$folder.new"
    rm -rf "$work" "$folder"
    mv "$folder.new" "$folder"
}

# A TCP port of 127.0.0.1 on which nothing listens. The range lies below the one from which the
# kernel takes ports for outgoing connections, so that none of those can take it from us.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 10000))
        if ! listens "$port"; then
            echo "$port"
            return
        fi
    done
    die "no free port between 20000 and 30000 was found in 100 attempts"
}

# Whether something listens on a port of 127.0.0.1.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
