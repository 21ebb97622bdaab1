# Engines of their own: each a container on the lab's engine, with a Debian of its own in it. They
# may be pruned, killed and restarted, and are as new or as old as their Debian.
# shellcheck shell=bash

OWN="$LAB_DIR/engines"
OWN_NAMES="spare debian-26 forky-28 podman-5"

# The lab's own mark in names on an engine that may be somebody else's.
own_mark() { echo "switchback-engine-$1-$(cksum <<<"$LAB_DIR" | cut -d ' ' -f 1)"; }

own_suite() {
    case $1 in
    # 20.10 is also the engine whose root costs least: its Debian is here already.
    spare) echo bookworm ;;
    debian-26 | podman-5) echo trixie ;;
    forky-28) echo forky ;;
    *) die "there is no engine '$1'" "one of: $OWN_NAMES" ;;
    esac
}

own_packages() {
    case $(own_kind "$1") in
    # What its network needs, and its init, are only recommended by Podman; of the two runtimes that it
    # takes, crun refuses hosts that have both kinds of control groups.
    podman) echo podman runc nftables aardvark-dns catatonit socat ;;
    docker) echo docker.io iptables socat ;;
    esac
}

own_kind() { case $1 in podman-*) echo podman ;; *) echo docker ;; esac }

# What 'docker' is told here is told to the lab's engine.
on_lab() { docker --host "$ENGINE_URL" "$@"; }

# own_up NAME: starts it, and writes where it is into engines/NAME/env. Call engine_up and
# registries_up first. Sets OWN_URL.
own_up() {
    local name=$1 folder="$OWN/$1" id
    command -v socat >/dev/null || apt_install socat
    mkdir -p "$folder/run" "$folder/data" "$LAB_DIR/tmp"
    own_forwards
    own_image "$name"
    id="$(cat "$folder/container" 2>/dev/null)" || id=
    if [ "$(own_made "$id")" != "$(own_recipe "$name")" ]; then
        own_remove "$name"
        own_create "$name"
        id="$(cat "$folder/container")"
    fi
    on_lab start "$id" >/dev/null
    OWN_URL="tcp://$(on_lab inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$id"):2375"
    # A first start was seen to take 3 s, one after a crash with a dozen containers 10 s.
    wait_until 60 engine_answers "$OWN_URL" ||
        die "the engine $name did not answer: $(tail -n 3 "$folder/run/engine.log")" "see $folder/run/engine.log"
    printf '%s\n' "SWITCHBACK_LAB_ENGINE=$OWN_URL" "SWITCHBACK_LAB_CONTAINER=$id" >"$folder/env.new"
    mv "$folder/env.new" "$folder/env"
}

# What a container of this name has to be made from; another one is made again.
own_recipe() { cat "$CHECKOUT/scripts/lib/own.sh" "$CHECKOUT/scripts/lib/own_main.sh" <(echo "$OWN_IMAGE $REGISTRY $PRIVATE_REGISTRY") | cksum; }

own_made() { [ -n "$1" ] && on_lab inspect --format '{{index .Config.Labels "dev.switchback.lab.recipe"}}' "$1" 2>/dev/null; }

own_create() {
    local name=$1 folder="$OWN/$1" store
    store=/var/lib/docker
    if [ "$(own_kind "$name")" = podman ]; then store=/var/lib/containers; fi
    say "making the engine $name"
    cp "$CHECKOUT/scripts/lib/own_main.sh" "$folder/run/main"
    # A network of its own, so that it gets the same address after each restart.
    on_lab network create "$(own_mark "$name")" >"$folder/network"
    rm -f "$folder/container"
    # Not --privileged: that needs a right that a virtual machine may lack, and more than is needed.
    on_lab create --cidfile "$folder/container" --init --name "$(own_mark "$name")" --hostname "$name" \
        --network "$(own_mark "$name")" --label "dev.switchback.lab.recipe=$(own_recipe "$name")" \
        --cap-add=ALL --cap-drop=SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
        --cgroupns=host --volume /sys/fs/cgroup:/sys/fs/cgroup:rw --tmpfs /run --tmpfs /tmp \
        --volume "$folder/data:$store" --volume "$folder/run:/lab" --volume "$OWN/forward:/forward" \
        --volume "$LAB_DIR/tmp:$LAB_DIR/tmp" \
        "$OWN_IMAGE" /bin/sh /lab/main "$(own_kind "$name")" >/dev/null
}

