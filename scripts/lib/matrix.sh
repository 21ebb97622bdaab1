# The tests of the command on each engine, and the table of what came out.
# shellcheck shell=bash

MATRIX="20.10 debian-26 forky-28 podman-5"

# matrix [ENGINE...]: those that are not named keep their rows.
matrix() {
    local name failed=0
    if [ $# -eq 0 ]; then
        # shellcheck disable=SC2086 # one engine a word
        set -- $MATRIX
    fi
    need_lab
    mkdir -p "$LAB_DIR/matrix"
    for name in "$@"; do
        case " $MATRIX " in
        *" $name "*) matrix_run "$name" || failed=1 ;;
        *) die "there is no engine '$name'" "one of: $MATRIX" ;;
        esac
    done
    matrix_write >"$LAB_DIR/matrix/engines.md"
    cp "$LAB_DIR/matrix/engines.md" "$CHECKOUT/docs/engines.md"
    matrix_table
    return "$failed"
}

# Those that have an engine of their own say nothing about this one, and the sweeps over kills at each
# request and record are as long as all the rest; kills at random moments are among them.
MATRIX_SKIPPED="--skip pruning --skip restarting --skip killing:: --skip killing_at_records --skip suspending::an_engine
    --skip full_target --skip full_engine --skip late::a_creation --skip late::a_start --skip giving_up"
# Those of what happens to an engine take the spare one, which is a 20.10, whichever engine is tried.
MATRIX_SKIPPED_SPARE="--skip conforming::a_process_that_crashes --skip conforming::an_engine_
    --skip conforming::a_prune_ --skip conforming::a_stop_whose_caller --skip conforming::a_start_whose_caller"
# Nor do those about sockets, disks and users of this machine about an engine that is a container; and
# it does not reach the registries that tests let fail or count at, which listen on this machine only.
MATRIX_SKIPPED_OWN="--skip bad_engine --skip bad_store --skip unwritable --skip registries --skip counting::where_nothing"
# The fake engine stands for Docker, and is not held to another.
MATRIX_SKIPPED_PODMAN="--skip conforming"

matrix_run() {
    local name=$1 url=$SWITCHBACK_LAB_ENGINE log="$LAB_DIR/matrix/$1.log" code=0
    local skipped=$MATRIX_SKIPPED
    if [ "$name" != 20.10 ]; then
        url="$("$CHECKOUT/scripts/lab" engine "$name")"
        skipped="$skipped $MATRIX_SKIPPED_OWN $MATRIX_SKIPPED_SPARE"
    fi
    case $name in podman-*) skipped="$skipped $MATRIX_SKIPPED_PODMAN" ;; esac
    say "== $name at $url"
    # Folders that tests mount have to be where an engine in a container sees them too; other users
    # of this machine, whom tests of its own engine play, may not see those.
    [ "$name" = 20.10 ] || local -x TMPDIR="$LAB_DIR/tmp"
    mkdir -p "${TMPDIR:-/tmp}"
    # shellcheck disable=SC2086 # one word each
    SWITCHBACK_LAB_ENGINE="$url" RUST_BACKTRACE=0 RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}" \
        cargo test -p switchback --test live -- $skipped >"$log" 2>&1 || code=$?
    matrix_row "$name" "$url" "$log" >"$LAB_DIR/matrix/$name.row"
    matrix_reasons "$name" "$log" >"$LAB_DIR/matrix/$name.reasons"
    cat "$LAB_DIR/matrix/$name.row" >&2
    return "$code"
}

# One row: the engine, what it speaks, how it was reached, and how many tests passed.
matrix_row() {
    local result way=socket
    result="$(grep '^test result' "$3" | tail -n 1)"
    case $2 in tcp://*) way=TCP ;; esac
    printf '| %s | %s | %s | %s | %s |\n' "$(matrix_engine "$2")" "$(matrix_api "$2")" "$way" \
        "$(sed -n 's/.* \([0-9]*\) passed.*/\1/p' <<<"$result")" "$(sed -n 's/.* \([0-9]*\) failed.*/\1/p' <<<"$result")"
}

matrix_engine() {
    docker --host "$1" version --format '{{(index .Server.Components 0).Name}} {{.Server.Version}}' |
        sed 's/^Engine /Docker /; s/^Podman Engine /Podman /; s/+dfsg[0-9]*//'
}

# Podman's own version stands where an engine's API version stands in Docker's client.
matrix_api() {
    docker --host "$1" version --format '{{.Server.APIVersion}}' | sed 's/^[2-9]\..*/1.41 (of Docker)/'
}

# The tests that failed, each with what it said first.
matrix_reasons() {
    local name=$1 log=$2 test reason
    grep -q '^test .* FAILED$' "$log" || return 0
    printf '\n### %s\n\n' "$name"
    sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | sort | while read -r test; do
        reason="$(awk -v head="---- $test stdout ----" '$0 == head {on = 1; next} /^---- / {on = 0} on && NF && !/panicked at/' "$log" |
            grep -m 1 -iE 'error response|error:|"message":|Why:|should be|failed|->|in vain' | tr -s ' ' | cut -c 1-240)"
        # shellcheck disable=SC2016 # Markdown's own quotes
        printf -- '- `%s`: %s\n' "${test#*::}" "$(sed 's/it-[a-z0-9]*-[0-9a-f]*-[0-9]*/NAME/g; s/127\.0\.0\.1:[0-9]*/REGISTRY/g' <<<"$reason")"
    done
}

matrix_table() {
    local name
    echo '| engine | API | reached by | passed | failed |'
    echo '| --- | --- | --- | --- | --- |'
    for name in $MATRIX; do cat "$LAB_DIR/matrix/$name.row" 2>/dev/null || true; done
}

matrix_write() {
    local name
    sed '/^<!-- table/q' "$CHECKOUT/docs/engines.md"
    echo
    matrix_table
    for name in $MATRIX; do cat "$LAB_DIR/matrix/$name.reasons" 2>/dev/null || true; done
}
