#!/bin/busybox sh
# The first process of the machine, on its real root: set up what a host has, run the job, say how it ended, power off.
#
# /vm/out is the host's: `job` is a bash script, `log` what it said, `status` its exit status, written last.
# The kernel's command line chooses: vm.cgroup=v2|v1|hybrid, vm.user=UID (0: root).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/vm/bin
b=/vm/bin/busybox
for applet in modprobe poweroff; do $b ln -sf busybox /vm/bin/$applet; done

option() { $b sed -n "s/.*vm\\.$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }

# A project below /tmp or /run (or /root, whose mode is open here) must be seen through what is mounted there.
hidden() {
    for pair in $(option shares | $b tr , ' '); do
        case ${pair#*:} in /tmp/* | /run/*) echo "$pair" ;; esac
    done
}

keep_hidden() {
    for pair in $(hidden); do
        $b mkdir -p "/vm/kept/${pair%%:*}"
        $b mount --bind "${pair#*:}" "/vm/kept/${pair%%:*}"
    done
}

show_hidden() {
    for pair in $(hidden); do
        $b mkdir -p "${pair#*:}"
        $b mount --bind "/vm/kept/${pair%%:*}" "${pair#*:}"
    done
}

mounts() {
    $b mount -t proc -o nosuid,nodev,noexec proc /proc
    keep_hidden
    $b mount -t sysfs -o nosuid,nodev,noexec sys /sys
    $b mount -t devtmpfs -o nosuid,mode=755 dev /dev
    $b mkdir -p /dev/pts /dev/shm /dev/mqueue
    $b mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 pts /dev/pts
    $b mount -t tmpfs -o nosuid,nodev shm /dev/shm
    $b mount -t mqueue mqueue /dev/mqueue
    $b ln -s /proc/self/fd /dev/fd
    $b mount -t tmpfs -o nosuid,nodev,mode=755 run /run
    $b mount -t tmpfs -o nosuid,nodev,mode=1777 tmp /tmp
    $b mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
    $b mount -t bpf bpf /sys/fs/bpf 2>/dev/null
}

# Modules load on demand as on any Debian: the kernel calls this, which looks below /vm, where they are.
modules() {
    $b mkdir -p /vm/lib
    $b ln -s /modules /vm/lib/modules
    printf '#!/vm/bin/busybox sh\nexec /vm/bin/busybox chroot /vm /bin/modprobe "$@"\n' >/vm/bin/load
    $b chmod 755 /vm/bin/load
    echo /vm/bin/load >/proc/sys/kernel/modprobe
    for module in overlay fuse tun dummy bfq; do /vm/bin/load -q "$module"; done
    [ -e /dev/fuse ] && $b chmod 666 /dev/fuse
    [ -e /dev/net/tun ] && $b chmod 666 /dev/net/tun
}

# Temporary files on a file system whose owners can be mapped, as on most hosts: a tmpfs has that since Linux 6.3 only.
temporary() {
    [ -x /usr/sbin/mke2fs ] || return 0
    for module in loop ext4; do /vm/bin/load -q "$module"; done
    /usr/sbin/mke2fs -q -t ext4 -O ^has_journal,^resize_inode -m 0 -N 40000 /run/tmp.img 700m &&
        $b mount -o loop /run/tmp.img /tmp &&
        $b chmod 1777 /tmp
}

accounts() {
    printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' >/etc/passwd
    printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' >/etc/group
    if [ "$user" != 0 ]; then
        echo "tester:x:$user:$user:tester:/home/tester:/bin/bash" >>/etc/passwd
        echo "tester:x:$user:" >>/etc/group
        echo "tester:100000:65536" | $b tee /etc/subuid >/etc/subgid
        $b mkdir -p /home/tester
        $b chown "$user:$user" /home/tester
    fi
    printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
    echo vm >/etc/hostname
    $b hostname vm
    $b ifconfig lo up
    echo 1 >/proc/sys/kernel/unprivileged_userns_clone 2>/dev/null
}

cgroup_v1() {
    $b mount -t tmpfs -o nosuid,nodev,noexec,mode=755 cgroup /sys/fs/cgroup
    for controller in cpu,cpuacct cpuset memory devices freezer blkio pids hugetlb net_cls,net_prio perf_event; do
        $b mkdir "/sys/fs/cgroup/$controller"
        $b mount -t cgroup -o "nosuid,nodev,noexec,$controller" cgroup "/sys/fs/cgroup/$controller"
    done
    $b mkdir /sys/fs/cgroup/systemd
    $b mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
}

cgroups() {
    case $(option cgroup) in
    v1) cgroup_v1 ;;
    hybrid)
        cgroup_v1
        $b mkdir /sys/fs/cgroup/unified
        $b mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup/unified
        ;;
    *)
        $b mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 /sys/fs/cgroup
        [ "$user" = 0 ] || delegate
        ;;
    esac
}

# What systemd gives a user's session: a subtree of one's own with all controllers, oneself in a leaf of it.
delegate() {
    top=/sys/fs/cgroup all=
    for controller in $(cat $top/cgroup.controllers); do all="$all +$controller"; done
    echo $all >$top/cgroup.subtree_control
    $b mkdir $top/delegated
    echo $all >$top/delegated/cgroup.subtree_control
    $b mkdir $top/delegated/session
    $b chown "$user:$user" $top/delegated $top/delegated/session
    for file in cgroup.procs cgroup.threads cgroup.subtree_control; do
        $b chown "$user:$user" $top/delegated/$file $top/delegated/session/$file
    done
}

run() {
    if [ "$user" = 0 ]; then
        env -i "PATH=$PATH" HOME=/root TMPDIR=/tmp LANG=C.UTF-8 "$shell" /vm/out/job
        return
    fi
    # 0 is the writer: $$ would be the first process, of which this shell is a fork.
    [ ! -d /sys/fs/cgroup/delegated ] || echo 0 >/sys/fs/cgroup/delegated/session/cgroup.procs
    # By its path: the shell, being busybox, has a smaller one of its own.
    /usr/bin/setpriv "--reuid=$user" "--regid=$user" --clear-groups --inh-caps=-all \
        env -i "PATH=$PATH" HOME=/home/tester TMPDIR=/tmp LANG=C.UTF-8 "$shell" /vm/out/job
}

mounts
user=$(option user)
shell=$(command -v bash || echo sh)
accounts
modules
temporary
show_hidden
cgroups
cd /
# A shell of its own, which may move to another cgroup. Nothing of the console reaches the tests.
(run) </dev/null >/vm/out/log 2>&1
echo $? >/vm/out/status.new
$b mv /vm/out/status.new /vm/out/status
$b poweroff -f
