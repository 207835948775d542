#!/usr/bin/env bash
# Docker Engine: what people do with it every day, with the runtime under test as the default one.
. "$(dirname "$0")/common.sh"

rootfs "$PLACE/rootfs"
cat >"$PLACE/daemon.json" <<T
{"runtimes": {"tested": {"path": "$RUNTIME"}}, "default-runtime": "tested"}
T
# BuildKit takes the first runc that it finds.
mkdir "$PLACE/bin"
ln -s "$RUNTIME" "$PLACE/bin/runc"
PATH=$PLACE/bin:$PATH daemon log dockerd --config-file "$PLACE/daemon.json" --data-root "$PLACE/data" \
    --exec-root "$PLACE/exec" --pidfile "$PLACE/pid" --host "unix://$PLACE/d.sock" --cgroup-parent "/$PARENT"
export DOCKER_HOST=unix://$PLACE/d.sock
d() { timeout 120 docker "$@"; }
run() { d run --network none "$@"; }
is() { [ "$(d inspect -f "$2" "$1")" = "$3" ]; }
until_so d version || { cat "$PLACE/log"; exit 1; }
tar -C "$PLACE/rootfs" --owner 0 --group 0 -c . | d import - bb >/dev/null || exit 1
docker events --format '{{.Action}}' >"$PLACE/events" 2>&1 </dev/null &
PIDS+=($!)
made=()

step run run --rm bb sh -c 'echo hello; exit 5'
quiet missing run --rm bb /nope
quiet missing-in-path run --rm bb nope
quiet not-executable run --rm bb /etc
step terminal tty docker run --network none --rm -it bb sh -c 'test -t 0 && echo terminal; sleep 1; exit 3'
step terminal-size tty docker run --network none --rm -it bb sh -c 'until stty size 2>/dev/null | grep -q "30 100"; do sleep 0.1; done; echo sized'
step terminal-lines eval 'tty docker run --network none --rm -it bb sh -c "printf \"a\\nb\\n\"; sleep 1" | od -An -c'
quiet detach run -d --name c1 bb sleep 300
step exec d exec c1 sh -c 'echo inside; exit 7'
step exec-user d exec -u 1000 -w /tmp -e A=b c1 sh -c 'id -u; pwd; echo $A'
step exec-terminal tty docker exec -it c1 sh -c 'test -t 0 && echo terminal; sleep 1; exit 4'
step exec-stdin eval 'echo through | docker exec -i c1 cat'
quiet exec-missing d exec c1 /nope
step exec-detached eval 'd exec -d c1 sh -c "echo later >/tmp/d"; until_so d exec c1 cat /tmp/d; d exec c1 cat /tmp/d'
step pid-container eval 'run -d --name c2 --pid container:c1 bb sleep 300 >/dev/null; d inspect -f "{{.State.Status}}" c2; d exec c2 ps | grep -c "sleep 300"; d rm -f c2 >/dev/null; d inspect -f "{{.State.Status}}" c1'
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
step killed d inspect -f '{{.State.ExitCode}} {{.State.Status}}' c1
quiet remove d rm -f c1
step oom eval 'run --name o1 --memory 20m bb sh -c "a=x; while :; do a=\$a\$a; done" >/dev/null 2>&1; echo $?; d inspect -f "{{.State.OOMKilled}}" o1; d rm o1 >/dev/null'
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
step volume-written eval 'run --rm -v "$PLACE/volume:/v" bb sh -c "echo from inside >/v/new"; cat "$PLACE/volume/new"'
step named-volume eval 'run --rm -v vol:/v bb sh -c "echo kept > /v/f"; run --rm -v vol:/v bb cat /v/f; d volume rm vol >/dev/null'
step tmpfs run --rm --tmpfs /t:size=1m bb sh -c 'df -k /t | tail -n 1 | tr -s " " | cut -d " " -f 2'
step user run --rm -u 1000:1000 bb sh -c 'id -u; echo reopened >/dev/stdout'
step init eval 'run --rm --init bb sh -c "cat /proc/1/comm"'
step ulimit run --rm --ulimit nofile=100:200 bb sh -c 'ulimit -n'
step sysctl run --rm --sysctl net.ipv4.ip_forward=1 bb cat /proc/sys/net/ipv4/ip_forward
step device run --rm --device /dev/fuse bb sh -c 'test -c /dev/fuse && echo there'
step hostname run --rm --hostname h1 bb hostname
step shm run --rm --shm-size 10m bb sh -c 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2'
step oom-score run --rm --oom-score-adj 500 bb cat /proc/self/oom_score_adj
step ipc-container eval 'run -d --name i1 --ipc shareable bb sh -c "echo shared >/dev/shm/f; sleep 300" >/dev/null; until_so d exec i1 cat /dev/shm/f; run --rm --ipc container:i1 bb cat /dev/shm/f; d rm -f i1 >/dev/null'
step cgroup-private run --rm --cgroupns private bb sh -c 'grep pids: /proc/self/cgroup | cut -d : -f 3'
step cpus run --rm --cpus 0.5 --cpuset-cpus 0 bb sh -c 'cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpuset/cpuset.cpus 2>/dev/null || cat cpu.max cpuset.cpus'
step stop-signal eval 'run -d --name s1 --stop-signal USR1 bb sh -c "trap \"exit 9\" USR1; touch /ready; while :; do sleep 0.1; done" >/dev/null; until_so d exec s1 ls /ready; d stop s1 >/dev/null; d wait s1; d rm s1 >/dev/null'
step commit eval 'run --name k1 bb sh -c "echo kept >/committed"; d diff k1; d commit k1 kk >/dev/null; run --rm kk cat /committed; d rm k1 >/dev/null'
step not-a-directory eval 'run --rm -v "$PLACE/volume/file:/etc" bb true 2>&1 | grep -o "not a directory"'
quiet host-pid run --rm --pid host bb true
quiet host-ipc run --rm --ipc host bb true
quiet host-network d run --rm --network host bb true
step copy eval 'run -d --name y1 bb sleep 300 >/dev/null; echo copied >"$PLACE/copy"; d cp "$PLACE/copy" y1:/tmp/in; d exec y1 cat /tmp/in; d cp y1:/tmp/in - | tar -xO; d rm -f y1 >/dev/null'

