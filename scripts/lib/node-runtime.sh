#!/usr/bin/env bash
# Puts the pinned Node runtime (tools/release/node-version) at DEST_DIR/bin/node and prints that path.
#
#   scripts/lib/node-runtime.sh DEST_DIR [SYSTEM]      SYSTEM: linux-x64, linux-arm64, darwin-x64 or darwin-arm64; this machine's if it is not given
#
# `npm pack` fetches it from npm's configured package registry, and its sha512 must equal the pinned one. Running this again costs nothing.
set -euo pipefail

fail() { printf 'node-runtime.sh: %s\n' "$1" >&2; exit 1; }
[ $# -ge 1 ] && [ $# -le 2 ] && [ -n "$1" ] || fail "usage: node-runtime.sh DEST_DIR [SYSTEM]"

pins=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../tools/release" && pwd)/node-version
system=${2:-}
if [ -z "$system" ]; then
  case $(uname -m) in
    x86_64) system=linux-x64 ;;
    aarch64) system=linux-arm64 ;;
    *) fail "no Node runtime for $(uname -m); Ployz runs on x86_64 and aarch64" ;;
  esac
fi
read -r package version wanted < <(awk -v key="$system" '$1 == key { print $2, $3, $4 }' "$pins") || fail "tools/release/node-version has no $system"

mkdir -p -- "$1"
dest=$(cd -- "$1" && pwd)
exec 9>"$dest/.lock"
flock 9
if [ -x "$dest/bin/node" ] && [ "$(cat "$dest/.version" 2>/dev/null)" = "$version $wanted" ]; then
  echo "$dest/bin/node"
  exit 0
fi

command -v npm >/dev/null || fail "npm is needed to fetch the Node runtime; apt-get install npm and run again"
work=$(mktemp -d "$dest/.fetch.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
printf 'node-runtime.sh: fetching %s@%s\n' "$package" "$version" >&2
(cd "$work" && npm pack --silent "$package@$version" >/dev/null) ||
  fail "npm pack $package@$version failed (see above); check npm's configured registry and run again"
archive=$work/$package-$version.tgz
[ -f "$archive" ] || fail "npm pack left no $(basename "$archive")"
found=$(sha512sum "$archive" | cut -d' ' -f1)
pinned=$(printf '%s' "${wanted#sha512-}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
[ "$found" = "$pinned" ] || fail "$package@$version does not match its pinned checksum (sha512 $found, pinned $pinned): not using it"
tar -xzf "$archive" -C "$work" package/bin/node package/LICENSE
mkdir -p "$dest/bin"
mv -f "$work/package/LICENSE" "$dest/LICENSE"
mv -f "$work/package/bin/node" "$dest/bin/node"
echo "$version $wanted" >"$dest/.version"
echo "$dest/bin/node"
