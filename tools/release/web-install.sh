#!/bin/sh
# Installs ployzctl, or all that a machine of a cluster needs, from a release of Ployz. Linux and macOS, x64 and ARM64.
#
#   curl -fsSL URL/install.sh | sh
#   curl -fsSL URL/install.sh | sh -s -- --machine
#
#   --machine          the payload of a machine: ployzd, ployzctl and what they run (Linux, as root)
#   --version VERSION  this version, not the latest one
#   --prefix DIR       install below DIR; /usr/local for root, else ~/.local
#   --uninstall        remove the installation below the prefix
#   --url URL          where releases are published: below it are latest/download/FILE and download/vVERSION/FILE
#   --key FILE         the public key that signed the release (PEM, or a line as in ~/.ssh/id_ed25519.pub)
#
# It downloads SHA256SUMS, checks who signed it (openssl 3 or ssh-keygen), then the archive that it names; only then it writes below the prefix.
# Exit codes: 0 done, 1 failed and nothing changed, 2 usage, 3 a precondition is not met and nothing changed.
set -eu
export LC_ALL=C
umask 022

URL='@URL@'
KEY='@KEY@'
SSH_KEY='@SSH_KEY@'

note() { printf 'install.sh: %s\n' "$1" >&2; }
usage() { note "$1"; note 'usage: install.sh [--machine] [--version VERSION] [--prefix DIR] [--url URL] [--key FILE] | --uninstall [--prefix DIR]'; exit 2; }
refuse() { note "$1"; exit 3; }
fail() { note "$1"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Called by the last line, so that a script that was cut off on its way does nothing.
main() {
  machine='' version='' prefix='' remove='' key=''
  while [ $# -gt 0 ]; do
    case $1 in
      --machine) machine=1; shift; continue ;;
      --uninstall) remove=1; shift; continue ;;
      --version | --prefix | --url | --key) [ $# -ge 2 ] && [ -n "$2" ] || usage "$1 needs a value" ;;
      *) usage "unknown argument: $1" ;;
    esac
    case $1 in
      --version) version=${2#v} ;;
      --prefix) prefix=$2 ;;
      --url) URL=${2%/} ;;
      --key) key=$2 ;;
    esac
    shift 2
  done
  root=
  [ "$(id -u)" != 0 ] || root=1
  if [ -z "$prefix" ]; then
    if [ -n "$root" ]; then prefix=/usr/local; else prefix=${HOME:?}/.local; fi
  fi
  case $prefix in /*) ;; *) usage "--prefix must be an absolute path: $prefix" ;; esac
  case $version in *[!0-9A-Za-z.+-]*) usage "--version is not a version: $version" ;; esac
  lib=$prefix/lib/ployz

  if [ -n "$remove" ]; then
    [ -z "$machine$version" ] || usage "--uninstall takes --prefix only"
    uninstall
    exit 0
  fi

  case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) refuse "there is no release for $(uname -s): Linux and macOS only (on Windows: in WSL)" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) refuse "there is no release for $(uname -m): x86-64 and ARM64 only" ;;
  esac
  # Under Rosetta, uname says x86_64.
  if [ "$system" = darwin ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" = 1 ]; then arch=arm64; fi
  if [ "$system" = linux ] && ! has dpkg && ldd --version 2>&1 | grep -qi musl; then
    refuse "there is no release for musl libc: npm install --global ployzctl, with Node 20.19 or later"
  fi
  if has curl; then get='curl'; elif has wget; then get='wget'; else refuse "curl or wget is needed to download the release"; fi
  for tool in tar gzip; do has "$tool" || refuse "$tool is missing"; done
  if has sha256sum; then sha='sha256sum'; elif has shasum; then sha='shasum -a 256'; else refuse "sha256sum or shasum is needed to check the release"; fi
  choose_key

  if [ -n "$machine" ]; then
    [ "$system" = linux ] || refuse "machines of a cluster run Linux; without --machine this installs ployzctl"
    [ -n "$root" ] || refuse "--machine installs a service: run as root, as in: curl ... | sudo sh -s -- --machine"
  elif [ -e "$lib/current/bin/ployzd" ]; then
    refuse "$lib is a machine's installation, and ployzctl is part of it: to update it, add --machine, or run ployzctl machine update on another machine"
  fi
  writable "$prefix/bin"
  writable "$lib"
  floor=$existing
  case $(readlink "$prefix/bin/ployzctl" 2>/dev/null || :) in
    ../lib/ployz/current/*) ;;
    *) [ ! -e "$prefix/bin/ployzctl" ] || refuse "$prefix/bin/ployzctl was not installed by this script: remove it, or pass another --prefix" ;;
  esac

  work=$(mktemp -d "${TMPDIR:-/tmp}/ployz-install.XXXXXX") || fail "no folder for the download: set TMPDIR"
  incoming=
  trap cleanup EXIT
  trap 'exit 1' HUP INT TERM

  if [ -n "$version" ]; then base=$URL/download/v$version; else base=$URL/latest/download; fi
  download "$base/SHA256SUMS" "$work/SHA256SUMS"
  verify_sums "$base"
  wanted=$(sed -n "s/^[0-9a-f]\{64\} [ *]ployzctl-\(.*\)-$system-$arch\.tar\.gz\$/\1/p" "$work/SHA256SUMS")
  [ -n "$wanted" ] || fail "the release at $base has nothing for $system-$arch"
  [ -z "$version" ] || [ "$wanted" = "$version" ] || fail "the release at $base is $wanted, not $version: another version is published there"
  if [ -n "$machine" ]; then archive=ployz-payload-linux-$arch.tar.gz; else archive=ployzctl-$wanted-$system-$arch.tar.gz; fi
  digest=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$archive\$/\1/p" "$work/SHA256SUMS")
  [ -n "$digest" ] || fail "the release at $base has no $archive"

  id=$(printf %.12s "$digest")
  if [ -z "$machine" ] && [ "$(readlink "$lib/current" 2>/dev/null || :)" = "$id" ] && [ -x "$prefix/bin/ployzctl" ]; then
    note "ployzctl $wanted is installed already"
    exit 0
  fi
  note "downloading $archive ($wanted)"
  download "$base/$archive" "$work/archive.tar.gz"
  [ "$($sha <"$work/archive.tar.gz" | cut -c1-64)" = "$digest" ] ||
    fail "$archive is not what the signed SHA256SUMS names (damaged, cut off, or replaced): nothing is installed; run again"
  if [ -n "$machine" ]; then install_machine; else install_cli; fi
}

cleanup() {
  rm -rf "$work" ${incoming:+"$incoming"}
  # Folders that were made for an installation that did not come about.
  made=$lib
  while [ "$made" != "$floor" ] && rmdir "$made" 2>/dev/null; do made=$(dirname "$made"); done
}

# The key to check with: --key, else the one that this script was made with. Sets `pem` (base64 of the public key) and `ssh_key`.
choose_key() {
  pem=$KEY ssh_key=$SSH_KEY
  if [ -n "$key" ]; then
    [ -r "$key" ] || refuse "the key $key is missing or not readable"
    pem='' ssh_key=''
    case $(cat "$key") in
      *'BEGIN PUBLIC KEY'*) pem=$(sed '/^-/d' "$key" | tr -d '\n') ;;
      ssh-ed25519\ *) ssh_key=$(cut -d' ' -f1,2 "$key") ;;
      *) refuse "$key is neither a public key in PEM nor one of OpenSSH" ;;
    esac
  fi
  [ -n "$pem$ssh_key" ] || refuse "this install.sh was made without a key: pass the public key that signs its releases, --key FILE"
  verify=
  # LibreSSL, and OpenSSL before 3, cannot check Ed25519 signatures of files.
  if [ -n "$pem" ] && has openssl && openssl pkeyutl -help 2>&1 | grep -q rawin; then verify=openssl
  elif [ -n "$ssh_key" ] && has ssh-keygen; then verify=ssh-keygen
  elif [ -n "$pem" ]; then refuse "openssl 3${SSH_KEY:+ or ssh-keygen} is needed to check who signed the release: install openssl or openssh-client"
  else refuse "ssh-keygen is needed to check who signed the release: install openssh-client"; fi
}

verify_sums() { # verify_sums BASE
  if [ "$verify" = openssl ]; then
    download "$1/SHA256SUMS.sig" "$work/SHA256SUMS.sig"
    printf '%s\n' '-----BEGIN PUBLIC KEY-----' "$pem" '-----END PUBLIC KEY-----' >"$work/key.pem"
    openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/SHA256SUMS" -sigfile "$work/SHA256SUMS.sig" >/dev/null 2>&1
  else
    download "$1/SHA256SUMS.sshsig" "$work/SHA256SUMS.sshsig"
    printf 'release %s\n' "$ssh_key" >"$work/signers"
    ssh-keygen -Y verify -f "$work/signers" -I release -n ployz-release -s "$work/SHA256SUMS.sshsig" <"$work/SHA256SUMS" >/dev/null 2>&1
  fi || fail "SHA256SUMS of $1 was not signed by the release key: nothing is installed"
}

download() { # download URL FILE
  if [ "$get" = curl ]; then
    curl -fsSL --retry 2 --connect-timeout 20 -o "$2" "$1" >&2
  else
    wget -q --tries=3 --timeout=20 -O "$2" "$1" >&2
  fi || fail "$1 could not be downloaded: check the network, the version and --url, and run again; nothing is installed"
}

writable() { # writable DIR: whether it, or what of its parents exists, can be written to
  existing=$1
  while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done
  [ -w "$existing" ] || refuse "$existing is not writable: run as root, or pass another --prefix, as in --prefix ~/.local"
}

switch() { # switch TARGET LINK: points the link there, in one rename where mv can
  [ "$(readlink "$2" 2>/dev/null || :)" != "$1" ] || return 0
  rm -f "$2.$$"
  ln -s "$1" "$2.$$"
  if [ "$system" = darwin ]; then mv -fh "$2.$$" "$2"; else mv -Tf "$2.$$" "$2" 2>/dev/null || { rm -f "$2.$$"; ln -sfn "$1" "$2"; }; fi
}

install_machine() {
  tar -xzf "$work/archive.tar.gz" -C "$work"
  sh "$work/ployz/install.sh" --tarball "$work/archive.tar.gz" --prefix "$prefix"
  unlink_all gone
  note "installed Ployz $wanted below $prefix; to start a cluster: ployzctl daemon install && ployzctl mesh init NAME"
}

install_cli() {
  mkdir -p "$lib"
  # Left by an installation that was killed: its process is gone.
  for left in "$lib"/.incoming-*; do
    if [ -d "$left" ] && ! kill -0 "${left##*-}" 2>/dev/null; then rm -rf "$left"; fi
  done
  incoming=$lib/.incoming-$$
  mkdir "$incoming"
  tar -xzf "$work/archive.tar.gz" -C "$incoming"
  [ -z "$root" ] || chown -R 0:0 "$incoming"
  "$incoming/ployzctl/bin/ployzctl" --version >/dev/null || fail "the ployzctl of the release does not run on this computer (see above): nothing is installed"
  mkdir -p "$prefix/bin"
  before=$(readlink "$lib/current" 2>/dev/null || :)
  rm -rf "${lib:?}/$id"
  mv "$incoming/ployzctl" "$lib/$id"
  switch "$id" "$lib/current"
  links
  # A ployzctl that still runs loads its parts from the one before; older ones go.
  for old in "$lib"/*; do
    case ${old##*/} in current | "$id" | "$before") ;; *) rm -rf "$old" ;; esac
  done
  note "installed ployzctl $wanted: $prefix/bin/ployzctl"
  case :$PATH: in *":$prefix/bin:"*) ;; *) note "$prefix/bin is not in PATH: add it in your shell's startup file" ;; esac
}

