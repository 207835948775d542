#!/usr/bin/env bash
# A virtual machine with Debian's own kernel and cgroup v2 alone, under software emulation, for the tests.
#
#   tests/vm/run.sh [OPTION...] TEST [ARG...]     builds and runs one test program: a name of /tests, `native` (its unit
#                                                 tests), `conformance`, or the path of a program
#   tests/vm/run.sh [OPTION...] -- COMMAND...     runs a command with the project and /usr of this machine, read only
#   tests/vm/run.sh [OPTION...] --list FILE       runs the "package directory TAB program [TAB ARG...]" lines of a file
#
#   --root | --user       as root (the default), or as uid 61234 with a delegated cgroup subtree
#   --cgroup v2|v1|hybrid which hierarchies are mounted (v2)
#   --arch x86_64|aarch64 the machine (x86_64); the other has busybox instead of this machine's /usr, and static tests
#   --append WORDS        for the kernel's command line (e.g. lsm=landlock,selinux)
#   --within SCRIPT       the job's command becomes the arguments of this script of tests/vm, which prepares and runs it
#   --minutes N           after which the machine counts as hanging (10)
#
# Needs qemu-system-x86 (-arm), cpio, kmod, and apt-get for Debian's kernel and busybox, unpacked once below target/vm.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly TOP=$PWD HERE=$PWD/tests/vm
readonly TARGET=${CARGO_TARGET_DIR:-$TOP/target}
readonly TEST_UID=${EXECDRIVER_TEST_UID:-61234}
USER_ID=0 CGROUP=v2 APPEND= MINUTES=10 LIST= ARCH=x86_64 WITHIN=

die() { echo "tests/vm/run.sh: $*" >&2; exit 2; }

# --- the kernel and the initramfs ----------------------------------------------------------------------------------

# Debian's packages, unpacked: nothing is installed on this machine, nor does its apt hear of another architecture.
packages() {
    [ ! -e "$CACHE/ready" ] || return 0
    local fresh=$CACHE.$$ debian=amd64 apt file
    [ "$ARCH" = x86_64 ] || debian=arm64
    echo "unpacking Debian's kernel for $ARCH" >&2
    mkdir -p "$fresh/apt/lists/partial" "$fresh/apt/cache/archives/partial" "$fresh/root"
    : >"$fresh/apt/status"
    apt=(-q -o "APT::Architecture=$debian" -o "APT::Architectures=$debian" -o APT::Sandbox::User=
        -o "Dir::State=$fresh/apt" -o "Dir::State::lists=$fresh/apt/lists" -o "Dir::State::status=$fresh/apt/status"
        -o "Dir::Cache=$fresh/apt/cache")
    # Other sources of this machine may not have the architecture.
    apt-get "${apt[@]}" update >"$fresh/log" 2>&1 || true
    file=$(apt-cache "${apt[@]}" depends "linux-image-$debian" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    [ -n "$file" ] || { tail "$fresh/log" >&2; die "no linux-image-$debian to be had"; }
    (cd "$fresh" && apt-get "${apt[@]}" download "$file" busybox-static) >>"$fresh/log" 2>&1 ||
        { tail "$fresh/log" >&2; die "$file cannot be downloaded"; }
    for file in "$fresh"/*.deb; do dpkg-deb -x "$file" "$fresh/root"; done
    mv "$fresh"/root/boot/vmlinuz-* "$fresh/vmlinuz"
    mv "$fresh/root/bin/busybox" "$fresh/busybox"
    mv "$fresh/root/lib/modules" "$fresh/modules"
    ln -s ../../modules "$fresh/root/lib/modules"
    depmod -b "$fresh/root" "$(ls "$fresh/modules")"
    rm -rf "$fresh/root" "$fresh/apt" "$fresh"/*.deb
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
    cp "$CACHE/busybox" "$root/bin/"
    cp "$HERE/boot.sh" "$root/init"
    cp "$HERE/guest.sh" "$root/guest.sh"
    chmod 755 "$root/init"
    echo "$modules" >"$root/modules.load"
    for module in $modules; do
        modprobe -d "$root.mod" -S "$version" --show-depends "$module"
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
    local out=$WORK/out shares=top:$TOP,modules:/vm/modules console=ttyS0
    local qemu=("qemu-system-$ARCH" -nodefaults -no-user-config -display none -no-reboot -smp 2
        -accel tcg,thread=multi,tb-size=512 -m "${EXECDRIVER_VM_MEMORY:-3072}"
        -kernel "$CACHE/vmlinuz" -initrd "$WORK/initramfs" -serial "file:$out/console")
    if [ "$ARCH" = x86_64 ]; then
        qemu+=(-machine q35,usb=off -cpu max,la57=off)
        share usr /usr
        shares+=,usr:/usr
    else
        qemu+=(-machine virt,gic-version=3 -cpu max,pauth-impdef=on,sve=off)
        console=ttyAMA0
    fi
    share top "$TOP"; share modules "$CACHE/modules"
    case $TARGET in "$TOP"/*) ;; *) share target "$TARGET"; shares+=,target:$TARGET ;; esac
    qemu+=(-virtfs "local,path=$out,mount_tag=out,security_model=none,multidevs=remap")
    qemu+=(-append "console=$console quiet panic=-1 mitigations=off nokaslr init_on_alloc=0 vm.shares=$shares vm.cgroup=$CGROUP vm.user=$USER_ID $APPEND")
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
    [ "$ARCH" = x86_64 ] || selection+=(--target "$ARCH-unknown-linux-musl")
    cargo test "${selection[@]}" --no-run --message-format=json |
        sed -n '/"reason":"compiler-artifact"/{/"profile":{[^}]*"test":true/s/.*"manifest_path":"\([^"]*\)\/Cargo.toml".*"executable":"\([^"]*\)".*/\1\t\2/p}'
}

