#!/usr/bin/env bash
# Podman, as root or as an ordinary user.
. "$(dirname "$0")/common.sh"

rootfs "$PLACE/rootfs"
# The clients' own defaults are more than a small machine's hard limits.
cat >"$PLACE/containers.conf" <<T
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
T
export CONTAINERS_CONF=$PLACE/containers.conf
mkdir -p "$PLACE/.config/containers"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$PLACE/.config/containers/policy.json"
if [ "$(id -u)" != 0 ]; then
    export XDG_RUNTIME_DIR=$PLACE/xdg
    mkdir -m 700 "$XDG_RUNTIME_DIR"
fi
POD=(podman --root "$PLACE/root" --runroot "$PLACE/run" --tmpdir "$PLACE/tmp" --runtime "$RUNTIME" --cgroup-manager cgroupfs
    --events-backend file --storage-driver vfs)
p() { timeout 60 "${POD[@]}" "$@"; }
run() { p run --network none "$@"; }
rooted() { [ "$(id -u)" = 0 ]; }
tar -C "$PLACE/rootfs" --owner 0 --group 0 -c . | p import --signature-policy "$PLACE/.config/containers/policy.json" - bb >"$PLACE/said" 2>&1 ||
    { cat "$PLACE/said"; exit 1; }

step run run --rm bb sh -c 'echo hello; exit 5'
quiet missing run --rm bb /nope
quiet not-executable run --rm bb /etc
step terminal tty "${POD[@]}" run --network none --rm -it bb sh -c 'test -t 0 && echo terminal; exit 3'
quiet detach run -d --name c1 bb sleep 300
step exec p exec c1 sh -c 'echo inside; exit 7'
step exec-user p exec -u 1000 -w /tmp -e A=b c1 sh -c 'id -u; pwd; echo $A'
step exec-terminal tty "${POD[@]}" exec -it c1 sh -c 'test -t 0 && echo terminal; exit 4'
quiet exec-missing p exec c1 /nope
step top eval 'p top c1 | grep -c "sleep 300"'
if rooted; then
    quiet pause p pause c1
    step paused p inspect -f '{{.State.Status}}' c1
    quiet unpause p unpause c1
    quiet update p update --memory 100m c1
    step oom eval 'run --rm --memory 20m bb sh -c "a=x; while :; do a=\$a\$a; done" >/dev/null 2>&1; echo $?'
    step mapped run --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 bb sh -c 'tr -s " " </proc/self/uid_map'
fi
quiet stop p stop -t 0 c1
quiet start p start c1
quiet kill p kill c1
quiet remove p rm -f c1
step no-capabilities run --rm --cap-drop ALL bb sh -c 'grep CapEff /proc/self/status | cut -f 2'
step read-only run --rm --read-only bb sh -c 'touch /x 2>/dev/null; echo $?'
mkdir "$PLACE/volume"
echo from the host >"$PLACE/volume/file"
step volume run --rm -v "$PLACE/volume:/v:ro" bb sh -c 'cat /v/file; touch /v/x 2>/dev/null; echo $?'
step tmpfs run --rm --tmpfs /t:size=1m bb sh -c 'df -k /t | tail -n 1 | tr -s " " | cut -d " " -f 2'
step user run --rm -u 1000 bb id -u
step hostname run --rm --hostname h1 bb hostname
step logs eval 'run --name l1 bb sh -c "echo one" >/dev/null; p logs l1; p rm l1 >/dev/null'
step left p ps -aq
