#!/usr/bin/env bash
# The test command: every gate of the project, and one closing line with counts.
#
#   tests/run.sh                 everything; as root also what only root may do, and then all again as an ordinary user
#   tests/run.sh --quick [ARG]   fmt, clippy and the tests of the calling user; ARG... goes to `cargo test`
#   tests/run.sh --only STAGE    one stage: tools fmt clippy docs windows wine features root user floor examples, clients
#                                (containerd, Docker and Podman on the OCI runtime), v2 (the contract in machines with
#                                cgroup v2); or one that is not part of everything: vm (whatever touches a kernel, in such
#                                machines, and aarch64), or hosts (machines with systemd, AppArmor, SELinux, in an
#                                initramfs, of cgroup v1)
#
# Logs: target/test-run/STAGE.log. EXECDRIVER_TEST_UID chooses the ordinary user (61234).
set -euo pipefail
cd "$(dirname "$0")/.."
readonly TOP=$PWD
readonly TEST_UID=${EXECDRIVER_TEST_UID:-61234}
readonly STAGES=(tools fmt clippy docs windows wine features root user floor examples clients v2)
readonly TARGET=${CARGO_TARGET_DIR:-$TOP/target}
readonly LOGS=$TARGET/test-run
readonly WINDOWS=x86_64-pc-windows-gnu
# Minutes after which a stage counts as hanging; the machines have their own limits.
readonly LIMIT=20 V2_LIMIT=40 VM_LIMIT=120

export EXECDRIVER_MUST_RUN=1 CARGO_TERM_COLOR=never RUST_BACKTRACE=0
PASSED=0 FAILED=0 SKIPPED=0
SUMMARY=()
SCRATCH=$(mktemp -d)
chmod 755 "$SCRATCH"
STAGE_PID=
trap '[ -z "$STAGE_PID" ] || kill "$STAGE_PID"; rm -rf "$SCRATCH"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$LOGS"

is_root() { [ "$(id -u)" = 0 ]; }
say() { printf '    %s\n' "$*"; }
# A stage that cannot run here says so by this; it counts as skipped, never as passed.
skip_stage() { echo "skipped-stage: $*"; }

