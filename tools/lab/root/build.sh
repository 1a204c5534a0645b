#!/bin/bash
# Builds the cached Debian roots that lab machines use as the lower layers of their disks.
# usage: build.sh CACHE_DIR LAYER...        layers: base, full (on base), docker and databases (on full), bare-docker and vm (on base)
# Each layer is a folder that an overlay mount stacks on the one below. A layer appears under its name only when it is
# whole, so a build that was killed leaves nothing that would be taken for a root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$1
shift
suite=bookworm
work=$cache/building.$$
words() { sed 's/#.*//' "$1" | tr '\n' ' '; }
say() { echo "lab root: $*" >&2; }

# Runs in a private mount namespace (see the end), so that no mount outlives the build.
in_root() { chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }

open_root() {
  mount -t proc proc "$work/root/proc"
  mount --rbind /dev "$work/root/dev"
  printf '#!/bin/sh\nexit 101\n' >"$work/root/usr/sbin/policy-rc.d"
  chmod 755 "$work/root/usr/sbin/policy-rc.d"
}

close_root() {
  rm -f "$work/root"/etc/ssh/ssh_host_*
  install -m 755 "$here/policy-rc.d" "$work/root/usr/sbin/policy-rc.d"
  umount -l "$work/root/dev" "$work/root/proc"
}

# The build reaches packages exactly as this machine does: its sources for the suite, its proxy and date settings.
use_host_sources() {
  apt-config dump | grep -i '^Acquire' >"$work/root/etc/apt/apt.conf.d/00lab-build" || true
  host_sources >"$work/root/etc/apt/sources.list"
  cp -L /etc/resolv.conf "$work/root/etc/resolv.conf"
  in_root apt-get -qq update
}

# A machine has no route out: its only package source is a folder of .deb files.
use_local_source() {
  rm -f "$work/root/etc/apt/apt.conf.d/00lab-build" "$work/root"/etc/apt/sources.list.d/*
  rm -rf "$work/root"/var/lib/apt/lists/* "$work/root"/var/cache/apt/*
  echo 'deb [trusted=yes] file:/srv/debs ./' >"$work/root/etc/apt/sources.list"
  echo 'Acquire::Languages "none";' >"$work/root/etc/apt/apt.conf.d/80lab"
  : >"$work/root/etc/resolv.conf"
  in_root apt-get -qq update
}

# The sources of this machine for the suite, in the one-line form, main only.
host_sources() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ]; then cat "$file"; echo; fi
  done | awk -v suite="$suite" '
    function flush(  i, n, us, m, ss, j) {
      if (types ~ /(^| )deb( |$)/ && components ~ /(^| )main( |$)/) {
        n = split(uris, us, " "); m = split(suites, ss, " ")
        for (i = 1; i <= n; i++) for (j = 1; j <= m; j++)
          if (ss[j] == suite || index(ss[j], suite "-") == 1) print "deb " us[i] " " ss[j] " main"
      }
      types = uris = suites = components = ""
    }
    /^#/ { next }
    /^[[:space:]]*$/ { flush(); next }
    { key = tolower($1); value = $0; sub(/^[^:]*:[[:space:]]*/, "", value) }
    key == "types:" { types = value }
    key == "uris:" { uris = value }
    key == "suites:" { suites = value }
    key == "components:" { components = value }
    END { flush() }
  '
  { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } | awk -v suite="$suite" '
    $1 == "deb" { i = ($2 ~ /^\[/) ? 3 : 2; if ($2 ~ /^\[/) while ($(i - 1) !~ /\]$/) i++
      if (($(i + 1) == suite || index($(i + 1), suite "-") == 1) && / main( |$)/) print "deb " $i " " $(i + 1) " main" }'
}

