#!/usr/bin/env bash
# Docker Engine: what people do with it every day, with the runtime under test as the default one.
. "$(dirname "$0")/common.sh"

rootfs "$PLACE/rootfs"
cat >"$PLACE/daemon.json" <<T
{"runtimes": {"tested": {"path": "$RUNTIME"}}, "default-runtime": "tested"}
T
daemon log dockerd --config-file "$PLACE/daemon.json" --data-root "$PLACE/data" --exec-root "$PLACE/exec" \
    --pidfile "$PLACE/pid" --host "unix://$PLACE/d.sock" --bridge none --iptables=false --ip-forward=false \
    --ip-masq=false
export DOCKER_HOST=unix://$PLACE/d.sock
d() { timeout 60 docker "$@"; }
run() { d run --network none "$@"; }
is() { [ "$(d inspect -f "$2" "$1")" = "$3" ]; }
until_so d version || { cat "$PLACE/log"; exit 1; }
tar -C "$PLACE/rootfs" --owner 0 --group 0 -c . | d import - bb >/dev/null || exit 1

step run run --rm bb sh -c 'echo hello; exit 5'
quiet missing run --rm bb /nope
quiet missing-in-path run --rm bb nope
quiet not-executable run --rm bb /etc
step terminal tty docker run --network none --rm -it bb sh -c 'test -t 0 && echo terminal; exit 3'
quiet detach run -d --name c1 bb sleep 300
step exec d exec c1 sh -c 'echo inside; exit 7'
step exec-user d exec -u 1000 -w /tmp -e A=b c1 sh -c 'id -u; pwd; echo $A'
step exec-terminal tty docker exec -it c1 sh -c 'test -t 0 && echo terminal; exit 4'
quiet exec-missing d exec c1 /nope
quiet pause d pause c1
step paused d inspect -f '{{.State.Status}}' c1
quiet unpause d unpause c1
step top eval 'd top c1 | grep -c "sleep 300"'
step stats d stats --no-stream --format '{{.PIDs}}' c1
quiet update d update --memory 100m --memory-swap 200m --pids-limit 33 --cpu-shares 512 c1
step limit eval 'd stats --no-stream --format "{{.MemUsage}}" c1 | sed "s/.*\/ //"'
quiet stop d stop -t 0 c1
quiet start d start c1
quiet restart d restart -t 0 c1
quiet kill d kill c1
quiet remove d rm -f c1
step oom eval 'run --name o1 --memory 20m bb sh -c "a=x; while :; do a=\$a\$a; done" >/dev/null 2>&1; echo $?; d inspect -f "{{.State.OOMKilled}}" o1'
step limit-inside run --rm --memory 50m bb sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'
step pids eval 'run --rm --pids-limit 5 bb sh -c "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait" 2>&1 | grep -o "fork"'
step no-capabilities run --rm --cap-drop ALL bb sh -c 'grep CapEff /proc/self/status | cut -f 2'
step read-only run --rm --read-only bb sh -c 'touch /x 2>/dev/null; echo $?'
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >"$PLACE/profile"
step seccomp run --rm --security-opt "seccomp=$PLACE/profile" bb sh -c 'mkdir /tmp/x 2>/dev/null; echo $?'
step default-seccomp run --rm bb sh -c 'grep Seccomp: /proc/self/status | cut -f 2'
step unconfined run --rm --security-opt seccomp=unconfined bb sh -c 'grep Seccomp: /proc/self/status | cut -f 2'
step no-new-privileges run --rm --security-opt no-new-privileges bb sh -c 'grep NoNewPrivs /proc/self/status | cut -f 2'
mkdir "$PLACE/volume"
echo from the host >"$PLACE/volume/file"
step volume run --rm -v "$PLACE/volume:/v:ro" bb sh -c 'cat /v/file; touch /v/x 2>/dev/null; echo $?'
step named-volume eval 'run --rm -v vol:/v bb sh -c "echo kept > /v/f"; run --rm -v vol:/v bb cat /v/f'
step tmpfs run --rm --tmpfs /t:size=1m bb sh -c 'df -k /t | tail -n 1 | tr -s " " | cut -d " " -f 2'
step user run --rm -u 1000:1000 bb sh -c 'id -u; echo reopened >/dev/stdout'
step init eval 'run --rm --init bb sh -c "cat /proc/1/comm"'
step ulimit run --rm --ulimit nofile=100:200 bb sh -c 'ulimit -n'
step sysctl run --rm --sysctl net.ipv4.ip_forward=1 bb cat /proc/sys/net/ipv4/ip_forward
step device run --rm --device /dev/fuse bb sh -c 'test -c /dev/fuse && echo there'
step hostname run --rm --hostname h1 bb hostname
step shm run --rm --shm-size 10m bb sh -c 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2'
step oom-score run --rm --oom-score-adj 500 bb cat /proc/self/oom_score_adj
quiet host-pid run --rm --pid host bb true
quiet host-ipc run --rm --ipc host bb true
quiet host-network d run --rm --network host bb true
step health eval 'run -d --name h1 --health-cmd true --health-interval 1s bb sleep 300 >/dev/null; until_so is h1 "{{.State.Health.Status}}" healthy && echo healthy; d rm -f h1 >/dev/null'
step restart-policy eval 'run -d --name r1 --restart on-failure:2 bb sh -c "exit 3" >/dev/null; until_so is r1 "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}" "2 exited 3" && echo twice; d rm -f r1 >/dev/null'
mkdir "$PLACE/build"
printf 'FROM bb\nRUN echo built >/x\nCMD cat /x\n' >"$PLACE/build/Dockerfile"
step build eval 'DOCKER_BUILDKIT=0 d build -q -t built "$PLACE/build" >/dev/null 2>&1; run --rm built'
step logs eval 'run --name l1 bb sh -c "echo one; echo two >&2" >/dev/null 2>&1; d logs l1 2>&1 | sort; d rm l1 >/dev/null'
step left eval 'd rm -f o1 >/dev/null; d ps -aq; ls "$PLACE"/exec/runtime-runc/moby 2>/dev/null'
