#!/bin/bash
# Runs in a private mount namespace: mounts a machine's disk and boots systemd from it in a container.
# usage: nspawn.sh NAME DIR LOWER NETNS
set -euo pipefail
name=$1 dir=$2 lower=$3 netns=$4
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_NSPAWN_TMPFS_TMP=0
exec systemd-nspawn --quiet --directory="$dir/root" --register=no --keep-unit --machine="$name" \
  --network-namespace-path="/run/netns/$netns" --capability=all --system-call-filter='bpf keyctl add_key' \
  --bind=/dev/fuse --bind=/dev/net/tun --bind="$dir/docker:/var/lib/docker" --console=pipe --link-journal=no \
  --resolv-conf=off --timezone=off --boot