# Debian's packages, where root may add them.
install_packages() {
    if [ $# = 0 ]; then
        echo "every Debian package is there"
    elif is_root && command -v apt-get >/dev/null; then
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    else
        echo "missing, and only root can add them: apt-get install $*"
    fi
}

# --- stages: each prints freely and fails by its exit code --------------------------------------------------------

stage_tools() {
    local packages=()
    [ -x /bin/busybox ] || packages+=(busybox-static)
    command -v cc >/dev/null || packages+=(gcc libc6-dev)
    command -v setpriv >/dev/null || packages+=(util-linux)
    command -v x86_64-w64-mingw32-gcc >/dev/null || packages+=(gcc-mingw-w64-x86-64)
    command -v newuidmap >/dev/null || packages+=(uidmap)
    compgen -G '/usr/lib*/libseccomp.so.2' >/dev/null || compgen -G '/usr/lib/*/libseccomp.so.2' >/dev/null ||
        packages+=(libseccomp2)
    # CRIU saves a container's network by these.
    command -v ip >/dev/null || packages+=(iproute2)
    command -v iptables-save >/dev/null || packages+=(iptables)
    install_packages "${packages[@]}"
    add_target "$WINDOWS" || true
    add_target "$(uname -m)-unknown-linux-musl" || echo "the payload will be linked with glibc"
    local component
    for component in rustfmt clippy; do
        cargo "${component/rust/}" --version >/dev/null 2>&1 || rustup component add "$component"
    done
    stage_payload
}

has_target() { [ -d "$(rustc --print target-libdir --target "$1" 2>/dev/null)" ]; }

add_target() {
    has_target "$1" && return
    command -v rustup >/dev/null && rustup target add "$1" && has_target "$1" && return
    echo "rustc has no target $1: run \`rustup target add $1\`"
    return 1
}

# One static payload for every test; tests/support/payload.rs builds the same when it is called without this script.
stage_payload() {
    local machine=${1:-$(uname -m)} triple
    triple=$machine-unknown-linux-musl
    has_target "$triple" || triple=$machine-unknown-linux-gnu
    RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --release -p payload --target "$triple" \
        --target-dir "$TARGET/payload"
    [ "$machine" != "$(uname -m)" ] || ln -sfn "$triple/release/payload" "$TARGET/payload/payload"
}

stage_fmt() { cargo fmt --all --check; }

stage_clippy() { cargo clippy --workspace --all-targets --all-features -- -D warnings; }

stage_docs() { RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --all-features; }

# The packages that have a part on Windows; one list, so that whatever is built for it is built once, with the same features.
readonly ON_WINDOWS=(-p execdriver-core -p execdriver-fake -p execdriver-conformance -p execdriver-windows -p execdriver
    -p payload -p fake-hcs)

# Built for Windows: by the toolchain in use, or, where it has no such target and rustup cannot fetch it, by Debian's, which
# builds the standard library from its sources (FALLBACK is set; it has no clippy).
stage_windows() {
    windows_toolchain || return 0
    if [ -z "$FALLBACK" ]; then
        cargo clippy --workspace --all-targets --target "$WINDOWS" -- -D warnings
    fi
    if command -v x86_64-w64-mingw32-gcc >/dev/null; then
        windows_build
    else
        echo "no mingw linker: checked, not linked"
        RUSTFLAGS='-D warnings' windows_cargo check "${ON_WINDOWS[@]}" --tests
    fi
}

FALLBACK=
windows_toolchain() {
    # The linker leaves empty files behind. Lines of backtraces are asked for by nobody here, and are most of what it writes.
    export TMPDIR=$SCRATCH CARGO_PROFILE_DEV_DEBUG=none
    add_target "$WINDOWS" && return
    local packages=() tool
    for tool in rustc cargo; do [ -x "/usr/bin/$tool" ] || packages+=("$tool-web"); done
    compgen -G '/usr/src/rustc-*/library/std/Cargo.toml' >/dev/null || packages+=(rust-web-src)
    install_packages "${packages[@]}"
    if PATH=/usr/bin:$PATH rustc --print sysroot 2>/dev/null | grep -qx /usr && [ -x /usr/bin/cargo ]; then
        echo "no target $WINDOWS from rustup: Debian's toolchain builds its standard library"
        FALLBACK=yes
        return
    fi
    skip_stage "no target $WINDOWS from rustup, and no toolchain of Debian's (rustc-web cargo-web rust-web-src)"
    return 1
}

windows_cargo() {
    if [ -n "$FALLBACK" ]; then
        PATH=/usr/bin:$PATH RUSTC_BOOTSTRAP=1 cargo "$1" -Zbuild-std=std,panic_abort --target "$WINDOWS" "${@:2}"
    else
        cargo "$1" --target "$WINDOWS" "${@:2}"
    fi
}

# Programs, libraries that tests look for beside themselves, and the tests.
windows_build() { windows_cargo build "${ON_WINDOWS[@]}" --lib --bins --examples "${WINDOWS_TESTS[@]}"; }

# The test programs by name: cargo would link each of those for Linux too, to find nothing in it.
windows_tests() {
    local file
    for file in drivers/{core,fake,conformance,windows}/tests/*.rs tests/*_windows.rs; do
        [ ! -e "$file" ] || echo --test "$(basename "$file" .rs)"
    done | sort -u
}
read -ra WINDOWS_TESTS -d '' <<<"$(windows_tests)" || true
readonly WINDOWS_TESTS

# What was built for Windows, run under Wine: the contract's data, the fake, the driver's jobs and its compute service, the
# command line and the examples. docs/windows.md says what Wine can and cannot show.
stage_wine() {
    local packages=() dir=$TARGET/wine bad=0
    [ "$(uname -m)" = x86_64 ] || { skip_stage "no x86_64: Debian's Wine runs no programs of another machine"; return; }
    command -v wine >/dev/null || packages+=(wine wine64)
    command -v x86_64-w64-mingw32-gcc >/dev/null || packages+=(gcc-mingw-w64-x86-64)
    install_packages "${packages[@]}"
    command -v wine >/dev/null || { skip_stage "no wine"; return; }
    windows_toolchain || return 0
    # Of its own, so that no setting of a user's matters; a server of its own, that ends with the stage.
    export WINEPREFIX=$dir/prefix WINEDEBUG=-all DISPLAY=
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="$(unmoved) wine"
    trap 'wineserver -k || true; rm -rf "$SCRATCH"' EXIT
    windows_build
    wine_prefix "$dir"
    # One that stays between the programs; the one that made the prefix does not.
    wineserver -k || true
    wineserver -w
    wineserver -p120
    windows_cargo test --no-fail-fast "${ON_WINDOWS[@]}" --lib --bins --examples "${WINDOWS_TESTS[@]}" -- --test-threads=2 ||
        bad=1
    windows_cargo test --no-fail-fast "${ON_WINDOWS[@]}" --doc || bad=1
    # What counts handles and threads needs its program for itself.
    windows_cargo test "${ON_WINDOWS[@]}" --lib -- --ignored --test-threads=1 || bad=1
    return $bad
}

# What to run Wine by. Debian's loader is at 0x7d000000, and the kernel moves a program's heap up to 1 GiB beyond its end
# (brk(2), arch_randomize_brk): once in some 8000 starts onto 0x7ffe0000, where each process of Windows has a page that its
# system shares with it. That process dies without a word, and CreateProcess fails with error 1359.
unmoved() {
    if setarch -R true; then
        echo "setarch -R"
    else
        echo "personality(2) is refused: a process of Wine's may fail to start" >&2
    fi
}

# A prefix that says it is Windows 10, where a crash is no debugger's, with the one library that Rust's programs want and
# Wine 8 lacks.
wine_prefix() {
    local prefix=$1/prefix system=$1/prefix/drive_c/windows/system32
    [ ! -e "$prefix/.ready" ] || return 0
    rm -rf "$prefix"
    mkdir -p "$prefix"
    $(unmoved) wineboot -i
    $(unmoved) wine winecfg -v win10
    $(unmoved) wine reg add 'HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug' /v Debugger /t REG_SZ /d none /f
    if [ ! -e "$system/bcryptprimitives.dll" ]; then
        x86_64-w64-mingw32-gcc -shared -nostdlib -Wl,-e,DllMainCRTStartup -o "$system/bcryptprimitives.dll" \
            -x c - -ladvapi32 <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
BOOL WINAPI DllMainCRTStartup(HINSTANCE library, DWORD reason, LPVOID reserved) { return TRUE; }
C
    fi
    touch "$prefix/.ready"
}

# What an embedder gets without the command line.
stage_features() {
    cargo check -p execdriver --no-default-features
    cargo check -p execdriver --all-features
    local tree
    tree=$(cargo tree -e normal --no-default-features -p execdriver)
    echo "$tree"
    echo "$(cargo tree -e normal --no-default-features -p execdriver --prefix none --no-dedupe | sort -u | wc -l) packages"
    ! grep -wE 'clap|signal-hook' <<<"$tree" || { echo "the command line's packages reach embedders"; return 1; }
}

stage_root() {
    is_root || { skip_stage "not root: what only root may do was not tested"; return; }
    export EXECDRIVER_PAYLOAD=$TARGET/payload/payload EXECDRIVER_CRIU
    EXECDRIVER_CRIU=$(tests/criu.sh)
    cargo test --workspace --no-fail-fast "$@"
}

# As root: the test programs that were built for root, without cargo, whose toolchain and caches are root's own.
stage_user() {
    export EXECDRIVER_PAYLOAD=$TARGET/payload/payload
    is_root || { cargo test --workspace --no-fail-fast "$@"; return; }
    test_programs >"$SCRATCH/tests"
    as_user bash -c "$(declare -f run_listed); run_listed" <"$SCRATCH/tests"
}

# "package directory TAB program" of each test program, or of those that cargo's options choose, for those who run them
# without cargo.
test_programs() {
    local found
    [ $# -gt 0 ] || set -- --workspace
    found=$(cargo test "$@" --no-run --quiet --message-format=json |
        sed -n '/"reason":"compiler-artifact"/{/"profile":{[^}]*"test":true/s/.*"manifest_path":"\([^"]*\)\/Cargo.toml".*"executable":"\([^"]*\)".*/\1\t\2/p}')
    [ -n "$found" ] || { echo "cargo named no test program" >&2; return 1; }
    echo "$found"
}

