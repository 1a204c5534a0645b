#!/usr/bin/env bash
# Puts the pinned Node runtime (tools/release/node-version) at DEST_DIR/bin/node and prints that path.
#
#   scripts/lib/node-runtime.sh DEST_DIR
#
# `npm pack` fetches it from npm's configured package registry, and its sha512 must equal the pinned one. Running this again costs nothing.
set -euo pipefail

fail() { printf 'node-runtime.sh: %s\n' "$1" >&2; exit 1; }
[ $# -eq 1 ] && [ -n "$1" ] || fail "usage: node-runtime.sh DEST_DIR"

pins=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../tools/release" && pwd)/node-version
pin() { awk -v key="$1" '$1 == key { print $2 }' "$pins"; }
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) fail "no Node runtime for $(uname -m); Ployz runs on x86_64 and aarch64" ;;
esac
version=$(pin version)
wanted=$(pin "$arch")

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
printf 'node-runtime.sh: fetching node-linux-%s@%s\n' "$arch" "$version" >&2
(cd "$work" && npm pack --silent "node-linux-$arch@$version" >/dev/null) ||
  fail "npm pack node-linux-$arch@$version failed (see above); check npm's configured registry and run again"
archive=$work/node-linux-$arch-$version.tgz
[ -f "$archive" ] || fail "npm pack left no $(basename "$archive")"
found=$(sha512sum "$archive" | cut -d' ' -f1)
pinned=$(printf '%s' "${wanted#sha512-}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
[ "$found" = "$pinned" ] || fail "node-linux-$arch@$version does not match its pinned checksum (sha512 $found, pinned $pinned): not using it"
tar -xzf "$archive" -C "$work" package/bin/node package/LICENSE
mkdir -p "$dest/bin"
mv -f "$work/package/LICENSE" "$dest/LICENSE"
mv -f "$work/package/bin/node" "$dest/bin/node"
echo "$version $wanted" >"$dest/.version"
echo "$dest/bin/node"
