#!/bin/bash
# Starts one machine. Joins its cgroups, then makes its namespaces; in them it runs machine.sh (kind ns), systemd-nspawn (kind systemd) or
# QEMU (kind vm). Everything this creates dies with the machine's init, mounts included.
# usage: start.sh KIND NAME DIR LOWER NETNS CGROUP MAC      LOWER: overlay layers, top first; CGROUP: path below each hierarchy
set -euo pipefail
kind=$1 name=$2 dir=$3 lower=$4 netns=$5 cgroup=$6 mac=$7
here=$(cd "$(dirname "$0")" && pwd)

# A v1 cpuset accepts no process until it has cpus and mems, on every level.
fill_cpuset() {
  local at=$1 rest=$2 part file
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    rest=${rest#"$part"}
    rest=${rest#/}
    for file in cpuset.cpus cpuset.mems; do
      [ -n "$(cat "$at/$part/$file")" ] || cat "$at/$file" >"$at/$part/$file"
    done
    at=$at/$part
  done
  echo 1 >"$at/cgroup.clone_children"
}

# `lab down` marks the lab as removed, waits for this lock, and then kills by cgroup: no process can join after that.
exec 8<"${dir%/*}"
flock -s 8
[ ! -e "${dir%/*}/gone" ]

hierarchies=()
while read -r _ mount type _; do
  case $type in cgroup | cgroup2) ;; *) continue ;; esac
  case $mount in /sys/fs/cgroup | /sys/fs/cgroup/*) ;; *) continue ;; esac
  mkdir -p "$mount/$cgroup"
  [ ! -e "$mount/$cgroup/cpuset.cpus" ] || [ "$type" = cgroup2 ] || fill_cpuset "$mount" "$cgroup"
  echo $$ >"$mount/$cgroup/cgroup.procs"
  hierarchies+=("$mount")
done </proc/mounts
exec 8<&-

mkdir -p "$dir/work" "$dir/root" "$dir/docker"
case $kind in
  ns)
    exec nsenter --net="/run/netns/$netns" unshare --mount --uts --ipc --pid --cgroup --fork --kill-child \
      "$here/machine.sh" "$name" "$dir" "$lower" "${hierarchies[@]}"
    ;;
  systemd)
    exec unshare --mount "$here/nspawn.sh" "$name" "$dir" "$lower" "$netns"
    ;;
  vm)
    exec nsenter --net="/run/netns/$netns" unshare --pid --fork --kill-child "$here/vm.sh" "$name" "$dir" "$lower" "$mac"
    ;;
esac
