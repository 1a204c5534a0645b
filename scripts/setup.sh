#!/usr/bin/env bash
# Installs the packages that a Debian machine needs to build, run and test Ployz. As root; fast when nothing is missing.
#
#   scripts/setup.sh [--run-only | --real-kernel]
#
# --run-only leaves out the packages of the tests (scripts/quickstart.sh uses it). --real-kernel adds those of virtual machines. Debian packages come from the machine's own package sources, npm packages from the registry that npm is configured for. Nothing is installed
# outside apt and this folder's .cache and node_modules. Services that the packages bring are not started.
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
cd "$ployz_root"

fail() { printf 'setup.sh: %s\n' "$1" >&2; exit 1; }
note() { printf 'setup.sh: %s\n' "$1" >&2; }

tests=1 machines=
case "$#:${1:-}" in
  0:) ;;
  1:--run-only) tests= ;;
  1:--real-kernel) machines=1 ;;
  *) fail "usage: setup.sh [--run-only | --real-kernel]" ;;
esac
mkdir -p .cache/tools/bin
exec 8>.cache/setup.lock
flock 8

# --- Debian packages ---------------------------------------------------------------------------------------------------
installed_packages() { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | awk '$1 == "ii" { print $2 }'; }

restore_policy() {
  rm -f /usr/sbin/policy-rc.d
  [ ! -e /usr/sbin/policy-rc.d.ployz-saved ] || mv /usr/sbin/policy-rc.d.ployz-saved /usr/sbin/policy-rc.d
}
apt_install() { # apt_install NAME...: only those that are missing
  local missing
  mapfile -t missing < <(printf '%s\n' "$@" | sort -u | grep -vxF -f <(installed_packages "$@"))
  [ "${#missing[@]}" -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "missing Debian packages: ${missing[*]}; run as root, or install them"
  note "installing ${missing[*]}"
  # Debian asks this program before it starts a service; 101 means "do not".
  if [ -e /usr/sbin/policy-rc.d ] && [ ! -e /usr/sbin/policy-rc.d.ployz-saved ]; then
    mv /usr/sbin/policy-rc.d /usr/sbin/policy-rc.d.ployz-saved
  fi
  trap restore_policy EXIT
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update >&2 || fail "apt-get update failed (see above); check this machine's package sources and run again"
  apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "${missing[@]}" >&2 ||
    fail "apt-get install failed (see above); run again"
  restore_policy
  trap - EXIT
  printf '%s\n' "${missing[@]}" >>.cache/installed-packages
}

listed() { # listed FILE KEY-COLUMN NAME-COLUMN KEY...: the names whose key is one of KEY
  local file=$1 key=$2 name=$3
  shift 3
  awk -v wanted=" $* " -v k="$key" -v n="$name" '!/^#/ && NF >= 2 && index(wanted, " " $k " ") { print $n }' "$file"
}
when=(always no-runc no-kernel-wireguard)
# zfs-fuse and the zfsutils of a machine with the ZFS module conflict.
command -v zpool >/dev/null || when+=(no-kernel-zfs)
groups=(build)
[ -z "$tests" ] || groups+=(tests)
[ -z "$machines" ] || groups+=(real-kernel)
mapfile -t wanted < <(
  listed tools/release/packages.txt 2 1 "${when[@]}"
  listed scripts/lib/packages.txt 1 2 "${groups[@]}"
  # The lab may name more, one per line.
  [ -z "$tests" ] || [ ! -r tools/lab/packages.txt ] || awk '!/^#/ && NF { print $1 }' tools/lab/packages.txt
)
apt_install "${wanted[@]}"

# --- Node and pnpm -----------------------------------------------------------------------------------------------------
node_is_new_enough() {
  local version
  version=$(node --version 2>/dev/null) || return 1
  [ "$(printf '%s\n' v20.19.0 "$version" | sort -V | head -n 1)" = v20.19.0 ]
}
if ! node_is_new_enough; then
  command -v npm >/dev/null || apt_install nodejs npm
  scripts/lib/node-runtime.sh .cache/node >/dev/null
  ln -sfn ../../node/bin/node .cache/tools/bin/node
  hash -r
  node_is_new_enough || fail "the downloaded Node does not run here: $(node --version 2>&1 | head -n 1)"
fi

pnpm_version=$(node -p 'require("./package.json").packageManager.split("@").pop()')
if [ "$(pnpm --version 2>/dev/null)" != "$pnpm_version" ]; then
  command -v npm >/dev/null || apt_install npm
  note "installing pnpm $pnpm_version into .cache"
  NODE_NO_WARNINGS=1 npm install --silent --no-save --prefix .cache/tools/pnpm "pnpm@$pnpm_version" >&2 ||
    fail "npm could not install pnpm@$pnpm_version; check npm's configured registry and run again"
  ln -sfn ../pnpm/node_modules/pnpm/bin/pnpm.cjs .cache/tools/bin/pnpm
  hash -r
  [ "$(pnpm --version)" = "$pnpm_version" ] || fail "pnpm $pnpm_version is installed but does not run"
fi

scripts/lib/nats-server.sh .cache >/dev/null

# pnpm checks everything each time; comparing its inputs is faster.
wants=$(cat pnpm-lock.yaml pnpm-workspace.yaml package.json ./*/*/package.json | sha256sum)
if [ "$(cat node_modules/.ployz-installed 2>/dev/null)" != "$wants" ]; then
  note "installing npm packages into node_modules (the first time takes a minute or two)"
  CI=true pnpm install --frozen-lockfile --prefer-offline --reporter=append-only >.cache/pnpm-install.log 2>&1 ||
    { tail -n 20 .cache/pnpm-install.log >&2; fail "pnpm install failed (see above, and .cache/pnpm-install.log)"; }
  echo "$wants" >node_modules/.ployz-installed
fi
note "ready: node $(node --version), pnpm $pnpm_version"
