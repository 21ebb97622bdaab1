# Compose 2.26, which Debian 12 does not have, to measure beside it.
# shellcheck shell=bash

# Unpacks compose from Debian 13 into the lab, without installing it; prints where the program is.
compose_program() {
    local folder="$LAB_DIR/compose" program
    program="$folder/usr/libexec/docker/cli-plugins/docker-compose"
    if [ ! -x "$program" ]; then
        mkdir -p "$folder/lists/partial"
        say "fetching by apt: docker-compose of Debian 13 (unpacked into the lab, not installed)"
        local keys=/usr/share/keyrings/debian-archive-keyring.gpg
        echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$folder/sources.list"
        local options=(-o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=-
            -o "Dir::State::lists=$folder/lists" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=")
        (
            cd "$folder"
            as_root apt-get "${options[@]}" update && apt-get "${options[@]}" download docker-compose &&
                dpkg-deb --extract docker-compose_*.deb .
        ) >"$folder/apt.log" 2>&1 || die "docker-compose could not be fetched: $(tail -n 3 "$folder/apt.log")" "see $folder/apt.log"
    fi
    printf '%s\n' "$program"
}