# Ports: by docker-proxy from loopback, by the rules of iptables from elsewhere, between containers by their bridge.
quiet serve d run -d --name w1 -p 127.0.0.1:8081:80 bb sh -c 'mkdir /w; echo served >/w/index.html; exec httpd -f -p 80 -h /w'
step port until_so wget -q -O - http://127.0.0.1:8081/
step published wget -q -O - http://127.0.0.1:8081/
step port-list d port w1
step bridge d run --rm --link w1:web bb wget -q -O - http://web/
step port-gone eval 'd rm -f w1 >/dev/null; (: </dev/tcp/127.0.0.1/8081) 2>/dev/null && echo still there'

step health eval 'run -d --name h1 --health-cmd true --health-interval 1s bb sleep 300 >/dev/null; until_so is h1 "{{.State.Health.Status}}" healthy && echo healthy; d rm -f h1 >/dev/null'
step unhealthy eval 'run -d --name h2 --health-cmd "exit 1" --health-interval 1s --health-retries 1 bb sleep 300 >/dev/null; until_so is h2 "{{.State.Health.Status}}" unhealthy && echo unhealthy; d rm -f h2 >/dev/null'
step restart-policy eval 'run -d --name r1 --restart on-failure:2 bb sh -c "exit 3" >/dev/null; until_so is r1 "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}" "2 exited 3" && echo twice; d rm -f r1 >/dev/null'
mkdir "$PLACE/build"
printf 'FROM bb\nCOPY file /file\nRUN cat /file >/x\nCMD cat /x\n' >"$PLACE/build/Dockerfile"
echo built >"$PLACE/build/file"
step build eval 'DOCKER_BUILDKIT=0 d build -q -t built --network none "$PLACE/build" >/dev/null; run --rm built'
step build-kit eval 'DOCKER_BUILDKIT=1 d build -q -t built2 --network none "$PLACE/build" >/dev/null; run --rm built2'
step logs eval 'run --name l1 bb sh -c "echo one; echo two >&2" >/dev/null 2>&1; d logs l1 2>&1 | sort; d rm l1 >/dev/null'

registry
quiet push eval 'd tag built $REGISTRY/built && d push $REGISTRY/built && d rmi $REGISTRY/built built'
step pull eval 'd pull -q $REGISTRY/built; run --rm $REGISTRY/built'

step events eval 'for e in create start die oom pause unpause kill update destroy exec_start "health_status: healthy"; do grep -q "^$e" "$PLACE/events" && printf "%s " "$e"; done'
step many eval 'for i in 1 2 3 4 5 6 7 8 9 10; do run -d --name "m$i" bb sleep 300 >/dev/null 2>&1 & made+=($!); done; wait "${made[@]}"; d ps -q | wc -l; d rm -f $(d ps -aq) >/dev/null'
step left eval 'd ps -aq; ls "$PLACE"/exec/runtime-runc/moby 2>/dev/null'
finish