# The registries as sockets in a folder, which needs no address that others could reach.
own_forwards() {
    local name port
    mkdir -p "$OWN/forward"
    for name in registry private-registry; do
        port="$(cat "$LAB_DIR/$name/port")"
        if process_runs "forward-$name" && [ -S "$OWN/forward/$port.sock" ]; then continue; fi
        process_stop "forward-$name"
        process_start "forward-$name" user socat "UNIX-LISTEN:$OWN/forward/$port.sock,fork,unlink-early" "TCP:127.0.0.1:$port"
        wait_until 10 test -S "$OWN/forward/$port.sock" || die "socat did not listen" "see $LAB_DIR/forward-$name.log"
    done
}

# own_remove NAME: its container and its network, by the ids that we were given; its data stays.
own_remove() {
    local folder="$OWN/$1" id
    id="$(cat "$folder/container" 2>/dev/null)" || id=
    if [ -n "$id" ]; then on_lab rm --force "$id" >/dev/null 2>&1 || true; fi
    id="$(cat "$folder/network" 2>/dev/null)" || id=
    if [ -n "$id" ]; then on_lab network rm "$id" >/dev/null 2>&1 || true; fi
    rm -f "$folder/container" "$folder/network" "$folder/env"
}

# For `scripts/lab down`, while the lab's engine still answers.
own_down() {
    local name
    for name in $OWN_NAMES; do
        if [ -e "$OWN/$name/container" ] && [ -n "$ENGINE_URL" ] && engine_answers "$ENGINE_URL"; then
            own_remove "$name"
            say "stopped the engine $name"
        fi
    done
    process_stop forward-registry
    process_stop forward-private-registry
}

# own_image NAME: sets OWN_IMAGE, which is on the lab's engine then.
own_image() {
    local suite root packages
    suite="$(own_suite "$1")"
    packages="$(own_packages "$1")"
    root="$suite-$(cksum <<<"$packages" | cut -d ' ' -f 1)"
    OWN_IMAGE="switchback-lab-engine:$root"
    if on_lab image inspect "$OWN_IMAGE" >/dev/null 2>&1; then return; fi
    [ -s "$OWN/$root.tar" ] || own_root "$suite" "$OWN/$root.tar" "$packages"
    say "bringing $suite to the engine"
    as_root cat "$OWN/$root.tar" | on_lab import - "$OWN_IMAGE" >/dev/null
}

# own_root SUITE FILE PACKAGES: a Debian with these packages, as a tar.
own_root() {
    local suite=$1 file=$2 packages=$3 root="$LAB_DIR/$1.root" log="$LAB_DIR/$1.log"
    say "building a Debian $suite with $packages (one to two minutes, once)"
    as_root rm -rf "$root"
    if [ "$suite" = bookworm ] && [ -s "$IMAGES/debian.layer" ]; then
        as_root mkdir -p "$root"
        as_root tar -xzf "$IMAGES/debian.tar.gz" -C "$root"
        as_root mknod -m 666 "$root/dev/null" c 1 3
    else
        debian_root "$suite" "$root"
    fi
    # Nothing that is installed in there may be started here.
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$root/usr/sbin/policy-rc.d" >/dev/null
    as_root chmod 755 "$root/usr/sbin/policy-rc.d"
    as_root cp /etc/resolv.conf "$root/etc/resolv.conf"
    # Mirrors of a Debian in the making may lag behind; what they sign is looked at all the same.
    # shellcheck disable=SC2086 # one package a word
    {
        as_root chroot "$root" apt-get -o Acquire::Check-Valid-Until=false update &&
            as_root chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
    } >"$log" 2>&1 || die "apt-get failed in $suite: $(tail -n 2 "$log")" "see $log"
    as_root tar --numeric-owner -C "$root" --exclude='./dev/*' --exclude='./var/cache/apt/*' \
        --exclude='./var/lib/apt/lists/*' -cf "$file.new" .
    as_root mv "$file.new" "$file"
    as_root rm -rf "$root"
}