# The .deb files of Ployz's programs and of what they need beyond the base, indexed as a package source.
make_debs() {
  mkdir -p "$work/root/srv/debs"
  in_root apt-get -qq install -y --no-install-recommends --download-only -o Dir::Cache::archives=/srv/debs $(words "$here/ployz.txt")
  rm -rf "$work/root/srv/debs/partial" "$work/root/srv/debs/lock"
  local deb
  for deb in "$work/root"/srv/debs/*.deb; do
    dpkg-deb -f "$deb"
    echo "Filename: ./${deb##*/}"
    echo "Size: $(stat -c %s "$deb")"
    echo "SHA256: $(sha256sum "$deb" | cut -d' ' -f1)"
    echo
  done >"$work/root/srv/debs/Packages"
}

# What makes a machine of this root work as a lab machine, in both kinds.
add_lab_parts() {
  local units=$work/root/etc/systemd/system
  install -D -m 755 -t "$work/root/usr/lib/ployz-lab" "$here/start-zfs" "$here/open-cgroups"
  mkdir -p "$units/sysinit.target.wants" "$units/zfs-fuse.service.d"
  printf '[Unit]\nDescription=Writable cgroup controllers\nDefaultDependencies=no\nBefore=sysinit.target\n[Service]\nType=oneshot\nExecStart=/usr/lib/ployz-lab/open-cgroups\n' \
    >"$units/lab-cgroups.service"
  ln -s ../lab-cgroups.service "$units/sysinit.target.wants/"
  printf '[Service]\nExecStart=\nExecStart=/usr/lib/ployz-lab/start-zfs\nExecStop=\n' >"$units/zfs-fuse.service.d/lab.conf"
}

build_base() {
  local mirror
  mirror=${PLOYZ_LAB_MIRROR:-$(host_sources | awk -v suite="$suite" '$3 == suite { print $2; exit }')}
  if [ -z "$mirror" ]; then
    echo "no apt source of this machine offers $suite: set PLOYZ_LAB_MIRROR to a Debian mirror's URI"
    return 3
  fi
  debootstrap --variant=minbase "$suite" "$work/root" "$mirror"
  open_root
  use_host_sources
  in_root apt-get -qq -y dist-upgrade
  in_root apt-get -qq install -y --no-install-recommends $(words "$here/base.txt")
  make_debs
  use_local_source
  add_lab_parts
  # An ns machine's boot script starts sshd itself; systemd uses its own unit.
  in_root update-rc.d ssh remove
  rm -f "$work/root"/etc/rc?.d/S*{dbus,procps,kmod,sudo,hwclock.sh,udev} "$work/root/etc/machine-id"
  : >"$work/root/etc/machine-id"
  printf 'UseDNS no\nPermitRootLogin prohibit-password\n' >"$work/root/etc/ssh/sshd_config.d/lab.conf"
  in_root systemctl mask --quiet systemd-networkd-wait-online.service systemd-udevd.service systemd-resolved.service
  close_root
}

build_full() {
  open_root
  in_root apt-get -qq install -y --no-install-recommends $(words "$here/ployz.txt")
  # Installed is not started: Ployz runs its own HAProxy. zfs-fuse is started by the machine's boot script.
  local name
  for name in haproxy zfs-fuse; do
    in_root update-rc.d -f "$name" remove
    [ "$name" = zfs-fuse ] || in_root systemctl disable --quiet "$name"
  done
  close_root
}

build_docker() {
  open_root
  use_host_sources
  in_root apt-get -qq install -y --no-install-recommends $(words "$here/docker.txt")
  use_local_source
  in_root update-rc.d -f docker remove
  mkdir -p "$work/root/etc/docker"
  echo '{ "live-restore": true }' >"$work/root/etc/docker/daemon.json"
  close_root
}

build_databases() {
  open_root
  use_host_sources
  # No cluster is made at installation: each test has its own, on a volume.
  mkdir -p "$work/root/etc/postgresql-common"
  echo 'create_main_cluster = false' >"$work/root/etc/postgresql-common/createcluster.conf"
  in_root apt-get -qq install -y --no-install-recommends -o Dpkg::Options::=--force-confold $(words "$here/databases.txt")
  use_local_source
  local name
  for name in postgresql redis-server; do
    in_root update-rc.d -f "$name" remove
    in_root systemctl disable --quiet "$name"
  done
  close_root
}

