#!/bin/sh
# Installs the unpacked payload that this script lies in, or removes every installed one. Plain sh, no network.
#
#   install.sh [--tarball FILE] [--operation ID] [--prefix DIR] [--stage]
#   install.sh --remove [--prefix DIR]
#
# Creates (DIR is /usr/local):
#   DIR/lib/ployz/<build>/            the payload, under the first 12 digits of its build
#   DIR/lib/ployz/<build>/payload.tar.gz   the archive it came in: what `machine add` sends onward
#   DIR/lib/ployz/<build>/.operation  the operation that installed it, when one is named
#   DIR/lib/ployz/current             a link, switched in one rename
#   DIR/bin/ployzctl, DIR/bin/ployzd  links through `current`
#   DIR/share/man/man1/ployzctl*.1    links through `current`
#
# --tarball is the archive that this payload was unpacked from. Without it the archive is packed again from the files:
# the same build, not the same bytes. Everything is checked before anything is written, and running it again with the
# same payload changes nothing. With --stage it installs the payload beside the others without changing a link. Earlier builds stay, so that programs running from them are not affected.
# Where there is a release key (/etc/ployz/release.pub, an Ed25519 public key in PEM; PLOYZ_RELEASE_KEY names another file, or none when
# it is empty), the payload must have been signed with it.
# Exit codes: 0 done, 2 usage, 3 a precondition is not met and nothing was changed, 1 it failed.
set -eu
export LC_ALL=C
umask 022

note() { printf 'install.sh: %s\n' "$1" >&2; }
usage() { note "$1"; note "usage: install.sh [--tarball FILE] [--operation ID] [--prefix DIR] [--stage] | --remove [--prefix DIR]"; exit 2; }
refuse() { note "$1"; exit 3; }

prefix=/usr/local tarball= operation= remove= stage=
while [ $# -gt 0 ]; do
  case $1 in
    --remove) remove=1; shift; continue ;;
    --stage) stage=1; shift; continue ;;
    --tarball | --operation | --prefix) [ $# -ge 2 ] && [ -n "$2" ] || usage "$1 needs a value" ;;
    *) usage "unknown argument: $1" ;;
  esac
  case $1 in
    --tarball) tarball=$2 ;;
    --operation) operation=$2 ;;
    --prefix) prefix=$2 ;;
  esac
  shift 2
done
case $prefix in /*) ;; *) usage "--prefix must be an absolute path: $prefix" ;; esac
case $operation in *[!A-Za-z0-9._-]*) usage "--operation has characters other than letters, digits, dot, dash, underscore" ;; esac

lib=$prefix/lib/ployz
bin=$prefix/bin
man=$prefix/share/man/man1

unlink_pages() { # unlink_pages [-e]: removes our links to manual pages; with -e only those whose page is gone
  for page in "$man"/ployzctl*.1; do
    case $(readlink "$page" 2>/dev/null || :) in
      ../../../lib/ployz/current/*) [ -n "${1:-}" ] && [ -e "$page" ] || rm -f "$page" ;;
    esac
  done
}

if [ -n "$remove" ]; then
  # A running daemon or nats-server would lose its files. Compared by inode, so that the programs of a
  # container or another root do not match.
  for exe in /proc/[0-9]*/exe; do
    file=$(readlink "$exe" 2>/dev/null) || continue
    case $file in
      "$lib"/*) if [ "$exe" -ef "$file" ]; then
        pid=${exe#/proc/}
        refuse "process ${pid%/exe} runs from $file; stop it first (ployzctl daemon uninstall, or ployzctl dev down)"
      fi ;;
    esac
  done
  for name in ployzctl ployzd; do
    case $(readlink "$bin/$name" 2>/dev/null || :) in
      ../lib/ployz/current/*) rm -f "$bin/$name" ;;
    esac
  done
  unlink_pages
  rmdir "$man" 2>/dev/null || :
  rm -rf "$lib"
  exit 0
fi

# --- Preconditions -----------------------------------------------------------------------------------------------------
payload=$(cd "$(dirname "$0")" && pwd)
[ -r "$payload/version.json" ] || refuse "$payload is not an unpacked payload: version.json is missing"
field() { sed -n "s/.*\"$1\": *\"\\([^\"]*\\)\".*/\\1/p" "$payload/version.json"; }
build=$(field build)
arch=$(field arch)
short=$(printf %.12s "$build")
[ "${#short}" -eq 12 ] || refuse "$payload/version.json has no build"

