# A real application: the opencode server in two versions, on a Debian base with two users.
# As the first process of a container it ignores SIGTERM: `docker stop` takes its full 10 s and ends
# it with code 137, `docker run --init` makes that 0.1 s. It answers about a second after its start.
# shellcheck shell=bash

OPENCODE_VERSIONS="1.18.32 1.18.33"

opencode_tags() {
    local version tags=
    for version in $OPENCODE_VERSIONS; do tags="$tags opencode:$version"; done
    echo "${tags# }"
}

opencode_up() {
    local version
    [ -s "$IMAGES/debian.layer" ] || opencode_base_layer
    for version in $OPENCODE_VERSIONS; do
        [ -s "$IMAGES/opencode-$version.layer" ] || opencode_layer "$version"
        "$STATIC_BIN/lab_publish" image "opencode:$version" "$(opencode_config)" debian "opencode-$version" >/dev/null ||
            die "opencode:$version could not be published"
    done
}

# Where it keeps its data, and where it works, are the places that its users mount volumes on.
opencode_config() {
    cat <<'JSON'
{
  "Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/root", "XDG_DATA_HOME=/data"],
  "WorkingDir": "/projects",
  "Entrypoint": ["opencode", "serve", "--port", "4096", "--hostname", "0.0.0.0"],
  "ExposedPorts": { "4096/tcp": {} }
}
JSON
}

# Bookworm by name, so that every machine gets the same base.
opencode_base_layer() {
    local root="$LAB_DIR/debian.root"
    say "building a Debian base (about a minute, once)"
    debian_root bookworm "$root"
    as_root mkdir -p "$root/data" "$root/projects"
    opencode_user "$root" alice 1000
    opencode_user "$root" bob 1001
    as_root chroot "$root" /usr/sbin/usermod --lock bob
    make_layer debian "$root" --exclude='./dev/*' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*'
    as_root rm -rf "$root"
}

# The passwords are the users' names: these accounts exist to be carried over, not to keep anybody out.
opencode_user() {
    local hash
    # shellcheck disable=SC2016 # perl's own dollars
    hash="$(perl -e 'print crypt($ARGV[0], "\$6\$switchback\$")' "$2")"
    as_root chroot "$1" /usr/sbin/useradd --create-home --uid "$3" --shell /bin/bash --password "$hash" "$2"
}

opencode_layer() {
    local version=$1 work package
    case "$(uname -m)" in
    x86_64) package=opencode-linux-x64 ;;
    aarch64) package=opencode-linux-arm64 ;;
    *) die "there is no opencode for $(uname -m)" ;;
    esac
    command -v npm >/dev/null || apt_install npm
    say "fetching $package@$version by npm (60 MB, once)"
    work="$(mktemp -d "$LAB_DIR/opencode.XXXXXX")"
    (cd "$work" && npm pack --silent "$package@$version" >"$LAB_DIR/npm.log" 2>&1 && tar -xzf ./*.tgz) ||
        die "npm pack $package@$version failed: $(tail -n 3 "$LAB_DIR/npm.log")" "see $LAB_DIR/npm.log"
    mkdir -p "$work/root/usr/local/bin"
    chmod 755 "$work/root"
    mv "$work/package/bin/opencode" "$work/root/usr/local/bin/"
    make_layer "opencode-$version" "$work/root" --owner=0 --group=0
    rm -rf "$work"
}
