#!/bin/sh
# Runs a command where zfs-fuse's fixed paths, /run, /mnt and the network are its own. Everything that it starts, mounts or writes there
# ends with it, however it ends.
set -eu
if [ "${PLOYZ_PLOYZD_LAB:-}" != 1 ]; then
  [ "$(id -u)" = 0 ] || { echo "test:lab needs root" >&2; exit 1; }
  export PLOYZ_PLOYZD_LAB=1
  exec unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc sh "$0" "$@"
fi
mount -t tmpfs -o mode=0755,nosuid,nodev,noexec ployz-lab /run
mount -t tmpfs ployz-lab /mnt
mkdir -p /run/zfs /run/lock/zfs /run/netns
[ ! -d /var/lib/zfs ] || mount -t tmpfs ployz-lab /var/lib/zfs
ip link set dev lo up
exec tini -s -- "$@"
