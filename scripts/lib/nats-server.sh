#!/usr/bin/env bash
# Puts a nats-server of at least the version below at DEST_DIR/nats-server and prints its path.
#
#   scripts/lib/nats-server.sh DEST_DIR [ARCH]
#
# With ARCH (x64 or arm64) of another kind of machine: DEST_DIR/nats-server-ARCH, from Debian, if tools/release/nats-server-digests pins it:
# it cannot be run here to ask for its version.
#
# Sources, in this order:
#   1. DEST_DIR/nats-server, if it is new enough (running this again costs nothing);
#   2. PLOYZ_NATS_SERVER or a nats-server in PATH that is new enough (copied);
#   3. Debian's unstable suite, through a private apt configuration (own sources, lists and status), from this machine's configured mirror;
#      apt checks signatures as always. Nothing is installed and the
#      machine's own apt state is not touched.
# The project's release archives are not used: this repository pins no checksums of them, and an
# unchecked download is not an option. To use one, put the binary in PATH, or name it in PLOYZ_NATS_SERVER.
#
# Older servers are refused: 2.9 lets several writers win one compare-and-set in a cluster, and before 2.12 either
# sync_interval or per-message TTL is missing or ignored in silence.
set -euo pipefail

readonly needed=2.12.0

fail() { printf 'nats-server.sh: %s\n' "$1" >&2; exit 1; }
note() { printf 'nats-server.sh: %s\n' "$1" >&2; }

[ $# -ge 1 ] && [ $# -le 2 ] && [ -n "$1" ] || fail "usage: nats-server.sh DEST_DIR [ARCH]"
mkdir -p -- "$1"
dest=$(cd -- "$1" && pwd)
target=$dest/nats-server
pins=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../tools/release" && pwd)/nats-server-digests
case $(uname -m) in x86_64) own=x64 ;; aarch64) own=arm64 ;; *) own=$(uname -m) ;; esac
foreign=
[ "${2:-$own}" = "$own" ] || foreign=$2
case $foreign in
  '') ;;
  x64) debian=amd64 ;;
  arm64) debian=arm64 ;;
  *) fail "no nats-server for $foreign; Ployz runs on x64 and arm64" ;;
esac
[ -z "$foreign" ] || target=$dest/nats-server-$foreign

version_of() { # prints 2.15.1, or nothing if it is not nats-server
  "$1" --version 2>/dev/null | sed -n 's/^nats-server: v\{0,1\}\([0-9][0-9.]*\).*/\1/p' | head -n 1
}
new_enough() {
  local found
  [ -x "$1" ] || return 1
  if [ -n "$foreign" ]; then
    grep -qx "$foreign $(sha256sum <"$1" | cut -d' ' -f1)" "$pins"
    return
  fi
  found=$(version_of "$1")
  [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$needed" "$found" | sort -V | head -n 1)" = "$needed" ]
}
place() { # copies, then renames, so that a running server's file is never overwritten in place
  local part
  part=$(mktemp "$dest/.nats-server.XXXXXX")
  cp -- "$1" "$part"
  chmod 0755 "$part"
  mv -f -- "$part" "$target"
}

if new_enough "$target"; then echo "$target"; exit 0; fi

for candidate in "${PLOYZ_NATS_SERVER:-}" "$(command -v nats-server || true)"; do
  [ -n "$candidate" ] && [ -z "$foreign" ] || continue
  if new_enough "$candidate"; then
    place "$candidate"
    echo "$target"
    exit 0
  fi
  note "$candidate is '$(version_of "$candidate" || true)', older than $needed; looking further"
done

for tool in apt-get dpkg dpkg-deb; do
  command -v "$tool" >/dev/null || fail "no nats-server >= $needed in PATH, and no $tool to fetch one with; install nats-server >= $needed and run again"
done

# The first binary-package mirror of the main archive in the machine's apt sources, both formats. Security and updates
# archives do not carry unstable.
mirror_uri() {
  {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
      sed -n -e 's/\[[^]]*\]//' -e 's/^[[:space:]]*deb[[:space:]]\{1,\}\([^[:space:]]*\).*/\1/p' || true
    awk 'tolower($1) == "enabled:" && tolower($2) == "no" { off = 1 }
         tolower($1) == "types:" { deb = ($0 ~ /[[:space:]]deb([[:space:]]|$)/) }
         tolower($1) == "uris:" { n = split($0, part, /[[:space:]]+/); uris = ""; for (i = 2; i <= n; i++) uris = uris part[i] "\n" }
         /^[[:space:]]*$/ || FNR == 1 && NR > 1 { flush() }
         function flush() { if (deb && !off) printf "%s", uris; deb = 0; off = 0; uris = "" }
         END { flush() }' /etc/apt/sources.list.d/*.sources 2>/dev/null || true
  } | grep -E '/debian/?$' | head -n 1
}
mirror=$(mirror_uri || true)
[ -n "$mirror" ] || fail "no nats-server >= $needed in PATH, and no Debian archive in this machine's apt sources to fetch one from; install nats-server >= $needed (or set PLOYZ_NATS_SERVER) and run again"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || fail "the Debian archive keyring is missing; apt-get install debian-archive-keyring and run again"

work=$(mktemp -d "${TMPDIR:-/tmp}/ployz-nats-server.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,out,root,empty}
: >"$work/status"
# apt drops to its own user for downloads; it must be able to enter the folder.
chmod 0755 "$work" "$work/out"
if id -u _apt >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  chown -R _apt "$work/lists/partial" "$work/archives/partial" "$work/out"
fi
printf 'deb [signed-by=%s] %s sid main\n' "$keyring" "$mirror" >"$work/sources.list"

private_apt() {
  apt-get -qq \
    -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/empty" \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$work/empty" \
    -o Dir::State="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" \
    -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives" \
    ${foreign:+-o APT::Architecture=$debian -o APT::Architectures=$debian} -o Acquire::Languages=none -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=2 "$@"
}

note "fetching nats-server from Debian unstable"
private_apt update >&2 || fail "reading the package lists of Debian unstable failed (see above); check this machine's network and apt proxy, or install nats-server >= $needed"
(cd "$work/out" && private_apt download nats-server >&2) || fail "downloading the nats-server package failed (see above); run again, or install nats-server >= $needed"
set -- "$work"/out/nats-server_*.deb
[ -f "$1" ] || fail "apt-get download left no nats-server package"
dpkg -x "$1" "$work/root"
binary=$work/root/usr/sbin/nats-server
[ -x "$binary" ] || binary=$work/root/usr/bin/nats-server
[ -x "$binary" ] || fail "the nats-server package holds no nats-server binary"
[ -z "$foreign" ] || new_enough "$binary" ||
  fail "the nats-server of Debian unstable for $foreign (sha256 $(sha256sum <"$binary" | cut -d' ' -f1)) is not pinned in tools/release/nats-server-digests: check it and add it"
new_enough "$binary" || fail "Debian unstable carries nats-server '$(version_of "$binary")' here, which does not run or is older than $needed; install nats-server >= $needed and run again"
place "$binary"
echo "$target"
