# The container engine: one that answers already, else one that the lab starts for itself.
# shellcheck shell=bash

ENGINE_SOCKET="$LAB_DIR/engine.sock"

# Whether an engine answers at a URL. Five seconds, since an engine that restores many containers is slow.
engine_answers() { timeout 5 docker --host "$1" version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Sets ENGINE_URL. A second engine in the same network namespace can take the first one's bridge
# away, so one that answers is always used as it is.
engine_up() {
    if process_runs engine && engine_answers "unix://$ENGINE_SOCKET"; then
        ENGINE_URL="unix://$ENGINE_SOCKET"
        return
    fi
    command -v docker >/dev/null || apt_install docker.io
    if engine_find_running; then return; fi
    command -v dockerd >/dev/null || apt_install docker.io
    # Debian and Ubuntu from 2025 on have the client in a package of its own.
    command -v docker >/dev/null || apt_install docker-cli
    command -v iptables >/dev/null || [ -x /usr/sbin/iptables ] || apt_install iptables
    # Where systemd runs, the package has just started an engine.
    if engine_find_running; then return; fi
    engine_start
}

# True, with ENGINE_URL set, if somebody else's engine answers.
engine_find_running() {
    local url
    command -v docker >/dev/null || return 1
    for url in "${DOCKER_HOST:-}" unix:///var/run/docker.sock; do
        if [ -n "$url" ] && engine_answers "$url"; then
            case $url in
            unix://*) ;;
            *) die "DOCKER_HOST=$url is not this machine: it could not reach the lab's registries on 127.0.0.1" \
                "unset DOCKER_HOST" ;;
            esac
            ENGINE_URL=$url
            return 0
        fi
    done
    if [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ] && pgrep -x dockerd >/dev/null; then
        die "an engine runs here, but you may not use /var/run/docker.sock" \
            "sudo usermod -aG docker $(id -un), then log in again; or run this as root"
    fi
    return 1
}

engine_start() {
    [ ${#ENGINE_SOCKET} -lt 90 ] || die "the path $LAB_DIR is too long for the sockets in it" \
        "set SWITCHBACK_LAB to a shorter folder"
    engine_forget_stale_pids
    say "starting dockerd in $LAB_DIR/engine"
    process_start engine root env PATH="$PATH:/usr/sbin:/sbin" dockerd \
        --data-root "$LAB_DIR/engine/data" --exec-root "$LAB_DIR/engine/exec" \
        --pidfile "$LAB_DIR/engine/dockerd.pid" --host "unix://$ENGINE_SOCKET" --group "$(id -g)"
    ENGINE_URL="unix://$ENGINE_SOCKET"
    # A first start takes 2 s; one that restores many containers after a crash was seen to take 20 s.
    wait_until 60 engine_answers_or_ended || true
    engine_answers "$ENGINE_URL" || die "dockerd did not answer: $(tail -n 3 "$LAB_DIR/engine.log")" "see $LAB_DIR/engine.log"
}

engine_answers_or_ended() { engine_answers "$ENGINE_URL" || ! process_runs engine; }

# A killed engine leaves its pid files; after a reboot another process may have the number, and the
# new engine would refuse to start or wait for a containerd that is none.
engine_forget_stale_pids() {
    local file name pid
    for file in "$LAB_DIR/engine/dockerd.pid" "$LAB_DIR/engine/exec/containerd/containerd.pid"; do
        name="$(basename "$file" .pid)"
        pid="$(as_root cat "$file" 2>/dev/null)" || continue
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$name" ] || [ "$(process_state "$pid")" = Z ]; then
            as_root rm -f "$file"
        fi
    done
}

engine_down() {
    # Containers of a stopped engine would run on without anybody to look after them.
    if process_runs engine; then
        local running
        running="$(docker --host "unix://$ENGINE_SOCKET" ps -q 2>/dev/null)" || running=
        # shellcheck disable=SC2086 # one id a word
        if [ -n "$running" ]; then docker --host "unix://$ENGINE_SOCKET" stop -t 2 $running >/dev/null; fi
    fi
    process_stop engine
    # The engine mounts its data folder on itself and leaves it so; nobody could remove the folder then.
    if mountpoint -q "$LAB_DIR/engine/data"; then as_root umount "$LAB_DIR/engine/data"; fi
}
