#!/usr/bin/env bash
# containerd by its own command ctr: run, exec, pause, kill, events, a terminal, many at once, a registry.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/containerd-common.sh"

RUN=("${CTR[@]}" run --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME")
run() { timeout 120 "${RUN[@]}" --rootfs "$@"; }
parallel() {
    local i jobs=() right=0
    for i in $(seq 50); do
        run --rm "$PLACE/rootfs" "p$i" /bin/sh -c "exit $i" >/dev/null 2>&1 </dev/null &
        jobs+=($!)
    done
    for i in $(seq 50); do
        wait "${jobs[i - 1]}"
        [ $? = "$i" ] && right=$((right + 1))
    done
    echo "$right of 50"
}
until_so c version || { cat "$PLACE/log"; exit 1; }
c events >"$PLACE/events" 2>&1 </dev/null &
PIDS+=($!)

# ctr closes its end of the streams as soon as it hears that a task has ended, with what it has not read by then: on a busy
# machine a task that is asked for words lingers.
step run run --rm "$PLACE/rootfs" r1 /bin/sh -c 'echo hello; sleep 1; exit 5'
step missing eval 'run --rm "$PLACE/rootfs" r2 /nope 2>&1 | grep -o "no such file or directory" | uniq'
step terminal tty "${RUN[@]}" --rm --tty --rootfs "$PLACE/rootfs" r3 /bin/sh -c 'test -t 0 && echo terminal; sleep 1; exit 3'
quiet detach run --detach "$PLACE/rootfs" d1 /bin/sleep 300
step running status d1
step exec c task exec --exec-id e1 d1 /bin/sh -c 'echo inside; sleep 1; exit 4'
step exec-user c task exec --exec-id e3 --user 1000 --cwd /tmp d1 /bin/sh -c 'id -u; pwd; sleep 1'
step exec-terminal tty "${CTR[@]}" task exec --tty --exec-id e2 d1 /bin/sh -c 'test -t 0 && echo terminal; sleep 1; exit 6'
step exec-missing eval 'c task exec --exec-id e4 d1 /nope 2>&1 | grep -o "no such file or directory" | uniq'
step exec-detached eval 'c task exec --detach --exec-id e5 d1 /bin/sleep 300; c task ps d1 | grep -c e5; c task kill --exec-id e5 --signal SIGKILL d1; until_so eval "! c task ps d1 | grep -q e5" && echo ended'
step pid-joined eval 'pid=$(c task ls | awk "\$1 == \"d1\" { print \$2 }"); run --detach --with-ns "pid:/proc/$pid/ns/pid" "$PLACE/rootfs" j1 /bin/sleep 300; status j1; c task exec --exec-id e6 j1 /bin/ps | grep -c "sleep 300"; c task kill --signal SIGKILL j1; until_so has_status j1 STOPPED; c task delete j1 2>/dev/null; c container rm j1; status d1'
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
# A shim that is killed leaves its container to containerd, which has the runtime delete it.
step shim-killed eval 'run --detach "$PLACE/rootfs" k1 /bin/sleep 301; kill -9 $(pgrep -f "containerd-shim.* -id k1"); until_so eval "! pgrep -f \"sleep 301\"" && echo ended; until_so eval "! c task ls | grep -q k1"; c container rm k1'
quiet limited run --detach --memory-limit 52428800 "$PLACE/rootfs" l1 /bin/sleep 300
step memory eval 'cat /sys/fs/cgroup/memory/$PARENT/l1/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/$PARENT/l1/memory.max'
quiet end eval 'c task kill --signal SIGTERM l1; c task kill --signal SIGKILL l1; until_so has_status l1 STOPPED; c task delete l1 && c container rm l1'
step read-only run --rm --read-only "$PLACE/rootfs" l2 /bin/sh -c 'touch /x 2>/dev/null; echo $?; sleep 1'
step mount run --rm --mount "type=bind,src=$PLACE/config.toml,dst=/tmp/f,options=rbind:ro" "$PLACE/rootfs" l3 /bin/sh -c 'head -n 1 /tmp/f; echo x 2>/dev/null >/tmp/f; echo $?; sleep 1'
step seccomp run --rm --seccomp "$PLACE/rootfs" l4 /bin/sh -c 'grep Seccomp: /proc/self/status | cut -f 2; sleep 1'
step events eval 'until_so grep -q "/tasks/oom " "$PLACE/events"; for e in create start exit delete paused resumed oom exec-added exec-started; do grep -q "/tasks/$e " "$PLACE/events" && printf "%s " $e; done'
step parallel parallel

# Containers outlive their daemon.
quiet kept run --detach "$PLACE/rootfs" t1 /bin/sleep 300
kill "${PIDS[0]}"
wait "${PIDS[0]}"
daemon log2 containerd --config "$PLACE/config.toml"
step survives eval 'until_so c version; status t1; c task exec --exec-id e7 t1 /bin/echo back; c task kill --signal SIGKILL t1; until_so has_status t1 STOPPED; c task delete t1 2>/dev/null; c container rm t1'

# An image that we make, to a registry and back.
registry
quiet import image
quiet push c images push --plain-http "$REGISTRY/bb:1"
quiet forget c images rm --sync "$REGISTRY/bb:1"
quiet pull c images pull --plain-http "$REGISTRY/bb:1"
step of-image timeout 120 "${RUN[@]}" --rm "$REGISTRY/bb:1" i1
step left eval 'c container ls --quiet; c task ls --quiet'
finish
