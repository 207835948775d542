#!/usr/bin/env bash
# Runs a command on the virtual machine with a small SELinux policy in force:
#
#   tests/vm/run.sh --append 'security=selinux enforcing=1' --within selinux.sh TEST
#
# The policy is enforced in what the tests look at, and allows all else: classes and permissions that it does not name
# are allowed (checkpolicy -U allow). kernel_t, which is everything that the machine starts, may all. container_t may
# write to files of container_file_t whose categories it has, and to no others.
set -euo pipefail
packages=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}/vm/packages

# The numbers of the initial contexts are the kernel's: security/selinux/include/initial_sid_to_string.h.
readonly SIDS='kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet
    icmp_socket tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm
    sysctl_dev kmod policy scmp_packet devnull'
readonly FILES=system_u:object_r:file_t:s0

policy() {
    local name
    printf 'class process\nclass file\nclass dir\n'
    for name in $SIDS; do echo "sid $name"; done
    cat <<'END'
class process { transition dyntransition setexec }
class file { entrypoint write append }
class dir { relabelfrom relabelto }
sensitivity s0;
dominance { s0 }
END
    for name in {0..9}; do echo "category c$name;"; done
    cat <<'END'
level s0:c0.c9;
mlsconstrain file { write append } (h1 dom h2);
type kernel_t;
type container_t;
type file_t;
type container_file_t;
allow kernel_t { kernel_t container_t }:process *;
allow kernel_t { kernel_t container_t file_t container_file_t }:file *;
allow kernel_t { kernel_t container_t file_t container_file_t }:dir *;
allow container_t container_t:process *;
allow container_t container_t:file *;
allow container_t container_file_t:file { write append };
allow container_t file_t:file entrypoint;
role system_r;
role system_r types { kernel_t container_t };
user system_u roles { system_r } level s0 range s0 - s0:c0.c9;
END
    for name in $SIDS; do
        case $name in
        kernel | init) echo "sid $name system_u:system_r:kernel_t:s0 - s0:c0.c9" ;;
        *) echo "sid $name $FILES" ;;
        esac
    done
    for name in ext4 overlay; do echo "fs_use_xattr $name $FILES;"; done
    for name in tmpfs devtmpfs devpts mqueue ramfs; do echo "fs_use_trans $name $FILES;"; done
    for name in pipefs sockfs; do echo "fs_use_task $name $FILES;"; done
    for name in 9p proc sysfs selinuxfs cgroup cgroup2 rootfs securityfs bpf; do echo "genfscon $name / $FILES"; done
}

policy >/run/policy.conf
"$packages/checkpolicy/usr/bin/checkpolicy" -M -U allow -o /run/policy /run/policy.conf
mount -t selinuxfs selinuxfs /sys/fs/selinux
cat /run/policy >/sys/fs/selinux/load
echo "SELinux: enforcing $(cat /sys/fs/selinux/enforce), policy $(cat /sys/fs/selinux/policyvers), $(tr -d '\0' </proc/self/attr/current)"
[ "$(cat /sys/fs/selinux/enforce)" = 1 ]
exec "$@"
