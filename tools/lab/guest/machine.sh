#!/bin/bash
# Runs as pid 1 of a machine's namespaces: builds its root from the cached layers and its own disk, enters it, and becomes its init.
# usage: machine.sh NAME DIR LOWER CGROUP_HIERARCHY...
set -euo pipefail
name=$1 dir=$2 lower=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
root=$dir/root

hostname "$name"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
# As on Debian, where nothing in /run may be executed.
mount -t tmpfs -o mode=755,size=64m,nosuid,nodev,noexec tmpfs "$root/run"
install -D -m 644 "$here/boot.sh" "$root/run/lab/boot"
mkdir -m 1777 "$root/run/lock"

# Each boot of each machine has its own id, as on real hardware.
cat /proc/sys/kernel/random/uuid >"$root/run/lab/boot_id"
chmod 444 "$root/run/lab/boot_id"
mount --bind "$root/run/lab/boot_id" "$root/proc/sys/kernel/random/boot_id"

mount -t tmpfs -o mode=755,size=1m tmpfs "$root/dev"
while read -r path major minor mode; do
  mkdir -p "$(dirname "$root/dev/$path")"
  mknod -m "$mode" "$root/dev/$path" c "$major" "$minor"
done <<'DEVICES'
null 1 3 666
zero 1 5 666
full 1 7 666
random 1 8 666
urandom 1 9 666
kmsg 1 11 600
tty 5 0 666
fuse 10 229 666
net/tun 10 200 666
DEVICES
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for fd in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${fd%%:*}" "$root/dev/${fd#*:}"; done

# In the new cgroup namespace each hierarchy shows this machine's own part only, and it is writable: limits work.
if [ "$*" != /sys/fs/cgroup ]; then mount -t tmpfs -o mode=755,size=1m tmpfs "$root/sys/fs/cgroup"; fi
for hierarchy; do
  mkdir -p "$root$hierarchy"
  case ${hierarchy##*/} in
    cgroup | unified) mount -t cgroup2 cgroup2 "$root$hierarchy" ;;
    systemd) mount -t cgroup -o none,name=systemd cgroup "$root$hierarchy" ;;
    *) mount -t cgroup -o "${hierarchy##*/}" cgroup "$root$hierarchy" ;;
  esac
done

# Docker cannot keep layers on an overlay, so its folder is a plain directory of the machine's disk.
mkdir -p "$root/var/lib/docker"
mount --bind "$dir/docker" "$root/var/lib/docker"

cd "$root"
pivot_root . .
umount -l .
mount --make-rshared /
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux LANG=C.UTF-8 \
  chroot / /usr/bin/tini -- /bin/bash /run/lab/boot