# A machine with a kernel of its own: Debian's, with its WireGuard, and OpenZFS built for it. A disk, a kernel and an initramfs.
build_vm() {
  open_root
  use_host_sources
  # OpenZFS is in contrib.
  sed -i 's/ main$/ main contrib/' "$work/root/etc/apt/sources.list"
  in_root apt-get -qq update
  in_root apt-get -qq install -y --no-install-recommends linux-image-cloud-amd64 linux-headers-cloud-amd64 udev initramfs-tools
  in_root apt-get -qq install -y --no-install-recommends zfs-dkms
  in_root apt-get -qq install -y --no-install-recommends $(words "$here/vm.txt")
  in_root systemctl disable --quiet haproxy zfs-mount.service zfs-share.service zfs-volume-wait.service zfs-zed.service
  use_local_source
  printf 'zfs\nwireguard\n' >"$work/root/etc/modules-load.d/ployz-lab.conf"
  install -D -m 755 -t "$work/root/usr/lib/ployz-lab" "$here/seed"
  printf '[Unit]\nDescription=What is this machine'"'"'s own, from its second disk\nDefaultDependencies=no\nRequires=local-fs.target\nAfter=local-fs.target\nBefore=network-pre.target ssh.service sysinit.target\nWants=network-pre.target\n[Service]\nType=oneshot\nExecStart=/usr/lib/ployz-lab/seed\n' \
    >"$work/root/etc/systemd/system/lab-seed.service"
  ln -sf ../lab-seed.service "$work/root/etc/systemd/system/sysinit.target.wants/"
  printf '/dev/vda / ext4 defaults 0 1\n' >"$work/root/etc/fstab"
  rm -f "$work/root/etc/systemd/system/lab-cgroups.service" "$work/root/etc/systemd/system/sysinit.target.wants/lab-cgroups.service"
  in_root systemctl enable --quiet ssh.service
  close_root
  cp "$work"/root/boot/vmlinuz-* "$work/kernel"
  cp "$work"/root/boot/initrd.img-* "$work/initrd"
  mke2fs -q -t ext4 -L root -d "$work/root" "$work/disk" 6G
}

build() {
  local layer=$1 lower=$2
  [ -d "$cache/$layer" ] && return
  say "building $layer (once)"
  mkdir -p "$work/root" "$work/upper" "$work/overlay"
  if [ -n "$lower" ]; then
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/overlay" "$work/root"
  fi
  "build_${layer#bare-}" >>"$work/log" 2>&1
  if [ -n "$lower" ]; then
    umount "$work/root"
    [ "$layer" != vm ] || { rm -rf "$work/upper" && mkdir "$work/upper" && mv "$work/kernel" "$work/initrd" "$work/disk" "$work/upper/"; }
    mv "$work/upper" "$cache/$layer"
  else
    mv "$work/root" "$cache/$layer"
  fi
  rm -rf "$work"
}

# One build at a time; leftovers of killed builds go first.
if [ "${LAB_BUILD_PRIVATE:-}" != 1 ]; then
  mkdir -p "$cache"
  LAB_BUILD_PRIVATE=1 exec flock "$cache/lock" unshare --mount "$0" "$cache" "$@"
fi
rm -rf "$cache"/building.*
trap 'rc=$?; [ $rc = 0 ] || tail -n 30 "$work/log" >&2; umount -l "$work/root" 2>/dev/null || true; rm -rf --one-file-system "$work"; exit $rc' EXIT
for layer in "$@"; do
  case $layer in
    base) build base "" ;;
    full) build full "$cache/base" ;;
    docker | databases) build "$layer" "$cache/full:$cache/base" ;;
    vm) build vm "$cache/base" ;;
    bare-docker) build bare-docker "$cache/base" ;;
    *) say "unknown layer $layer"; exit 2 ;;
  esac
done
