#!/bin/busybox sh
# The first process of the machine, in the initramfs: load what reaches the host's files, lay out a root on a tmpfs,
# and go there. A root of its own because pivot_root refuses the initramfs, as it does on no host but such a one.
#
# The kernel's command line says which shares there are: vm.shares=TAG:PATH,... and vm.root=initramfs stays there.
mkdir -p /init.bin /proc /sys /new
/bin/busybox cp /bin/busybox /init.bin/
bb=/init.bin/busybox
export PATH=/init.bin
$bb --install -s /init.bin
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in $(cat /modules.load); do modprobe "$module" || echo "no module $module"; done

new=/new
grep -qw vm.root=initramfs /proc/cmdline && new=
if [ -n "$new" ]; then mount -t tmpfs -o mode=755,size=75% root $new; else rm -r /bin /lib; fi
cd $new/
mkdir -p proc sys dev etc run tmp root home var/tmp vm/bin vm/out vm/modules usr
chmod 1777 tmp var/tmp
for name in bin sbin lib lib32 lib64 libx32; do ln -s "usr/$name" "$name"; done

# For a machine without a share of /usr; and for an overlay of / alone, which does not see what is mounted below it.
mkdir -p usr/bin usr/sbin
cp "$bb" usr/bin/busybox
chroot . /usr/bin/busybox --install -s /usr/bin

options=trans=virtio,version=9p2000.L,msize=512000
share() { mkdir -p "$new$2" && mount -t 9p -o "$options,$3" "$1" "$new$2"; }
shares=$(sed -n 's/.*vm\.shares=\([^ ]*\).*/\1/p' /proc/cmdline | tr , ' ')
for pair in $shares; do share "${pair%%:*}" "${pair#*:}" ro,cache=loose || echo "no share $pair"; done
share out /vm/out rw,cache=none || echo "no share for the results"

cp "$bb" vm/bin/busybox
cp /guest.sh vm/guest.sh
cd /
umount /proc /sys
[ -n "$new" ] || exec /vm/bin/busybox sh /vm/guest.sh
exec switch_root $new /vm/bin/busybox sh /vm/guest.sh