# As in tests/run.sh: each program as cargo would run it.
run_listed() {
    local package program words bad=0 start
    while IFS=$'\t' read -r package program words; do
        echo "     Running $program"
        start=$(date +%s)
        # Unquoted: words.
        (cd "$package" && CARGO_MANIFEST_DIR=$package "$program" $words "$@" </dev/null) || { bad=1; echo "error: test failed: $program"; }
        echo "     took $(($(date +%s) - start)) s"
    done
    return $bad
}

write_job() {
    printf 'cd %q\n' "$TOP"
    echo "export EXECDRIVER_MUST_RUN=${EXECDRIVER_MUST_RUN:-1} RUST_BACKTRACE=${RUST_BACKTRACE:-0}"
    echo "export EXECDRIVER_PATIENCE=${EXECDRIVER_PATIENCE:-10}"
    echo "export EXECDRIVER_PAYLOAD=$(printf %q "$(realpath "$PAYLOAD")")"
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

# The payload of the machine's architecture.
payload() {
    PAYLOAD=${EXECDRIVER_PAYLOAD:-$TARGET/payload/payload}
    [ "$ARCH" = x86_64 ] || PAYLOAD=$TARGET/payload/$ARCH-unknown-linux-musl/release/payload
    [ -e "$PAYLOAD" ] || bash "$TOP/tests/run.sh" --stage payload "$ARCH"
}

main() {
    while [ $# -gt 0 ]; do
        case $1 in
        --root) USER_ID=0 ;;
        --user) USER_ID=$TEST_UID ;;
        --cgroup) CGROUP=$2; shift ;;
        --arch) ARCH=$2; shift ;;
        --append) APPEND=$2; shift ;;
        --within) WITHIN=$2; shift ;;
        --minutes) MINUTES=$2; shift ;;
        --list) LIST=$2; shift ;;
        --) break ;;
        -*) sed -n '2,18s/^# \{0,1\}//p' "$0"; return 2 ;;
        *) break ;;
        esac
        shift
    done
    readonly CACHE=$TARGET/vm/$ARCH
    # The toolchain's own linker: no cross compiler is needed for static programs.
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld PATH=$PATH:/usr/sbin:/sbin
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
    packages
    ln -s "$CACHE/modules" "$WORK/initramfs.d.mod/lib/modules"
    initramfs "$WORK/initramfs.d" >"$WORK/initramfs"
    write_job "$@" >"$WORK/out/job"
    if [ -n "$WITHIN" ]; then
        mv "$WORK/out/job" "$WORK/out/inner"
        printf 'exec bash %s bash /vm/out/inner\n' "$HERE/$WITHIN" >"$WORK/out/job"
    fi
    machine
}

main "$@"
