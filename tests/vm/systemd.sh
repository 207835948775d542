#!/usr/bin/env bash
# Runs a test program below a systemd of its own, with its bus, inside the virtual machine:
#
#   tests/vm/run.sh -- bash tests/vm/systemd.sh PROGRAM [ARG...]
#
# systemd is the first process of a pid namespace, as in a container: it has the machine's cgroups from their root. It
# ends with the program, whose exit status is its own (systemd.unit(5), SuccessAction=exit).
set -euo pipefail

if [ $$ != 1 ]; then
    here=$(realpath "$0")
    exec unshare --pid --fork --mount --propagation private bash "$here" "$PWD" "$@"
fi
directory=$1
shift

mount -t proc proc /proc
mount -t tmpfs -o mode=755 run /run
# What of the host's units is in /usr may start hardware, terminals and logins: none of it is wanted here.
units=/run/systemd/system
mkdir -p $units /etc/dbus-1 /run/dbus
for unit in systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket systemd-udevd.service \
    systemd-logind.service; do
    ln -s /dev/null $units/$unit
done
grep -q messagebus /etc/passwd || echo 'messagebus:x:101:101::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
grep -q messagebus /etc/group || echo 'messagebus:x:101:' >>/etc/group
echo 0123456789abcdef0123456789abcdef >/etc/machine-id

{
    printf '#!/bin/bash\ncd %q\n' "$directory"
    declare -px
    printf 'exec'
    printf ' %q' "$@"
    echo
} >/run/program
chmod 755 /run/program

cat >$units/dbus.service <<'END'
[Unit]
DefaultDependencies=no
[Service]
Type=simple
ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation
StandardOutput=append:/vm/out/log
StandardError=inherit
END
cat >$units/dbus.socket <<'END'
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket

END
cat >$units/program.service <<'END'
[Unit]
DefaultDependencies=no
Requires=dbus.socket dbus.service
After=dbus.socket dbus.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/run/program
TimeoutStartSec=infinity
Delegate=yes
StandardOutput=append:/vm/out/log
StandardError=inherit
END
printf '[Unit]\nDefaultDependencies=no\nRequires=program.service\n' >$units/program.target
export container=test
exec /lib/systemd/systemd --system --unit=program.target --log-target=console --log-level=warning --show-status=no