# Links into the current version: the program, its manual pages, its completions.
PLACES='share/man/man1 share/bash-completion/completions share/zsh/site-functions share/fish/vendor_completions.d'
links() {
  switch ../lib/ployz/current/bin/ployzctl "$prefix/bin/ployzctl"
  for place in $PLACES; do
    up=$(printf %s "$place" | sed 's,[^/][^/]*,..,g')
    for file in "$lib/current/$place"/*; do
      [ -e "$file" ] || continue
      mkdir -p "$prefix/$place"
      switch "$up/lib/ployz/current/$place/${file##*/}" "$prefix/$place/${file##*/}"
    done
  done
  unlink_all gone
}

unlink_all() { # unlink_all [gone]: removes the links into ployz; with `gone` those alone whose file is gone
  for place in bin $PLACES; do
    for link in "$prefix/$place"/*ployz*; do
      case $(readlink "$link" 2>/dev/null || :) in
        *../lib/ployz/current/*) [ -n "${1:-}" ] && [ -e "$link" ] || rm -f "$link" ;;
      esac
    done
    [ -n "${1:-}" ] || [ "$place" = bin ] || rmdir "$prefix/$place" 2>/dev/null || :
  done
}

uninstall() {
  [ -e "$lib" ] || { note "nothing is installed below $prefix"; return 0; }
  writable "$prefix/lib"
  writable "$prefix/bin"
  if [ -e "$lib/current/install.sh" ]; then
    sh "$lib/current/install.sh" --remove --prefix "$prefix"
  fi
  unlink_all
  rm -rf "$lib"
  rm -rf "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ployz/compile-cache"
  note "removed Ployz below $prefix; your contexts stay in ${XDG_CONFIG_HOME:-${HOME:-/root}/.config}/ployz"
}

main "$@"
