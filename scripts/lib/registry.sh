# Two registries on 127.0.0.1 (which needs no TLS): one open, one that asks for a name and a password.
# shellcheck shell=bash

REGISTRY_PROGRAM="$LAB_DIR/docker-registry/usr/bin/docker-registry"

# Sets REGISTRY and PRIVATE_REGISTRY (host:port) and PRIVATE_PASSWORD.
registries_up() {
    [ -x "$REGISTRY_PROGRAM" ] || apt_unpack docker-registry "$LAB_DIR/docker-registry"
    registry_password
    registry_up registry
    REGISTRY="127.0.0.1:$(cat "$LAB_DIR/registry/port")"
    registry_up private-registry
    PRIVATE_REGISTRY="127.0.0.1:$(cat "$LAB_DIR/private-registry/port")"
    registry_client_config
}

registries_down() {
    process_stop registry
    process_stop private-registry
}

# registry_up NAME: keeps its port from run to run, because images and containers name it.
registry_up() {
    local name=$1 folder="$LAB_DIR/$1" port
    if process_runs "$name" && listens "$(cat "$folder/port")"; then return; fi
    process_stop "$name"
    mkdir -p "$folder/data"
    port="$(cat "$folder/port" 2>/dev/null)" || port=
    if [ -z "$port" ] || listens "$port"; then port="$(free_port)"; fi
    echo "$port" >"$folder/port"
    registry_config "$name" "$port" >"$folder/config.yml"
    say "starting $name on 127.0.0.1:$port"
    process_start "$name" user "$REGISTRY_PROGRAM" serve "$folder/config.yml"
    wait_until 15 listens "$port" || die "$name did not answer: $(tail -n 3 "$LAB_DIR/$name.log")" "see $LAB_DIR/$name.log"
}

registry_config() {
    local name=$1 port=$2
    cat <<YAML
version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: $LAB_DIR/$name/data }
  delete: { enabled: true }
http: { addr: "127.0.0.1:$port" }
YAML
    if [ "$name" = private-registry ]; then
        echo "auth: { htpasswd: { realm: switchback-lab, path: $LAB_DIR/private-registry/htpasswd } }"
    fi
}

# A password of this lab's own, and its bcrypt hash (the only kind that the registry takes), by
# perl and libcrypt, which every Debian has.
registry_password() {
    local folder="$LAB_DIR/private-registry"
    mkdir -p "$folder"
    if [ ! -s "$folder/htpasswd" ]; then
        (
            umask 077
            random_letters 32 >"$folder/password"
            # shellcheck disable=SC2016 # perl's own dollars
            perl -e 'local $/; my $word = <STDIN>; print "lab:", crypt($word, "\$2b\$05\$" . $ARGV[0]), "\n"' \
                "$(random_letters 21)u" <"$folder/password" >"$folder/htpasswd.new"
            mv "$folder/htpasswd.new" "$folder/htpasswd"
        )
    fi
    PRIVATE_PASSWORD="$(cat "$folder/password")"
}

random_letters() { od -An -v -tx1 -N 64 /dev/urandom | tr -dc 'a-f0-9' | head -c "$1"; }

# What the docker client reads in place of the reader's own ~/.docker, which we leave alone.
registry_client_config() {
    mkdir -p "$LAB_DIR/docker-config"
    (
        umask 077
        printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$PRIVATE_REGISTRY" \
            "$(printf 'lab:%s' "$PRIVATE_PASSWORD" | base64 -w 0)" >"$LAB_DIR/docker-config/config.json"
    )
}
