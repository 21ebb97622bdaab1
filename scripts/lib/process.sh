# Background processes of the lab. Each is remembered by its id and its start time, because an id
# alone may belong to somebody else's process by now; nothing else is ever ended.
# shellcheck shell=bash

# The start time of a process in clock ticks since boot (field 22 of its stat; the name in field 2
# may hold spaces, so everything up to its closing bracket goes first).
process_start_time() {
    local stat
    stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1
    # shellcheck disable=SC2086 # the fields are to be split
    set -- ${stat##*) }
    echo "${20}"
}

# process_runs NAME: whether the process that we started under this name still runs.
process_runs() {
    local pid started
    read -r pid started 2>/dev/null <"$LAB_DIR/run/$1.process" || return 1
    [ "$(process_start_time "$pid")" = "$started" ] && [ "$(process_state "$pid")" != Z ]
}

# One letter; a zombie (Z) has ended, even where nobody has asked for its exit code.
process_state() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null; }

# process_start NAME user|root COMMAND...: starts a daemon that outlives this script and its terminal.
process_start() {
    local name=$1 who=$2 pid run=()
    shift 2
    if [ "$who" = root ]; then run=(as_root); fi
    mkdir -p "$LAB_DIR/run"
    # The inner shell says the id of the daemon itself, not that of sudo. Descriptor 9 holds the
    # lab's lock; a daemon that kept it would lock everybody out.
    # shellcheck disable=SC2016 # expanded by the inner shell
    pid="$("${run[@]}" bash -c 'setsid nohup "${@:2}" </dev/null >>"$1" 2>&1 9>&- & echo $!' \
        start "$LAB_DIR/$name.log" "$@")"
    echo "$pid $(process_start_time "$pid")" >"$LAB_DIR/run/$name.process"
}

# process_stop NAME: SIGTERM, and SIGKILL if that did not help within 20 s.
process_stop() {
    local name=$1 pid signal
    if ! process_runs "$name"; then
        rm -f "$LAB_DIR/run/$name.process"
        return
    fi
    read -r pid _ <"$LAB_DIR/run/$name.process"
    for signal in TERM KILL; do
        if process_runs "$name"; then kill_as_owner "$signal" "$pid"; fi
        if wait_until 20 process_gone "$name"; then
            rm -f "$LAB_DIR/run/$name.process"
            say "stopped $name"
            return
        fi
    done
    die "$name (process $pid) does not end" "see $LAB_DIR/$name.log"
}

process_gone() { ! process_runs "$1"; }

kill_as_owner() { kill "-$1" "$2" 2>/dev/null || as_root kill "-$1" "$2" || true; }
