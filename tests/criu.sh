#!/usr/bin/env bash
# Prints the path of a CRIU that works on this kernel: the host's own, or one of a later Debian release, unpacked with the
# libraries that it wants below target/criu; nothing of that is installed. Prints nothing where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly DIR=${CARGO_TARGET_DIR:-$PWD/target}/criu

works() { "$1" check >&2 2>/dev/null; }
# One of before 4.2 saves no TCP socket on Linux 6.16 and later, and does not say so when it checks.
recent() { works "$1" && printf '%s\n' 4.2 "$("$1" --version | sed -n 's/^Version: //p')" | sort -C -V; }

own=$(command -v criu || true)
if [ -n "$own" ] && recent "$own"; then
    echo "$own"
    exit
fi

# The packages of a release, from where this host has its own, with lists and a cache apart from the host's.
fetch() {
    local new=$DIR.new archive
    archive=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
    [ -n "$archive" ] || { echo "apt knows of no archive of Debian's" >&2; return 1; }
    rm -rf "$new"
    mkdir -p "$new"/{lists/partial,cache/archives/partial,root}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $1 main" >"$new/list"
    local apt=(apt-get -q -o "Dir::Etc::sourcelist=$new/list" -o Dir::Etc::sourceparts=- -o "Dir::State=$new"
        -o Dir::State::status=/dev/null -o "Dir::Cache=$new/cache" -o APT::Sandbox::User=root)
    "${apt[@]}" update >&2
    # Where nothing is installed, all that it wants is new.
    "${apt[@]}" install -y --download-only --no-install-recommends -o Debug::NoLocking=1 criu >&2
    local package
    for package in "$new"/cache/archives/*.deb; do dpkg-deb -x "$package" "$new/root"; done
    rm -rf "$new/cache" "$new/lists" "$new/list"
    # It is started by its own loader, as this host's libraries are older.
    cat >"$new/criu" <<'C'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
set -- "$root"/usr/sbin/criu "$@"
for loader in "$root"/usr/lib/*-linux-gnu/ld-linux-*.so.*; do
    exec "$loader" --library-path "$(dirname "$loader")" "$@"
done
C
    chmod +x "$new/criu"
    works "$new/criu" || return 1
    rm -rf "$DIR"
    mv "$new" "$DIR"
}

if ! recent "$DIR/criu" && command -v apt-get >/dev/null; then
    for release in stable testing; do
        fetch "$release" && recent "$DIR/criu" && break
    done
fi
rm -rf "$DIR.new"
for one in "$DIR/criu" "$own"; do
    if [ -n "$one" ] && works "$one"; then
        echo "$one"
        break
    fi
done
