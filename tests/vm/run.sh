#!/usr/bin/env bash
# A virtual machine with Debian's own kernel and cgroup v2 alone, under software emulation, for the tests.
#
#   tests/vm/run.sh [OPTION...] TEST [ARG...]     builds and runs one test program: a name of /tests, `native` (its unit
#                                                 tests), `conformance`, or the path of a program
#   tests/vm/run.sh [OPTION...] -- COMMAND...     runs a command with the project and /usr of this machine, read only
#   tests/vm/run.sh [OPTION...] --list FILE       runs the "package directory TAB program" lines of a file
#
#   --root | --user       as root (the default), or as uid 61234 with a delegated cgroup subtree
#   --cgroup v2|v1|hybrid which hierarchies are mounted (v2)
#   --append WORDS        for the kernel's command line (e.g. lsm=landlock,selinux)
#   --minutes N           after which the machine counts as hanging (10)
#
# Needs qemu-system-x86, cpio, kmod, busybox-static, and apt-get for the kernel's package, unpacked once below target/vm.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly TOP=$PWD HERE=$PWD/tests/vm
readonly TARGET=${CARGO_TARGET_DIR:-$TOP/target}
readonly CACHE=$TARGET/vm/x86_64
readonly TEST_UID=${EXECDRIVER_TEST_UID:-61234}
USER_ID=0 CGROUP=v2 APPEND= MINUTES=10 LIST=

die() { echo "tests/vm/run.sh: $*" >&2; exit 2; }

# --- the kernel and the initramfs ----------------------------------------------------------------------------------

# Debian's kernel package, unpacked: nothing is installed on this machine.
kernel() {
    [ ! -e "$CACHE/ready" ] || return 0
    local package fresh=$CACHE.$$
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    [ -n "$package" ] || die "apt-cache knows no linux-image-amd64: run apt-get update"
    mkdir -p "$fresh"
    (cd "$fresh" && apt-get download -q "$package" && dpkg-deb -x "$package"_*.deb . && rm "$package"_*.deb) >&2
    mv "$fresh"/boot/vmlinuz-* "$fresh/vmlinuz"
    mv "$fresh/lib/modules" "$fresh/modules"
    mkdir -p "$fresh/depmod/lib" && ln -s ../../modules "$fresh/depmod/lib/modules"
    PATH=$PATH:/usr/sbin:/sbin depmod -b "$fresh/depmod" "$(ls "$fresh/modules")"
    rm -rf "$fresh/boot" "$fresh/lib" "$fresh/usr" "$fresh/depmod"
    touch "$fresh/ready"
    rm -rf "$CACHE"
    mv "$fresh" "$CACHE"
}

# busybox, our two scripts, and the modules without which there is no 9p.
initramfs() {
    local root=$1 version modules module path
    version=$(ls "$CACHE/modules")
    modules="virtio_pci 9pnet_virtio 9p"
    mkdir -p "$root/bin" "$root/lib/modules/$version" "$root/dev"
    cp /bin/busybox "$root/bin/"
    cp "$HERE/boot.sh" "$root/init"
    cp "$HERE/guest.sh" "$root/guest.sh"
    chmod 755 "$root/init"
    echo "$modules" >"$root/modules.load"
    for module in $modules; do
        PATH=$PATH:/usr/sbin:/sbin modprobe -d "$root.mod" -S "$version" --show-depends "$module"
    done | sed -n 's/^insmod \(.*\.ko\) *$/\1/p' | sort -u | while read -r path; do
        echo "${path#*/modules/"$version"/}"
    done >"$root.list"
    while read -r path; do
        mkdir -p "$root/lib/modules/$version/$(dirname "$path")"
        cp "$CACHE/modules/$version/$path" "$root/lib/modules/$version/$path"
    done <"$root.list"
    cp "$CACHE/modules/$version"/modules.{dep,alias,softdep,builtin} "$root/lib/modules/$version/"
    (cd "$root" && find . | cpio -o -H newc --quiet)
}

# --- the machine ---------------------------------------------------------------------------------------------------

