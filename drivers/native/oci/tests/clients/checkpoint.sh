#!/usr/bin/env bash
# Containers that are saved and made anew by the clients: containerd's tasks, with and without their end, Podman's
# and Docker's.
. "$(dirname "$0")/common.sh"

# The clients look for it by its name.
mkdir "$PLACE/criu"
ln -s "$CRIU" "$PLACE/criu/criu"
export PATH=$PLACE/criu:$PATH
. "$(dirname "$0")/containerd-common.sh"
until_so c version || { cat "$PLACE/log"; exit 1; }
quiet import image

# It counts in memory alone; what it has counted to is asked by a signal.
COUNT='n=0; trap "echo \$n >/tmp/said" USR1; while :; do n=$((n+1)); sleep 0.1; done'
# counts CLIENT ID: the number, after this moment.
number() {
    "$@" /bin/sh -c 'rm -f /tmp/said; kill -USR1 1; while [ ! -s /tmp/said ]; do sleep 0.1; done; cat /tmp/said'
}
more_than() { [ "$1" -ge "$2" ] && [ "$2" -gt 0 ] && echo "it goes on"; }

quiet run c run --detach --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" "$REGISTRY/bb:1" s1 /bin/sh -c "$COUNT"
sleep 2
before=$(number c task exec --exec-id e1 s1 2>>"$PLACE/said")
quiet task-checkpoint c task checkpoint --image-path "$PLACE/images" --work-path "$PLACE/work" s1
step files eval 'ls "$PLACE/images" | grep -c -E "^(pstree|inventory)\.img$"'
step still status s1
step goes-on more_than "$(number c task exec --exec-id e2 s1 2>>"$PLACE/said")" "$before"
quiet checkpoint c container checkpoint --task s1 "$REGISTRY/s1:1"
step after status s1
quiet kill c task kill --signal SIGKILL s1
step stopped eval 'until_so has_status s1 STOPPED && echo stopped'
quiet delete c task delete s1
quiet remove c container rm s1
quiet restore c container restore --live s2 "$REGISTRY/s1:1"
step restored status s2
step where-it-was more_than "$(number c task exec --exec-id e3 s2 2>>"$PLACE/said")" "$before"
quiet kill-restored c task kill --signal SIGKILL s2
step stopped-restored eval 'until_so has_status s2 STOPPED && echo stopped'
quiet delete-restored c task delete s2
quiet remove-restored c container rm s2

. "$(dirname "$0")/podman-common.sh"
quiet podman-run p run "${OURS[@]}" --network none -d --name p1 bb sh -c "$COUNT"
sleep 2
before=$(number p exec p1 2>>"$PLACE/said")
quiet podman-checkpoint p container checkpoint p1
step podman-exited p inspect -f '{{.State.Status}}' p1
quiet podman-restore p container restore p1
step podman-restored p inspect -f '{{.State.Status}}' p1
step podman-where-it-was more_than "$(number p exec p1 2>>"$PLACE/said")" "$before"
quiet podman-leave p container checkpoint --leave-running --export "$PLACE/p1.tar.gz" p1
quiet podman-remove p rm -f -t 0 p1
quiet podman-import p container restore --import "$PLACE/p1.tar.gz"
step podman-imported more_than "$(number p exec p1 2>>"$PLACE/said")" "$before"
quiet podman-end p rm -f -t 0 p1

# Docker has it among its experiments.
[ -d "$PLACE/rootfs" ] || rootfs "$PLACE/rootfs"
cat >"$PLACE/daemon.json" <<T
{"runtimes": {"tested": {"path": "$RUNTIME"}}, "default-runtime": "tested", "experimental": true}
T
daemon docker.log dockerd --config-file "$PLACE/daemon.json" --data-root "$PLACE/data" --exec-root "$PLACE/exec" \
    --pidfile "$PLACE/pid" --host "unix://$PLACE/d.sock" --cgroup-parent "/$PARENT"
export DOCKER_HOST=unix://$PLACE/d.sock
d() { timeout 120 docker "$@"; }
until_so d version || { cat "$PLACE/docker.log"; exit 1; }
tar -C "$PLACE/rootfs" --owner 0 --group 0 -c . | d import - bb >/dev/null || exit 1
docker_status() { d inspect -f '{{.State.Status}}' "$1"; }
quiet docker-run d run -d --network none --name d1 bb sh -c "$COUNT"
sleep 2
quiet docker-leave d checkpoint create --leave-running d1 k0
step docker-left docker_status d1
before=$(number d exec d1 2>>"$PLACE/said")
quiet docker-checkpoint d checkpoint create d1 k1
step docker-list d checkpoint ls d1
step docker-exited eval 'until_so eval "[ \$(docker_status d1) = exited ]" && echo exited'
# Its containerd may not have forgotten yet what it had of the checkpoint: "content sha256:...: already exists", with any runtime.
quiet docker-restore until_so d start --checkpoint k1 d1
step docker-restored docker_status d1
step docker-where-it-was more_than "$(number d exec d1 2>>"$PLACE/said")" "$before"
quiet docker-end d rm -f d1
finish
