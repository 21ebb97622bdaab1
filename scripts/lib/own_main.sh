#!/bin/sh
# The first process of an engine of its own, inside its container: brings the lab's registries to
# its 127.0.0.1, and starts the engine again whenever it ends, as a service manager does.
set -eu

# Else containers in here fail to start on a setting of IPv6.
mount -o remount,rw /proc/sys
mount --make-rshared /

for socket in /forward/*.sock; do
    port="$(basename "$socket" .sock)"
    # Podman does not take a registry on 127.0.0.1 without TLS by itself, as Docker does.
    if [ -d /etc/containers ]; then
        mkdir -p /etc/containers/registries.conf.d
        printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$port" \
            >"/etc/containers/registries.conf.d/lab-$port.conf"
    fi
    socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "UNIX-CONNECT:$socket" &
done

engine() {
    case $1 in
    docker)
        # Named without TLS on purpose; unnamed, newer engines wait a quarter of a minute before they
        # listen without it.
        exec dockerd --host unix:///lab/engine.sock --host tcp://0.0.0.0:2375 --tls=false
        ;;
    podman) exec podman --runtime runc --cgroup-manager cgroupfs system service --time=0 tcp:0.0.0.0:2375 ;;
    esac
}

child=
trap 'kill -TERM "$child"; wait "$child"; exit 0' TERM
while :; do
    # A killed engine leaves these, and another process may have the number by now.
    rm -f /run/docker.pid /var/run/docker.pid /run/docker/containerd/containerd.pid /lab/engine.sock
    engine "$1" >>/lab/engine.log 2>&1 &
    child=$!
    wait "$child" || true
done