# Boots, runs $WORK/out/job there, copies what it says to stdout, and ends with its exit status.
machine() {
    local out=$WORK/out shares=usr:/usr,top:$TOP,modules:/vm/modules
    local qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
        -machine q35,usb=off -accel tcg,thread=multi,tb-size=512 -cpu max,la57=off -smp 2 -m "${EXECDRIVER_VM_MEMORY:-3072}"
        -kernel "$CACHE/vmlinuz" -initrd "$WORK/initramfs" -serial "file:$out/console")
    share usr /usr; share top "$TOP"; share modules "$CACHE/modules"
    case $TARGET in "$TOP"/*) ;; *) share target "$TARGET"; shares+=,target:$TARGET ;; esac
    qemu+=(-virtfs "local,path=$out,mount_tag=out,security_model=none,multidevs=remap")
    qemu+=(-append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr vm.shares=$shares vm.cgroup=$CGROUP vm.user=$USER_ID $APPEND")
    : >"$out/log"
    timeout --kill-after=10 "${MINUTES}m" "${qemu[@]}" </dev/null >"$out/qemu" 2>&1 &
    QEMU=$!
    tail --quiet --lines=+1 --sleep-interval=0.2 --pid="$QEMU" --follow "$out/log" &
    local code=0
    wait "$QEMU" || code=$?
    QEMU=
    wait $! || true
    [ -s "$out/status" ] && return "$(cat "$out/status")"
    [ "$code" != 124 ] && [ "$code" != 137 ] || echo "error: the machine hung: ended after $MINUTES minutes"
    echo "error: the machine ended without a result (qemu: $code); its console:"
    tail -n 40 "$out/qemu" "$out/console"
    return 99
}

share() { qemu+=(-virtfs "local,path=$2,mount_tag=$1,security_model=none,readonly=on,multidevs=remap"); }

# --- jobs ----------------------------------------------------------------------------------------------------------

# The name of a test program -> its "package directory TAB program" line.
build() {
    local selection
    case $1 in
    */*) printf '%s\t%s\n' "$TOP" "$(realpath "$1")"; return ;;
    native) selection=(-p execdriver-native --lib) ;;
    conformance) selection=(-p execdriver-native --test conformance) ;;
    *) selection=(-p execdriver --test "$1") ;;
    esac
    cargo test "${selection[@]}" --no-run --message-format=json |
        sed -n '/"reason":"compiler-artifact"/{/"profile":{[^}]*"test":true/s/.*"manifest_path":"\([^"]*\)\/Cargo.toml".*"executable":"\([^"]*\)".*/\1\t\2/p}'
}

# As in tests/run.sh: each program as cargo would run it.
run_listed() {
    local package program bad=0 start
    while IFS=$'\t' read -r package program; do
        echo "     Running $program"
        start=$SECONDS
        (cd "$package" && CARGO_MANIFEST_DIR=$package "$program" "$@" </dev/null) || { bad=1; echo "error: test failed: $program"; }
        echo "     took $((SECONDS - start)) s"
    done
    return $bad
}

write_job() {
    printf 'cd %q\n' "$TOP"
    echo "export EXECDRIVER_MUST_RUN=${EXECDRIVER_MUST_RUN:-1} RUST_BACKTRACE=${RUST_BACKTRACE:-0}"
    echo "export EXECDRIVER_PATIENCE=${EXECDRIVER_PATIENCE:-6}"
    echo "export EXECDRIVER_PAYLOAD=$(printf %q "$(realpath "${EXECDRIVER_PAYLOAD:-$TARGET/payload/payload}")")"
    if [ -n "$LIST" ]; then
        declare -f run_listed
        printf 'run_listed'
        [ $# = 0 ] || printf ' %q' "$@"
        printf " <<'END'\n%s\nEND\n" "$(cat "$LIST")"
    else
        printf '%q ' "$@"
        echo
    fi
}

payload() {
    [ -n "${EXECDRIVER_PAYLOAD:-}" ] || [ -e "$TARGET/payload/payload" ] || bash "$TOP/tests/run.sh" --stage payload
}

main() {
    while [ $# -gt 0 ]; do
        case $1 in
        --root) USER_ID=0 ;;
        --user) USER_ID=$TEST_UID ;;
        --cgroup) CGROUP=$2; shift ;;
        --append) APPEND=$2; shift ;;
        --minutes) MINUTES=$2; shift ;;
        --list) LIST=$2; shift ;;
        --) break ;;
        -*) sed -n '2,16s/^# \{0,1\}//p' "$0"; return 2 ;;
        *) break ;;
        esac
        shift
    done
    WORK=$(mktemp -d)
    QEMU=
    trap '[ -z "$QEMU" ] || kill "$QEMU"; rm -rf "$WORK"' EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$WORK/out" "$WORK/initramfs.d" "$WORK/initramfs.d.mod/lib"
    if [ "${1:-}" = -- ]; then
        shift
    elif [ -z "$LIST" ]; then
        [ $# -gt 0 ] || die "which test? see --help"
        LIST=$WORK/list
        build "$1" >"$LIST"
        [ -s "$LIST" ] || die "cargo named no test program for $1"
        shift
    fi
    payload
    kernel
    ln -s "$CACHE/modules" "$WORK/initramfs.d.mod/lib/modules"
    initramfs "$WORK/initramfs.d" >"$WORK/initramfs"
    write_job "$@" >"$WORK/out/job"
    machine
}

main "$@"
