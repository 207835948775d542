#!/usr/bin/env bash
# containerd by its own command ctr: run, exec, pause, kill, events, a terminal, many at once.
. "$(dirname "$0")/common.sh"

cat >"$PLACE/config.toml" <<T
version = 2
root = "$PLACE/root"
state = "$PLACE/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$PLACE/c.sock"
[ttrpc]
  address = "$PLACE/c.sock.ttrpc"
T
rootfs "$PLACE/rootfs"
daemon log containerd --config "$PLACE/config.toml"
# A namespace of our own: its name is in paths outside of our place, too.
c() { timeout 60 ctr --address "$PLACE/c.sock" --namespace "execdriver-$$" "$@"; }
run() { c run --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" --rootfs "$@"; }
status() { c task ls | awk -v id="$1" '$1 == id { print $3 }'; }
has_status() { [ "$(status "$1")" = "$2" ]; }
parallel() {
    local i jobs=()
    for i in $(seq 50); do
        run --rm "$PLACE/rootfs" "p$i" /bin/sh -c "exit $i" >/dev/null 2>&1 </dev/null &
        jobs+=($!)
    done
    local right=0
    for i in $(seq 50); do
        wait "${jobs[i - 1]}"
        [ $? = "$i" ] && right=$((right + 1))
    done
    echo "$right of 50"
}
until_so c version || { cat "$PLACE/log"; exit 1; }
c events >"$PLACE/events" 2>&1 </dev/null &
PIDS+=($!)

step run run --rm "$PLACE/rootfs" r1 /bin/sh -c 'echo hello; exit 5'
step missing eval 'run --rm "$PLACE/rootfs" r2 /nope 2>&1 | grep -o "no such file or directory"'
step terminal tty ctr --address "$PLACE/c.sock" --namespace "execdriver-$$" run --rm --tty \
    --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" --rootfs "$PLACE/rootfs" r3 /bin/sh -c 'test -t 0 && echo terminal; sleep 1; exit 3'
quiet detach run --detach "$PLACE/rootfs" d1 /bin/sleep 300
step running status d1
step exec c task exec --exec-id e1 d1 /bin/sh -c 'echo inside; exit 4'
step exec-terminal tty ctr --address "$PLACE/c.sock" --namespace "execdriver-$$" task exec --tty --exec-id e2 d1 /bin/sh -c 'test -t 0 && echo terminal; sleep 1; exit 6'
step processes eval 'c task ps d1 | wc -l'
step metrics eval 'c task metrics d1 | grep -c -E "^(memory.usage_in_bytes|pids.current)"'
quiet pause c task pause d1
step paused status d1
quiet resume c task resume d1
step resumed status d1
quiet kill c task kill --signal SIGKILL d1
step stopped eval 'until_so has_status d1 STOPPED && echo stopped'
quiet delete c task delete d1
quiet remove c container rm d1
step oom eval 'run --rm --memory-limit 20971520 "$PLACE/rootfs" o1 /bin/sh -c "a=x; while :; do a=\$a\$a; done" >/dev/null 2>&1; echo $?'
step events eval 'sleep 1; for e in create start exit delete paused resumed oom exec-added; do grep -q "/tasks/$e " "$PLACE/events" && printf "%s " $e; done'
step parallel parallel
step left c container ls --quiet
