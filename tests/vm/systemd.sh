#!/usr/bin/env bash
# Runs a command below a systemd of its own, with its bus, inside the virtual machine:
#
#   tests/vm/run.sh --within systemd.sh TEST
#   tests/vm/run.sh --within 'systemd.sh --user' TEST      as a service of the user manager of uid 61234, with its bus
#
# systemd is the first process of a pid namespace, as in a container: it has the machine's cgroups from their root. It
# ends with the command, whose exit status is its own (systemd.unit(5), SuccessAction=exit).
set -euo pipefail

if [ $$ != 1 ]; then
    here=$(realpath "$0")
    exec unshare --pid --fork --mount --propagation private bash "$here" "$PWD" "$@"
fi
directory=$1
shift
user=
if [ "$1" = --user ]; then
    user=61234
    shift
fi
readonly LOG=/vm/out/log SYSTEM=/run/systemd/system USERS=/run/systemd/user

# unit FILE: a unit without the dependencies that drag in the rest of a host.
unit() { { printf '[Unit]\nDefaultDependencies=no\n'; cat; } >"$1"; }

# bus DIRECTORY SOCKET KIND: the units of a bus.
bus() {
    unit "$1/dbus.service" <<END
[Service]
ExecStart=/usr/bin/dbus-daemon --$3 --address=systemd: --nofork --nopidfile --systemd-activation
StandardOutput=append:$LOG
StandardError=inherit
END
    printf '[Socket]\nListenStream=%s\n' "$2" | unit "$1/dbus.socket"
}

# program DIRECTORY: the unit that runs the command and ends the manager.
program() {
    unit "$1/program.service" <<END
Requires=dbus.socket dbus.service
After=dbus.socket dbus.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/run/program
TimeoutStartSec=infinity
Delegate=yes
StandardOutput=append:$LOG
StandardError=inherit
END
    printf 'Requires=program.service\n' | unit "$1/program.target"
}

# The manager of a user, as user@.service starts it: a cgroup of its own and a directory for its sockets.
manager() {
    local runtime=/run/user/$user
    mkdir -p "$runtime" /home/tester
    chown "$user:$user" "$runtime" /home/tester
    chmod 700 "$runtime"
    chmod 666 "$LOG"
    grep -q "^tester:" /etc/passwd || echo "tester:x:$user:$user::/home/tester:/bin/bash" >>/etc/passwd
    grep -q "^tester:" /etc/group || echo "tester:x:$user:" >>/etc/group
    echo "tester:100000:65536" | tee /etc/subuid >/etc/subgid
    bus $USERS "$runtime/bus" session
    program $USERS
    unit "$SYSTEM/user@$user.service" <<END
Requires=dbus.socket dbus.service
After=dbus.socket dbus.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=notify
User=$user
Group=$user
Slice=user-$user.slice
Environment=XDG_RUNTIME_DIR=$runtime DBUS_SESSION_BUS_ADDRESS=unix:path=$runtime/bus HOME=/home/tester
ExecStart=/lib/systemd/systemd --user --unit=program.target --log-target=console --log-level=warning
Delegate=yes
KillMode=mixed
TimeoutStartSec=infinity
StandardOutput=append:$LOG
StandardError=inherit
END
    printf 'Requires=user@%s.service\n' "$user" | unit $SYSTEM/first.target
}

mount -t proc proc /proc
mount -t tmpfs -o mode=755 run /run
mkdir -p $SYSTEM $USERS /etc/dbus-1 /run/dbus
# What of the host's units is in /usr may start hardware, terminals and logins: none of it is wanted here.
for name in systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket systemd-udevd.service \
    systemd-logind.service; do
    ln -s /dev/null $SYSTEM/$name
done
grep -q messagebus /etc/passwd || echo 'messagebus:x:101:101::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
grep -q messagebus /etc/group || echo 'messagebus:x:101:' >>/etc/group
echo 0123456789abcdef0123456789abcdef >/etc/machine-id

{
    printf '#!/bin/bash\ncd %q\n' "$directory"
    [ -z "$user" ] || unset HOME
    declare -px
    printf 'exec'
    printf ' %q' "$@"
    echo
} >/run/program
chmod 755 /run/program

bus $SYSTEM /run/dbus/system_bus_socket system
if [ -n "$user" ]; then
    manager
else
    program $SYSTEM
    printf 'Requires=program.service\n' | unit $SYSTEM/first.target
fi
export container=test
exec /lib/systemd/systemd --system --unit=first.target --log-target=console --log-level=warning --show-status=no
