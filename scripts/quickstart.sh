#!/usr/bin/env bash
# From a bare Debian to a running cluster of one machine with an example in it.
#
#   scripts/quickstart.sh          installs missing packages, builds, starts, deploys examples/hello, and sends it a request
#   scripts/quickstart.sh --down   removes all of that
#
# As root. Running it again is safe: it keeps existing parts.
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
cd "$ployz_root"

installed=/usr/local/lib/ployz/current
step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
fail() { printf 'quickstart.sh: %s\n' "$1" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "run it as root: it creates network interfaces and starts services"

case "$#:${1:-}" in
  0:) ;;
  1:--down)
    if [ -x "$installed/bin/ployzctl" ]; then
      step "Stopping the cluster"
      "$installed/bin/ployzctl" dev down
      # Keep an installation that this script did not make.
      if [ "$(cat "$installed/.operation" 2>/dev/null)" = quickstart ]; then
        step "Removing Ployz"
        cp "$installed/install.sh" .cache/install.sh
        sh .cache/install.sh --remove
        rm -f .cache/install.sh
      fi
    fi
    echo "Removed. This folder with its .cache and node_modules stays, and so do the Debian packages."
    if [ -s .cache/installed-packages ]; then
      echo "To remove the packages that it installed:  apt-get autoremove --purge $(sort -u .cache/installed-packages | tr '\n' ' ')"
    fi
    exit 0
    ;;
  *) fail "usage: quickstart.sh [--down]" ;;
esac

echo "A cluster of this one machine, with an example in it. scripts/quickstart.sh --down removes it again."
mkdir -p .cache && touch .cache/installed-packages # the ones that setup.sh adds
before=$(wc -l <.cache/installed-packages)
step "1/4  Missing packages of this machine"
scripts/setup.sh --run-only
installed_now=$(tail -n +$((before + 1)) .cache/installed-packages | sort -u | tr '\n' ' ')
if [ -n "$installed_now" ]; then
  echo "Debian packages installed: $installed_now"
else
  echo "every Debian package is already installed"
fi
# shellcheck source=lib/env.sh
. scripts/lib/env.sh

step "2/4  Build and install"
archive=$(tools/release/build-payload)
unpacked=$(mktemp -d)
trap 'rm -rf -- "$unpacked"' EXIT
tar -xzf "$archive" -C "$unpacked"
sh "$unpacked/ployz/install.sh" --tarball "$archive" --operation quickstart
export PATH=/usr/local/bin:$PATH
echo "Ployz $("$installed/lib/node" -p 'JSON.parse(fs.readFileSync(process.argv[1], "utf8")).version' "$installed/version.json") is in /usr/local/lib/ployz; its command is /usr/local/bin/ployzctl"

step "3/4  A cluster of this machine, with examples/hello in it"
started=$SECONDS
echo "\$ ployzctl dev -f examples/hello/ployz.toml"
ployzctl dev -f examples/hello/ployz.toml || fail "the cluster did not start (see above); ployzctl doctor lists missing requirements"
# Run again with --json: it changes nothing and prints the addresses.
ployzctl dev --json >"$unpacked/dev.json" || fail "ployzctl dev failed: $(cat "$unpacked/dev.json")"
gateway=$("$installed/lib/node" -p 'JSON.parse(fs.readFileSync(process.argv[1], "utf8")).gateway' "$unpacked/dev.json" 2>/dev/null || true)
case $gateway in http://*) ;; *) fail "ployzctl dev named no gateway: $(cat "$unpacked/dev.json")" ;; esac
echo "up in $((SECONDS - started)) s"

step "4/4  Asking it, through the gateway"
for name in Ada Grace Edsger; do
  command="curl -s -H 'Host: hello.localhost' '$gateway/?name=$name'"
  echo "\$ $command"
  answer=$(curl -sS --fail --max-time 10 -H 'Host: hello.localhost' "$gateway/?name=$name") || fail "no answer through the gateway; see: ployzctl status"
  printf '%s\n' "$answer"
done

cat <<NEXT

It works. What to try next:
  ployzctl status                            everything on one screen
  ployzctl ps                                the instances, their machines and addresses
  ployzctl logs -f hello/web                 their logs
  edit examples/hello/greeter/greetings.json, then
  ployzctl deploy -n -f examples/hello/ployz.toml     what would change
  ployzctl deploy -f examples/hello/ployz.toml        change it, without a failed request
  ployzctl ops ls                            what has been done, step by step with: ployzctl ops show <id>
  scripts/quickstart.sh --down               remove it all
NEXT