key=${PLOYZ_RELEASE_KEY-/etc/ployz/release.pub}
if [ -n "$key" ] && [ -e "$key" ]; then
  command -v openssl >/dev/null || refuse "$key asks for a signed payload, and openssl is missing to check it: apt-get install openssl"
  [ -r "$payload/SHA256SUMS.sig" ] || refuse "$key asks for a signed payload, and this one has no signature"
  openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$payload/SHA256SUMS" -sigfile "$payload/SHA256SUMS.sig" >/dev/null 2>&1 ||
    refuse "the payload in $payload was not signed with $key"
elif [ -n "${PLOYZ_RELEASE_KEY:-}" ]; then
  refuse "the release key $PLOYZ_RELEASE_KEY is missing"
fi

case $(uname -m) in x86_64) machine=x64 ;; aarch64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
[ "$arch" = "$machine" ] || refuse "this payload is for $arch and this machine is $machine: build or download the $machine payload"
[ -z "$tarball" ] || [ -r "$tarball" ] || refuse "the archive $tarball is missing or not readable"

existing=$prefix
while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done
[ -w "$existing" ] || refuse "$existing is not writable: run as root, or pass another --prefix"

done_already=
if [ -f "$lib/$short/payload.tar.gz" ] && [ "$(cat "$lib/$short/version.json")" = "$(cat "$payload/version.json")" ]; then
  done_already=1
fi
if [ -z "$done_already" ]; then
  [ "$(sha256sum <"$payload/SHA256SUMS" | cut -d' ' -f1)" = "$build" ] && (cd "$payload" && sha256sum --check --status SHA256SUMS) ||
    refuse "the payload in $payload is damaged or incomplete: upload and unpack it again"
  needed=$(($(du -sk "$payload" | cut -f1) + $(du -sk "${tarball:-$payload}" | cut -f1) + 16384))
  free=$(df -Pk "$existing" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$needed" ] || refuse "$existing has $((free / 1024)) MiB free and the installation needs $((needed / 1024)) MiB: free space and run again"
fi

# --- Install -----------------------------------------------------------------------------------------------------------
mkdir -p "$lib" "$bin"
incoming=$lib/.incoming-$short-$$
trap 'rm -rf "$incoming" "$lib/.current-$$"' EXIT
trap 'exit 1' HUP INT TERM

if [ -z "$done_already" ]; then
  # Left by an installation that was killed: its process is gone.
  for left in "$lib"/.incoming-*; do
    [ -d "$left" ] && ! kill -0 "${left##*-}" 2>/dev/null && rm -rf "$left"
  done
  mkdir "$incoming"
  cp -R -p "$payload/." "$incoming/"
  if [ -n "$tarball" ]; then
    cp "$tarball" "$incoming/payload.tar.gz"
  else
    tar --create --directory "$payload" --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
      --exclude=./payload.tar.gz --exclude=./cache --exclude=./.operation --transform='s,^\.,ployz,' . | gzip -1n >"$incoming/payload.tar.gz"
  fi
  [ "$(id -u)" != 0 ] || chown -R 0:0 "$incoming"
  [ -z "$operation" ] || printf '%s\n' "$operation" >"$incoming/.operation"
  sync -f "$incoming" 2>/dev/null || :
  rm -rf "$lib/$short"
  mv "$incoming" "$lib/$short"
  # Fills the compile cache, so that the first command is as fast as any later one.
  timeout 20 "$lib/$short/bin/ployzctl" --version </dev/null >/dev/null 2>&1 || :
fi

[ -z "$stage" ] || exit 0

switch() { # switch TARGET LINK: points the link there in one rename, when it does not already
  [ "$(readlink "$2" 2>/dev/null || :)" = "$1" ] && return
  ln -s "$1" "$lib/.current-$$"
  mv -Tf "$lib/.current-$$" "$2"
}
switch "$short" "$lib/current"
mkdir -p "$man"
for page in "$lib"/current/share/man/man1/*.1; do
  [ -e "$page" ] || continue
  switch "../../../lib/ployz/current/share/man/man1/${page##*/}" "$man/${page##*/}"
done
unlink_pages -e
for name in ployzctl ployzd; do switch "../lib/ployz/current/bin/$name" "$bin/$name"; done
