#!/usr/bin/env bash
# Inside fresh namespaces (see machine.py): an overlay of this machine's files, and a systemd of its own as PID 1 in it.
# Usage: boot.sh FOLDER [SHOW...]    FOLDER takes the overlay; SHOW: what lies on other file systems and must be seen
# Nothing outside changes: mounts are private, writes go to memory, what acts on the kernel is masked and, where a
# capability guards it, taken away.
set -euo pipefail
folder=$1
shift
root=$folder/root
mount --make-rprivate /
mount -t tmpfs phototriage-test "$folder"
mkdir "$folder/upper" "$folder/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" phototriage-test "$root"

# As if something had been sorted here, or the test that nothing of it is seen could not fail on a fresh machine.
mkdir -p "$root/var/lib/phototriage/elsewhere"
: >"$root/var/lib/phototriage/elsewhere/ledger.sqlite"
# What phototriage keeps on this machine, and what its users set, is none of the inner one's: it starts as a new one.
rm -rf "$root"/{etc,var/lib,root/.config,root/.local/state}/phototriage "$root"/etc/systemd/system/phototriage*

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for fresh in run tmp srv var/lib/systemd var/log; do
    mkdir -p "$root/$fresh"
    mount -t tmpfs -o mode=755 phototriage-test "$root/$fresh"
done
chmod 1777 "$root/tmp"
for show in "$@"; do
    mkdir -p "$root$show"
    mount --bind "$show" "$root$show"
done
mount -t tmpfs -o mode=755 phototriage-test "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 phototriage-test "$root/dev/shm"
mount -t devpts -o ptmxmode=0666 phototriage-test "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

# Of all that a machine starts, the journal and what makes users and temporary files are left.
units=$root/etc/systemd/system
for wanted in "$root"/{usr/lib,etc}/systemd/system/{sysinit,multi-user,timers,sockets,getty}.target.wants/*; do
    case ${wanted##*/} in
    systemd-journal* | systemd-tmpfiles-setup.service | systemd-sysusers.service | remote-fs.target) ;;
    *) ln -sf /dev/null "$units/${wanted##*/}" ;;
    esac
done
for unit in systemd-logind.service systemd-udevd.service dbus.socket dbus.service systemd-remount-fs.service; do
    ln -sf /dev/null "$units/$unit"
done
: >"$root/etc/fstab"

# Not chroot: in one, the kernel makes no user namespaces, which PrivateUsers= needs.
cd "$root"
pivot_root . .
umount --lazy .
mount --make-rshared / # as systemd does on a machine: what is mounted later reaches its services
exec env -i container=phototriage-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_module,-sys_time,-sys_boot,-sys_rawio,-syslog,-mac_admin,-audit_control -- \
    /usr/lib/systemd/systemd --unit=multi-user.target --show-status=no --log-target=journal
