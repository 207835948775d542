# What the scripts of clients share: a place of their own, steps that print a line each, and an end that leaves nothing.
# RUNTIME is the runtime under test, PLACE an empty directory of ours, BUSYBOX a static busybox.
set -uo pipefail
export HOME=$PLACE LANG=C.UTF-8
unset XDG_RUNTIME_DIR
PIDS=()
# Some clients leave files where they were started.
cd "$PLACE" || exit

# step NAME COMMAND...: its output on one line and its exit code.
step() {
    local name=$1 said code=0
    shift
    said=$("$@" 2>&1 </dev/null) || code=$?
    # A client's end of file shows as ^@ or ^D on the terminal of script(1).
    said=$(tr -s '\r\n\0 ' ' ' <<<"$said" | sed -e 's/\^[@D]//g' -e 's/[\x08]//g' -e 's/^ *//' -e 's/ *$//')
    printf '%s:%s [%s]\n' "$name" "${said:+ $said}" "$code"
}

# quiet NAME COMMAND...: the exit code alone.
quiet() {
    local name=$1 code=0
    shift
    "$@" >>"$PLACE/said" 2>&1 </dev/null || code=$?
    printf '%s: [%s]\n' "$name" "$code"
}

# tty COMMAND...: on a terminal.
tty() { script -qec "$(printf '%q ' "$@")" /dev/null </dev/null; }

# until WHAT COMMAND...: waits at most half a minute for it to succeed.
until_so() {
    local tries
    for tries in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    return 1
}

# daemon LOG COMMAND...: begins a program that is ended at the end.
daemon() {
    local log=$1
    shift
    setsid "$@" >"$PLACE/$log" 2>&1 </dev/null &
    PIDS+=($!)
}

# What clients make outside of their places and leave, when nothing is in it any more.
sweep() {
    local name found
    for name in docker libpod_parent "execdriver-$$"; do
        for found in /sys/fs/cgroup/"$name" /sys/fs/cgroup/*/"$name"; do
            [ ! -d "$found" ] || find "$found" -depth -type d -exec rmdir {} \; 2>/dev/null
        done
    done
    rmdir "/run/containerd/runc/execdriver-$$" 2>/dev/null
}

finish() {
    local pid mount
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    # Deepest first; only what lies in our own place.
    for mount in $(awk -v at="$PLACE/" 'index($5, at) == 1 { print $5 }' /proc/self/mountinfo | sort -r); do
        umount "$mount" 2>/dev/null
    done
    sweep
}
trap finish EXIT

# A root file system with busybox under all of its names.
rootfs() {
    mkdir -p "$1"/{bin,dev,etc,proc,sys,tmp,root}
    cp "$BUSYBOX" "$1/bin/busybox"
    local name
    for name in $("$BUSYBOX" --list); do ln -s busybox "$1/bin/$name" 2>/dev/null; done
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\n' >"$1/etc/group"
    chmod 1777 "$1/tmp"
}