# The contract on a kernel without anything newer than Linux 5.10, and in a sandbox without clone3; and starts without each
# newer facility alone. All played by a filter; docs/testing.md says which fallback each one means.
stage_floor() {
    export EXECDRIVER_PAYLOAD=$TARGET/payload/payload
    local package program without name=
    local all='conformance|sandbox_pool|contract_(confinement|exec|exec_limits|life|namespaces|pause|process|status|users)'
    # The fake has no kernel below it.
    test_programs -p execdriver -p execdriver-native | grep -E "/($all)-[0-9a-f]*$" >"$SCRATCH/floor"
    [ "$(wc -l <"$SCRATCH/floor")" = 11 ] || { echo "tests of the contract are missing"; return 1; }
    for without in 5.10 clone3 close-range-flags mount-setattr memfd-exec seal-exec pidfd-info; do
        case $without in 5.10 | clone3) name=. ;; *) name=/contract_status- ;; esac
        while IFS=$'\t' read -r package program; do
            echo "     Running $program without $without"
            (cd "$package" && "$EXECDRIVER_PAYLOAD" without "$without" "$program" </dev/null)
        done < <(grep "$name" "$SCRATCH/floor")
    done
}

# Runs a command as an ordinary user: the caller, or the test user when the caller is root.
as_user() {
    is_root || { "$@"; return; }
    local home=$SCRATCH/home hold=$SCRATCH/hold closed
    mkdir -p "$home/tmp" "$hold"
    chown -R "$TEST_UID:$TEST_UID" "$home"
    local user=(setpriv "--reuid=$TEST_UID" "--regid=$TEST_UID" --clear-groups --inh-caps=-all
        env -i "PATH=$PATH" "HOME=$home" "TMPDIR=$home/tmp" "LANG=${LANG:-C.UTF-8}" EXECDRIVER_MUST_RUN=1
        "EXECDRIVER_PAYLOAD=${EXECDRIVER_PAYLOAD:-}" RUST_BACKTRACE=0)
    closed=$(closed_ancestor "${user[@]}")
    if [ -z "$closed" ]; then
        "${user[@]}" "$@"
        return
    fi
    # The user may not pass through e.g. /root. In a mount namespace of its own, with only the project below it, it may.
    echo "showing the test user $TOP below an empty $closed"
    unshare --mount --propagation private bash -euc '
        top=$1 hold=$2 closed=$3; shift 3
        mount --bind "$top" "$hold"
        mount -t tmpfs -o mode=755 none "$closed"
        mkdir -p "$top"
        mount --move "$hold" "$top"
        cd "$top"
        exec "$@"' - "$TOP" "$hold" "$closed" "${user[@]}" "$@"
}

