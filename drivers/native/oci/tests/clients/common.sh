# What the scripts of clients share: a place of their own, steps that print a line each, and an end that leaves nothing.
# RUNTIME is the runtime under test, PEER its name when it is not ours, PLACE an empty directory of ours, PARENT the name
# of our cgroups, BUSYBOX a static busybox. We are the first process of a pid namespace, in a mount and a network namespace
# of our own: no bridge, rule of iptables, port, mount or file below /run is ever the machine's.
set -uo pipefail
export HOME=$PLACE LANG=C.UTF-8 TMPDIR=$PLACE/temp PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset XDG_RUNTIME_DIR
readonly REGISTRY=127.0.0.1:5000
PIDS=()
# Some clients leave files where they were started.
cd "$PLACE" || exit
mkdir -p "$TMPDIR"

# step NAME COMMAND...: its output on one line and its exit code.
step() {
    local name=$1 said code=0
    shift
    said=$("$@" 2>&1 </dev/null) || code=$?
    said=$(tr -s '\r\n\0 ' ' ' <<<"$said" | sed -e 's/^ *//' -e 's/ *$//')
    printf '%s:%s [%s]\n' "$name" "${said:+ $said}" "$code"
}

# quiet NAME COMMAND...: the exit code alone.
quiet() {
    local name=$1 code=0
    shift
    { echo "--- $name"; "$@"; } >>"$PLACE/said" 2>&1 </dev/null || code=$?
    printf '%s: [%s]\n' "$name" "$code"
}

# tty COMMAND...: on a terminal of 30 rows. The end of file of script(1) shows on it, and Docker's regret when a container was
# too quick for it.
tty() {
    script -qec "stty rows 30 cols 100; $(printf '%q ' "$@")" /dev/null </dev/null |
        sed -e 's/\^[@D]//g' -e 's/[\x08]//g' -e '/failed to resize tty/d'
}

# until_so COMMAND...: waits at most a minute for it to succeed.
until_so() {
    local tries
    for tries in $(seq 600); do
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

# What a client could leave when it has ended: processes beside ourselves, mounts, and cgroups of containers. Its own
# directories below PARENT go with us, and so do the namespace and the directory that dockerd keeps mounted, and the home of Podman's
# storage, which it mounts on itself and unmounts when its last command goes, if no other began meanwhile. To be called in a subshell,
# by nothing that runs beside it.
left_behind() {
    local pid
    until_so alone
    for pid in "${FOUND[@]}"; do printf 'process %s ' "$(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
    find /sys/fs/cgroup -mindepth 3 -type d -path "*/$PARENT/*" ! -name '*conmon*' ! -name buildkit ! -path "${NO_CGROUPS:-/}/*" 2>/dev/null
    awk -v at="$PLACE/" 'index($5, at) == 1 { print "mount", $5 }' /proc/self/mountinfo | sed -E '\#/(exec/netns/default|data|root/overlay)$#d'
}
alone() {
    local entry
    FOUND=()
    for entry in /proc/[0-9]*; do
        [ "$entry" = /proc/1 ] || [ "$entry" = "/proc/$BASHPID" ] || FOUND+=("${entry#/proc/}")
    done
    [ ${#FOUND[@]} = 0 ]
}

# Ends the client, and says what it left.
finish() {
    local pid
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    PIDS=()
    step ended left_behind
}

# A root file system with busybox under all of its names.
rootfs() {
    mkdir -p "$1"/{bin,dev,etc,proc,sys,tmp,root}
    cp "$BUSYBOX" "$1/bin/busybox"
    "$BUSYBOX" --list | (cd "$1/bin" && xargs -n 1 ln -s busybox 2>/dev/null)
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\n' >"$1/etc/group"
    chmod 1777 "$1/tmp"
}

# A registry on loopback, empty, in a directory of ours.
registry() {
    cat >"$PLACE/registry.yml" <<T
version: 0.1
storage: {filesystem: {rootdirectory: $PLACE/registry}, delete: {enabled: true}}
http: {addr: "$REGISTRY"}
T
    daemon registry.log docker-registry serve "$PLACE/registry.yml"
    until_so wget -q -O /dev/null "http://$REGISTRY/v2/"
}
wget() { "$BUSYBOX" wget "$@"; }
