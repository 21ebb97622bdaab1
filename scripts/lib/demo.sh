# The parts of `scripts/demo`: what it makes, what it runs, what it measures, what it takes away.
# shellcheck shell=bash

# Bold on a terminal only: in a file the codes are rubbish.
headline() {
    if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
        printf '\n\033[1m%s\033[0m\n' "$*"
    else
        printf '\n%s\n' "$*"
    fi
}

demo_failed() {
    say "the demo FAILED: $*"
    exit 1
}

# Everything that must exist before the first act. Each folder and name carries this process's id,
# so that two demos do not meet.
demo_prepare() {
    local lab_was_up=no
    # The lab may use an engine that is not its own; its registry tells in either case.
    if process_runs registry; then lab_was_up=yes; fi
    "$CHECKOUT/scripts/lab" up
    say "building switchback (about two minutes the first time)"
    static_build switchback
    WORK="$(mktemp -d "${TMPDIR:-/tmp}/switchback-demo.XXXXXX")"
    {
        echo "NAME=ledger-demo-$$"
        echo "PORT=$(free_port)"
        echo "LAB_WAS_UP=$lab_was_up"
    } >"$WORK/demo"
    demo_load "$WORK"
}

# demo_load FOLDER: takes up a demo that has been prepared.
demo_load() {
    WORK=$1
    [ -f "$WORK/demo" ] || die "there is no demo in $WORK"
    # shellcheck disable=SC1091 # written by demo_prepare
    . "$WORK/demo"
    set -a
    # shellcheck disable=SC1090 # written by scripts/lab
    . "$LAB_ENV"
    DOCKER_HOST="$SWITCHBACK_LAB_ENGINE"
    DOCKER_CONFIG="$SWITCHBACK_LAB_DOCKER_CONFIG"
    SWITCHBACK_CONFIG="$WORK/switchback.toml"
    SWITCHBACK_STATE="$WORK/state"
    STATIC_BIN="$(static_bin)"
    PATH="$STATIC_BIN:$PATH"
    set +a
    IMAGE="$SWITCHBACK_LAB_REGISTRY/$NAME"
    URL="http://127.0.0.1:$PORT"
}

# release VERSION: moves the tag that the service follows, as a project does that publishes.
release() {
    publish_ledger_version "$NAME:stable" "$1" "LEDGER_BUILD=$NAME" >/dev/null
    echo "published: $IMAGE:stable is now $1"
}

start_service() {
    docker volume create "$NAME" >/dev/null
    docker pull --quiet "$IMAGE:stable" >/dev/null
    docker run --detach --name "$NAME" --restart unless-stopped --publish "127.0.0.1:$PORT:8080" \
        --volume "$NAME:/data" "$IMAGE:stable" >/dev/null
    wait_until 30 answers || demo_failed "the service did not start"
    # A few rows, so that there is something to lose.
    local count
    for count in $(seq 100); do post_row || demo_failed "row $count was not taken"; done
    echo "running: container $NAME, $URL"
}

show_config() {
    cat >"$SWITCHBACK_CONFIG" <<TOML
[deployment.$NAME]
kind = "container"
engine = "$DOCKER_HOST"
image = "$IMAGE:stable"
data.policy = "snapshot"

[deployment.$NAME.health]
http = "$URL/health"
json = { "/healthy" = true }
version = "/version"
min_healthy_time = "3s"
healthy_deadline = "15s"
TOML
    sed 's/^/    /' "$SWITCHBACK_CONFIG"
}

# One request over a connection of its own; a fresh machine may have no curl. ask METHOD PATH
ask() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$PORT" || exit 1
        printf '%s %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" "$2" >&3
        timeout 5 cat <&3
    ) 2>/dev/null
}

answers() { ask GET /health | grep -q '"healthy":true'; }
post_row() { ask POST /rows | grep -q '"id"'; }
container_id() { docker inspect --format '{{.Id}}' "$NAME"; }

# json_value KEY: the number or word after that key, of JSON on stdin.
json_value() { grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2 | tr -d '" '; }

rows() { ask GET /rows | json_value count; }

expect_version() {
    local version
    version="$(ask GET /health | json_value version)" || version=nothing
    [ "$version" = "$1" ] || demo_failed "the service answers as $version, not as $1"
    echo "the service answers as $1, and healthy"
}

# run MEANING CODE ARGUMENTS...: runs switchback, which must end with that code.
run() {
    local meaning=$1 expected=$2 code=0
    shift 2
    echo "\$ switchback $*"
    switchback "$@" || code=$?
    [ "$code" -eq "$expected" ] || demo_failed "switchback $1 ended with code $code, not with $expected"
    echo "(code $code: $meaning)"
}

