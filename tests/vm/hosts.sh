#!/usr/bin/env bash
# Hosts of other kinds than this machine, each a virtual one: what only they show is tested there.
#
#   tests/vm/hosts.sh LIST [MACHINE...]     LIST has a "package directory TAB program" line for each test program
#   tests/vm/hosts.sh --tests               which tests are wanted, as cargo's options
#
# Each machine runs the tests that concern what is special in it. See docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly TARGET=${CARGO_TARGET_DIR:-$PWD/target}
readonly SMOKE='conformance contract_status contract_exec contract_limits contract_pause contract_stats stats_open exec_open'
readonly MACHINES=(systemd systemd-user apparmor selinux initramfs v1 hybrid)
declare -rA TESTS=(
    [systemd]=cgroup_systemd
    [systemd-user]=cgroup_systemd
    [apparmor]='apparmor attributes contract_confinement contract_exec'
    [selinux]='selinux attributes contract_exec'
    [initramfs]='initramfs security_root contract_status'
    [v1]=$SMOKE
    [hybrid]=$SMOKE
)

# What a machine is, and how run.sh starts it.
start() {
    case $1 in
    systemd) run "$1" "systemd and its bus, root" --within systemd.sh ;;
    systemd-user) run "$1" "systemd's user manager, uid 61234" --within 'systemd.sh --user' ;;
    apparmor)
        package apparmor
        run "$1" "AppArmor" --within apparmor.sh --append 'apparmor=1 security=apparmor lsm=landlock,yama,apparmor'
        ;;
    selinux)
        package checkpolicy
        run "$1" "SELinux, enforcing" --within selinux.sh --append 'security=selinux enforcing=1'
        ;;
    initramfs) run "$1" "a root in the initramfs" --append vm.root=initramfs ;;
    v1) run "$1" "cgroup v1 alone" --cgroup v1 ;;
    hybrid) run "$1" "cgroup v1 with an empty v2 beside it" --cgroup hybrid ;;
    *) echo "error: no machine is called $1: ${MACHINES[*]}"; return 1 ;;
    esac
}

run() {
    local name=$1 words
    echo "machine: $2: ${TESTS[$name]}"
    words=$(tr ' ' '|' <<<"${TESTS[$name]}")
    grep -E "/($words)-[^/]*\$" "$LIST" >"$WORK/list" || { echo "error: the list has none of them"; return 1; }
    tests/vm/run.sh --minutes 15 --list "$WORK/list" "${@:3}"
}

# package NAME: a Debian package, unpacked once; nothing is installed on this machine.
package() {
    local place=$TARGET/vm/packages/$1 fresh=$TARGET/vm/packages/.$1.$$
    [ ! -e "$place" ] || return 0
    mkdir -p "$fresh"
    (cd "$fresh" && apt-get -q -o APT::Sandbox::User= download "$1" && dpkg-deb -x ./*.deb . && rm ./*.deb)
    mv "$fresh" "$place"
}

if [ "${1:-}" = --tests ]; then
    printf -- '--test %s\n' ${TESTS[*]} | sort -u
    exit
fi
readonly LIST=${1:?which programs}
shift
[ $# -gt 0 ] || set -- "${MACHINES[@]}"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
bad=0
for name in "$@"; do
    start "$name" || bad=1
done
exit $bad
