#!/usr/bin/env bash
# Podman, as root or as an ordinary user.
. "$(dirname "$0")/common.sh"

rootfs "$PLACE/rootfs"
. "$(dirname "$0")/podman-common.sh"

step run run --rm bb sh -c 'echo hello; exit 5'
quiet missing run --rm bb /nope
quiet not-executable run --rm bb /etc
step terminal tty "${POD[@]}" run "${OURS[@]}" --network none --rm -it bb sh -c 'test -t 0 && echo terminal; sleep 1; exit 3'
quiet detach run -d --name c1 bb sleep 300
step exec p exec c1 sh -c 'echo inside; exit 7'
step exec-user p exec -u 1000 -w /tmp -e A=b c1 sh -c 'id -u; pwd; echo $A'
step exec-terminal tty "${POD[@]}" exec -it c1 sh -c 'test -t 0 && echo terminal; sleep 1; exit 4'
quiet exec-missing p exec c1 /nope
step terminal-lines eval 'tty "${POD[@]}" run "${OURS[@]}" --network none --rm -it bb sh -c "printf \"a\\nb\\n\"; sleep 1" | od -An -c'
step pid-container eval 'run -d --name c2 --pid container:c1 bb sleep 300 >/dev/null; p inspect -f "{{.State.Status}}" c2; p exec c2 ps | grep -c "sleep 300"; p rm -f -t 0 c2 >/dev/null 2>&1; p inspect -f "{{.State.Status}}" c1'
step top eval 'p top c1 | grep -c "sleep 300"'
if rooted; then
    quiet pause p pause c1
    step paused p inspect -f '{{.State.Status}}' c1
    quiet unpause p unpause c1
    quiet update p update --memory 100m c1
    step updated eval 'p exec c1 sh -c "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"'
    step stats p stats --no-stream --format '{{.PIDs}}' c1
    step oom eval 'run --rm --memory 20m bb sh -c "a=x; while :; do a=\$a\$a; done" >/dev/null 2>&1; echo $?'
    step pids eval 'run --rm --pids-limit 5 bb sh -c "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait" 2>&1 | grep -o "fork"'
    step mapped run --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 bb sh -c 'tr -s " " </proc/self/uid_map'
else
    step mapped run --rm bb sh -c 'wc -l </proc/self/uid_map'
    step keep-id run --rm --userns keep-id bb id -u
fi
quiet stop p stop -t 0 c1
quiet start p start c1
quiet kill p kill c1
step killed eval 'until_so is c1 "{{.State.Status}}" exited; p inspect -f "{{.State.ExitCode}}" c1'
quiet remove p rm -f c1
step no-capabilities run --rm --cap-drop ALL bb sh -c 'grep CapEff /proc/self/status | cut -f 2'
step read-only run --rm --read-only bb sh -c 'touch /x 2>/dev/null; echo $?'
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >"$PLACE/profile"
step seccomp run --rm --security-opt "seccomp=$PLACE/profile" bb sh -c 'mkdir /tmp/x 2>/dev/null; echo $?'
mkdir "$PLACE/volume"
echo from the host >"$PLACE/volume/file"
step volume run --rm -v "$PLACE/volume:/v:ro" bb sh -c 'cat /v/file; touch /v/x 2>/dev/null; echo $?'
step named-volume eval 'run --rm -v vol:/v bb sh -c "echo kept > /v/f"; run --rm -v vol:/v bb cat /v/f; p volume rm vol >/dev/null'
step tmpfs run --rm --tmpfs /t:size=1m bb sh -c 'df -k /t | tail -n 1 | tr -s " " | cut -d " " -f 2'
step tmpfs-mode run --rm --mount type=tmpfs,dst=/t,tmpfs-mode=700,tmpcopyup bb stat -c %a /t
step user run --rm -u 1000 bb id -u
step init run --rm --init bb cat /proc/1/comm
step hostname run --rm --hostname h1 bb hostname
step pod eval 'p pod create --infra=false --name pod1 >/dev/null; run --pod pod1 --rm bb echo in a pod; p pod rm -f pod1 >/dev/null'
if rooted; then
    step pod-of-all eval 'p pod create --share-parent=false --share pid,net,ipc,uts --name pod2 >/dev/null; p run "${OURS[@]}" -d --pod pod2 --name m1 bb sleep 300 >/dev/null; p exec m1 ps | grep -c "sleep 300"; p pod rm -f -t 0 pod2 >/dev/null'
fi
step logs eval 'run --name l1 bb sh -c "echo one" >/dev/null; p logs l1; p rm l1 >/dev/null'
step health eval 'run -d --name h1 --health-cmd true --health-interval disable bb sleep 300 >/dev/null; p healthcheck run h1 && p inspect -f "{{.State.Health.Status}}" h1; p rm -f -t 0 h1 >/dev/null'
step restart-policy eval 'run -d --name r1 --restart on-failure:2 bb sh -c "exit 3" >/dev/null; until_so is r1 "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}" "2 exited 3" && echo twice; p rm -f -t 0 r1 >/dev/null'
mkdir "$PLACE/build"
printf 'FROM bb\nCOPY file /file\nRUN cat /file >/x\nCMD cat /x\n' >"$PLACE/build/Dockerfile"
echo built >"$PLACE/build/file"
step build eval 'p build -q "${policy[@]}" -t built --network none "$PLACE/build" >/dev/null; run --rm built'

quiet serve p run "${OURS[@]}" -d --name w1 -p 127.0.0.1:8081:80 bb sh -c 'mkdir /w; echo served >/w/index.html; exec httpd -f -p 80 -h /w'
step port until_so wget -q -O - http://127.0.0.1:8081/
step published wget -q -O - http://127.0.0.1:8081/
step port-gone eval 'p rm -f -t 0 w1 >/dev/null; (: </dev/tcp/127.0.0.1/8081) 2>/dev/null && echo still there'

registry
quiet push p push --tls-verify=false "${policy[@]}" built "$REGISTRY/built"
quiet forget p rmi built
step pull eval 'p pull -q --tls-verify=false "${policy[@]}" "$REGISTRY/built" >/dev/null; run --rm "$REGISTRY/built"'
step left p ps -aq
# Ends the process that holds an ordinary user's namespaces.
rooted || p system migrate
finish