# The topmost directory on the way to the project that the user may not enter.
closed_ancestor() {
    local path= part
    local IFS=/
    for part in ${TOP#/}; do
        path=$path/$part
        "$@" test -x "$path" || { echo "$path"; return; }
    done
}

# Reads "package directory, program" lines and runs each program as cargo would.
run_listed() {
    local package program bad=0
    while IFS=$'\t' read -r package program; do
        echo "     Running $program"
        (cd "$package" && CARGO_MANIFEST_DIR=$package "$program" </dev/null) || { bad=1; echo "error: test failed: $program"; }
    done
    return $bad
}

# What the README promises, as the caller and as an ordinary user: the first command, and the example host.
stage_examples() {
    cargo build --release --bin execdriver --example judge
    promises
    if is_root; then limited; fi
    if is_root; then as_user bash -euc "TARGET=$TARGET; $(declare -f promises); promises"; fi
}

# A program that keeps what it reads, with less memory than that.
limited() {
    local said judge=$TARGET/release/examples/judge cases=$SCRATCH/cases
    "$judge" --memory 64 "$(command -v sort)" docs/examples/judge/cases
    mkdir "$cases"
    truncate -s 96M "$cases/zeros.in"
    : >"$cases/zeros.out"
    said=$("$judge" --memory 16 --time 60 "$(command -v tail)" "$cases" || true)
    echo "$said"
    [[ $said == *"memory limit exceeded" ]]
}

promises() {
    local said
    said=$("$TARGET/release/execdriver" run -- sh -c 'echo hello from $(hostname)')
    echo "$said"
    [[ $said == "hello from "?* ]]
    "$TARGET/release/examples/judge" "$(command -v sort)" docs/examples/judge/cases
}

# The contract once more, on Debian's kernel with cgroup v2 alone: what limits, counts, confines and maps users, as root and
# as an ordinary user. What only makes sure by repetition repeats less there (EXECDRIVER_PATIENCE), and what takes minutes
# when emulated is left to stage vm.
stage_v2() {
    machine_tools || return 0
    kernel_programs | grep -E '/(conformance|contract_[a-z_]*|userns_[a-z]*|security_[a-z]*|netns_pool|sandbox_pool[a-z_]*|stats_open|exec_open|attributes|landlock|cli_tty|lifecycle|handed_over)-[^/]*$' |
        grep -vE '/(security_(races|exec|paths|inside)|contract_(exec_starved|pause_races|pause_refused))-' >"$SCRATCH/v2"
    machines "$SCRATCH/v2" 18
}

# Whatever touches a kernel in such machines, and the smallest of it on aarch64.
stage_vm() {
    local packages=()
    command -v qemu-system-aarch64 >/dev/null || packages+=(qemu-system-arm)
    machine_tools "${packages[@]}" || return 0
    add_target aarch64-unknown-linux-musl || true
    local bad=0
    kernel_programs >"$SCRATCH/vm"
    machines "$SCRATCH/vm" 45 || bad=1
    if command -v qemu-system-aarch64 >/dev/null && has_target aarch64-unknown-linux-musl; then
        local smoke=(--test conformance --test contract_status --test contract_exec --test contract_limits)
        echo "machine: aarch64 with cgroup v2, root: ${smoke[*]}"
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld test_programs \
            --target aarch64-unknown-linux-musl -p execdriver -p execdriver-native "${smoke[@]}" >"$SCRATCH/vm"
        tests/vm/run.sh --arch aarch64 --minutes 15 --list "$SCRATCH/vm" || bad=1
    else
        skip_stage "no qemu-system-aarch64, or rustc has no target aarch64-unknown-linux-musl: nothing ran on aarch64"
    fi
    return $bad
}

# containerd, Docker and Podman on the OCI runtime, and once more on runc and crun, each started by its test under a directory
# and in namespaces of its own. EXECDRIVER_CLIENTS chooses tests by a part of their names: docker, with_crun, this_runtime.
stage_clients() {
    is_root || { skip_stage "not root: no daemon of a client was started"; return; }
    local packages=() had=1 bad=0
    command -v containerd >/dev/null || packages+=(containerd)
    command -v docker-registry >/dev/null || packages+=(docker-registry)
    # With the server that they send commands to, and what their options ask for.
    [ -x /usr/sbin/dockerd ] && [ -x /usr/bin/docker ] || packages+=(docker.io iptables tini)
    command -v podman >/dev/null || packages+=(podman conmon)
    command -v catatonit >/dev/null || packages+=(catatonit)
    [ -x /usr/lib/podman/netavark ] || packages+=(netavark iptables)
    command -v slirp4netns >/dev/null || packages+=(slirp4netns)
    command -v fuse-overlayfs >/dev/null || packages+=(fuse-overlayfs)
    command -v newuidmap >/dev/null || packages+=(uidmap)
    command -v runc >/dev/null || packages+=(runc)
    command -v crun >/dev/null || packages+=(crun)
    command -v script >/dev/null || packages+=(bsdutils)
    command -v ps >/dev/null || packages+=(procps)
    [ -x /bin/busybox ] || packages+=(busybox-static)
    # A package must not start the machine's own daemon, with a bridge and rules that nobody asked for.
    [ -e /usr/sbin/policy-rc.d ] || {
        had=
        trap 'rm -rf /usr/sbin/policy-rc.d "$SCRATCH"' EXIT
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    }
    install_packages "${packages[@]}" || bad=1
    [ -n "$had" ] || rm -f /usr/sbin/policy-rc.d
    [ $bad = 0 ] || return 1
    export EXECDRIVER_CRIU
    EXECDRIVER_CRIU=$(tests/criu.sh)
    cargo test -p execdriver-oci --test clients ${EXECDRIVER_CLIENTS:+"$EXECDRIVER_CLIENTS"} -- --ignored --test-threads 4
}

# Once more on machines of other kinds, each with the tests that concern what is special in it.
stage_hosts() {
    local packages=()
    [ -x /lib/systemd/systemd ] || packages+=(systemd)
    command -v dbus-daemon >/dev/null || packages+=(dbus-daemon)
    machine_tools "${packages[@]}" || return 0
    local tests
    read -ra tests -d '' <<<"$(tests/vm/hosts.sh --tests)" || true
    test_programs -p execdriver -p execdriver-native "${tests[@]}" >"$SCRATCH/hosts"
    tests/vm/hosts.sh "$SCRATCH/hosts"
}

# What virtual machines need, and these packages; false, and the stage skipped, where there can be none.
machine_tools() {
    local packages=("$@")
    command -v qemu-system-x86_64 >/dev/null || packages+=(qemu-system-x86)
    command -v cpio >/dev/null || packages+=(cpio)
    [ -x /usr/sbin/modprobe ] || packages+=(kmod)
    install_packages "${packages[@]}"
    stage_payload
    command -v qemu-system-x86_64 >/dev/null && [ "$(uname -m)" = x86_64 ] && return
    skip_stage "no qemu-system-x86_64, or this is no x86_64"
    return 1
}

# What has no kernel below it (core, the fake, the architecture) would say the same on any; AppArmor's parser is in `hosts`.
kernel_programs() {
    test_programs | grep -E "^$TOP(/drivers/native(/oci)?)?	" |
        grep -vE '/(architecture|support_itself|execdriver|execdriver_oci|clients|judge|apparmor)-[^/]*$'
}

# Runs a list of programs, in this many minutes at most, in a machine as root and in one as an ordinary user.
machines() {
    local user bad=0
    for user in root user; do
        echo "machine: x86_64 with cgroup v2 alone, $user"
        tests/vm/run.sh "--$user" --minutes "$2" --list "$1" || bad=1
    done
    return $bad
}

# --- running and counting ------------------------------------------------------------------------------------------

# Shows what a person wants to see of a long log while it grows.
progress() {
    grep --line-buffered -aE '^ +(Running|Doc-tests) |^test result:|FAILED|panicked at|^error|^warning: unused|^skipped|^machine: |^showing|^every Debian|packages$|has been running' |
        sed -u 's/^ */    /; s/ (target.*//' || true
}

# The sum of one word's numbers in cargo's `test result:` lines.
sum() { awk -v word="$2" '/^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" word) n += $(i - 1) } END { print n + 0 }' "$1"; }

# What failed: the harness's own lists of failures, or the end of the log where there is none.
explain() {
    if grep -qx 'failures:' "$1"; then
        awk '/^failures:$/ { inside = 1 } /^test result:/ { inside = 0 } inside' "$1" | tail -n 150
    else
        grep -avE '^ +(Compiling|Checking|Documenting|Downloaded|Finished) ' "$1" | tail -n 60
    fi
}

run_stage() {
    local name=$1 log=$LOGS/$1.log start=$SECONDS code=0 limit=$LIMIT passed failed skipped other
    case $name in v2) limit=$V2_LIMIT ;; vm | hosts) limit=$VM_LIMIT ;; esac
    printf '==> %s\n' "$name"
    # A shell of its own, so that `set -e` holds inside and a hanging stage ends with all its children. The log is a
    # file: a process that a broken test leaves behind must not hold this script.
    : >"$log"
    timeout --kill-after=10 "${limit}m" bash "$TOP/tests/run.sh" --stage "$name" "${ARGS[@]}" >"$log" 2>&1 </dev/null &
    STAGE_PID=$!
    tail --quiet --lines=+1 --sleep-interval=0.3 --pid="$STAGE_PID" --follow "$log" | progress &
    wait "$STAGE_PID" || code=$?
    STAGE_PID=
    wait $! || true
    passed=$(sum "$log" passed) failed=$(sum "$log" failed)
    skipped=$(($(sum "$log" ignored) + $(grep -ac '^skipped-stage: ' "$log" || true)))
    # A test that left its work to the other user's stage said so; it has not passed here.
    other=$(grep -acE 'skipped: .* needs ' "$log" || true)
    passed=$((passed > other ? passed - other : 0))
    is_root || skipped=$((skipped + other))
    [ "$code" != 124 ] || echo "    the stage hung: ended after $limit minutes"
    if [[ $name =~ ^(wine|root|user|clients|v2|vm|hosts)$ ]] && [ $((passed + failed)) = 0 ] && ! grep -q '^skipped-stage: ' "$log"; then
        echo "    no test ran"
        code=1
    fi
    if [ "$code" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
    if [ "$failed" != 0 ]; then
        echo "    failed; from $log:"
        explain "$log" | sed 's/^/    | /'
    fi
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
    SUMMARY+=("$(printf '%-9s %5ds  %5d passed %3d failed %3d skipped  %s' "$name" $((SECONDS - start)) "$passed" "$failed" \
        "$skipped" "$([ "$failed" = 0 ] && echo ok || echo FAILED)")")
}

main() {
    local stages=("${STAGES[@]}")
    ARGS=()
    case ${1:-} in
    '') ;;
    --quick)
        stages=(tools fmt clippy)
        is_root && stages+=(root) || stages+=(user)
        ARGS=("${@:2}")
        ;;
    --only)
        stages=("${@:2}")
        ;;
    --stage)
        "stage_$2" "${@:3}"
        return
        ;;
    *)
        sed -n '2,12s/^# \{0,1\}//p' "$0"
        return 2
        ;;
    esac
    local name
    for name in "${stages[@]}"; do run_stage "$name"; done
    echo
    printf '%s\n' "${SUMMARY[@]}"
    echo
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    [ "$FAILED" = 0 ] && [ "$PASSED" -gt 0 ] || [[ ${1:-} == --only && $FAILED == 0 ]]
}

main "$@"