# under_load ACT CODE ARGUMENTS...: runs switchback while a client writes, and keeps the figures.
under_load() {
    local act=$1 expected=$2 code=0 load
    shift 2
    rows >"$WORK/$act.rows-before"
    "$STATIC_BIN/load" post "$URL/rows" >"$WORK/$act.load" &
    load=$!
    echo "$load" >"$WORK/load.pid"
    # Long enough on both sides to see that the load itself loses nothing.
    sleep 1
    echo "\$ switchback $*"
    switchback --output json "$@" >"$WORK/$act.json" || code=$?
    sleep 1
    kill -TERM "$load"
    wait "$load" || demo_failed "the load generator failed"
    rm -f "$WORK/load.pid"
    rows >"$WORK/$act.rows-after" || demo_failed "the service does not answer"
    if [ "$code" -ne "$expected" ]; then
        cat "$WORK/$act.json" >&2
        demo_failed "switchback $1 ended with code $code, not with $expected"
    fi
    echo "(code $code: $(json_value outcome <"$WORK/$act.json"))"
}

# Every row that the service has acknowledged must be there afterwards, whatever went on meanwhile.
expect_all_rows() {
    local answered before after
    answered="$(json_value answered <"$WORK/$1.load")"
    before="$(cat "$WORK/$1.rows-before")"
    after="$(cat "$WORK/$1.rows-after")"
    [ "$after" -ge $((before + answered)) ] ||
        demo_failed "of $answered rows that the service took, $((before + answered - after)) are missing"
    echo "all $answered rows that the service took meanwhile are there"
}

results() {
    printf '%-34s %9s %6s %9s %9s %12s %12s\n' '' answered lost 'longest' downtime rows rows
    printf '%-34s %9s %6s %9s %9s %12s %12s\n' '' requests '' 'gap' measured before after
    result update_good 'update to 2.0.0'
    result update_nothing 'nothing to do'
    result update_bad '3.0.0 fails, automatic way back'
    result rollback 'back to 1.0.0 by hand, with data'
    cat <<TEXT

A request is lost if it was refused or took longer than 2 s; 100 were sent a second. "Longest gap" is
what the client saw, "downtime" what Switchback says itself: on the third line that includes the time
in which 3.0.0 answered, but was ill. The rows that it took were set aside with the failed operation;
on the last line the data is that of the moment before 2.0.0, and what was written since.
TEXT
}

result() {
    local load="$WORK/$1.load" downtime
    downtime="$(json_value downtime_seconds <"$WORK/$1.json")" || downtime=
    printf '%-34s %9s %6s %9s %9s %12s %12s\n' "$2" "$(json_value answered <"$load")" "$(json_value lost <"$load")" \
        "$(json_value longest_gap_ms <"$load") ms" "${downtime:-0} s" "$(cat "$WORK/$1.rows-before")" "$(cat "$WORK/$1.rows-after")"
}

# demo_end CODE KEEP: the last act, also after a failure.
demo_end() {
    trap - EXIT
    if [ -f "$WORK/load.pid" ]; then kill "$(cat "$WORK/load.pid")" 2>/dev/null || true; fi
    if [ -n "$2" ]; then
        demo_invite
    else
        demo_remove
        if [ "$1" -eq 0 ]; then say "everything of the demo is gone again; to look around first: scripts/demo --keep"; fi
    fi
    exit "$1"
}

demo_invite() {
    cat <<TEXT

Left for you to look around:
    export DOCKER_HOST=$DOCKER_HOST SWITCHBACK_CONFIG=$SWITCHBACK_CONFIG SWITCHBACK_STATE=$SWITCHBACK_STATE
    export PATH=$STATIC_BIN:\$PATH
    switchback history
    switchback status
    docker ps --all
When you are done: scripts/demo --remove $WORK
TEXT
}

# Takes away what the demo has made: by Switchback what Switchback made, then the rest. What is found
# after that would be a defect, and is named.
demo_remove() {
    local found
    if [ -f "$SWITCHBACK_CONFIG" ]; then
        switchback forget "$NAME" --purge --yes >"$WORK/forget.log" 2>&1 || say "switchback forget: $(tail -n 3 "$WORK/forget.log")"
    fi
    docker rm --force --volumes "$NAME" >/dev/null 2>&1 || true
    found="$(docker ps --all --quiet --filter "name=$NAME")"
    if [ -n "$found" ]; then
        say "left behind by switchback, removed: $(docker ps --all --filter "name=$NAME" --format '{{.Names}}' | tr '\n' ' ')"
        # shellcheck disable=SC2086 # one id a word
        docker rm --force --volumes $found >/dev/null
    fi
    # Last: a volume that some container still has cannot be removed.
    docker volume rm "$NAME" >/dev/null 2>&1 || true
    # These images are this demo's alone: its name is in their environment.
    docker images --no-trunc --format '{{.ID}}' | sort -u | while read -r found; do
        if docker image inspect --format '{{.Config.Env}}' "$found" | grep -q "LEDGER_BUILD=$NAME"; then
            docker rmi --force "$found" >/dev/null || say "the image $found could not be removed"
        fi
    done
    rm -rf "$LAB_DIR/registry/data/docker/registry/v2/repositories/$NAME"
    if [ "$LAB_WAS_UP" = no ]; then "$CHECKOUT/scripts/lab" down; fi
    rm -rf "$WORK"
}
