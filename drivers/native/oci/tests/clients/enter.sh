#!/usr/bin/env bash
# Begins a client's script as the first process of a pid namespace, in mount, network and IPC namespaces of its own, in which
# whatever a client has outside of the places that it is told is ours: /run, its bridge, its rules, its ports.
# enter.sh [--user UID] SCRIPT
set -euo pipefail
[ "${1:-}" = --inside ] || exec unshare --mount --propagation private --net --ipc --pid --fork --kill-child --mount-proc bash "$0" --inside "$@"
shift
export PARENT=${PLACE##*/}
"$BUSYBOX" ip link set lo up
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/lock
for own in /etc/docker /etc/cni /etc/containers/networks /var/lib/containers /var/lib/cni /var/lib/docker /var/lib/containerd; do
    [ ! -d "$own" ] || mount -t tmpfs -o mode=755 none "$own"
done
# crun 1.8 refuses to run where it sees both versions of cgroups ("hybrid mode not supported"), and makes its cgroups where
# version 2 was, too: there it gets a directory of its own.
if [ "${PEER:-}" = crun ] && mountpoint -q /sys/fs/cgroup/unified; then
    umount /sys/fs/cgroup/unified
    mount -t tmpfs -o mode=755 none /sys/fs/cgroup/unified
    export NO_CGROUPS=/sys/fs/cgroup/unified
fi
[ "$1" = --user ] || exec bash "$1"
# A user of whom the machine knows: newuidmap and Podman ask for the name and for ranges of ids.
user=$2
mkdir /run/of-user
for file in passwd group subuid subgid; do cp "/etc/$file" "/run/of-user/$file" 2>/dev/null || : >"/run/of-user/$file"; done
echo "tester:x:$user:$user::$PLACE:/bin/sh" >>/run/of-user/passwd
echo "tester:x:$user:" >>/run/of-user/group
for file in subuid subgid; do echo "tester:1000000:65536" >>"/run/of-user/$file"; done
for file in passwd group subuid subgid; do
    [ -e "/etc/$file" ] || continue
    mount --bind "/run/of-user/$file" "/etc/$file"
done
# As udev has it on most machines: slirp4netns opens it.
if [ -c /dev/net/tun ]; then
    mknod -m 666 /run/of-user/tun c 10 200
    mount --bind /run/of-user/tun /dev/net/tun
fi
exec setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all bash "$3"
