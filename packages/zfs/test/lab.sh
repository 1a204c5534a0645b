#!/bin/sh
# Runs a command where zfs-fuse's fixed paths (/run/zfs, /run/lock/zfs, /var/lib/zfs) and /mnt are its own. Everything that it starts,
# mounts or writes there ends with it, however it ends.
set -eu
if [ "${PLOYZ_ZFS_LAB:-}" != 1 ]; then
  [ "$(id -u)" = 0 ] || { echo "test:lab needs root" >&2; exit 1; }
  export PLOYZ_ZFS_LAB=1
  exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc sh "$0" "$@"
fi
mount -t tmpfs ployz-lab /run
mount -t tmpfs ployz-lab /mnt
mkdir -p /run/zfs /run/lock/zfs
[ ! -d /var/lib/zfs ] || mount -t tmpfs ployz-lab /var/lib/zfs
exec tini -s -- "$@"
