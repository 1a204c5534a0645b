#!/bin/bash
# Installs a payload as a layer for machines' disks: the changes of its install.sh to a root. Built once for each payload.
# usage: payload.sh LAYER TARBALL LOWER STATE       LOWER: overlay layers, top first; STATE: the folder of the labs
set -euo pipefail
layer=$1 tarball=$2 lower=$3 state=$4
cache=${layer%/*}

# One at a time, in a mount namespace of its own, so that no mount outlives it.
if [ "${LAB_PAYLOAD_PRIVATE:-}" != 1 ]; then
  mkdir -p "$cache"
  LAB_PAYLOAD_PRIVATE=1 exec flock "$cache/lock" unshare --mount "$0" "$@"
fi
if [ -d "$layer" ]; then
  touch "$layer"
  exit 0
fi

work=$cache/building root=$cache/building/root
rm -rf --one-file-system "$work"
mkdir -p "$root" "$work/upper" "$work/overlay"
trap 'umount -R -l "$root" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/overlay" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
cp "$tarball" "$root/tmp/payload.tar.gz"
tar -C "$root/tmp" -xf "$tarball"
chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
  /tmp/ployz/install.sh --tarball /tmp/payload.tar.gz
umount -R -l "$root"
mv "$work/upper" "$layer"

# Each change of Ployz is another payload: delete those that no lab uses or used within the last hour.
find "$cache" -mindepth 1 -maxdepth 1 -type d -mmin +60 | while read -r old; do
  grep -qsF "\"$old\"" "$state"/*/lab.json || rm -rf "$old"
done
