#!/usr/bin/env bash
# Runs a command on the virtual machine with Debian's apparmor_parser where distributions have it:
#
#   tests/vm/run.sh --append 'security=apparmor lsm=apparmor' --within apparmor.sh TEST
set -euo pipefail
parser=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}/vm/packages/apparmor/sbin
mount -t overlay -o "lowerdir=$(realpath "$parser"):/usr/sbin" apparmor /usr/sbin
[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ]
exec "$@"
