#!/usr/bin/env bash
# Builds, checks and tests one package by itself: CI and scripts/test.sh run this for each package.
#
#   scripts/package.sh NAME [--only pure|lab]      NAME is a folder name under packages, apps or tools
#
# pure: build, typecheck, unit tests, and for a published package a test of the published files.
# lab: tests on the real programs; as root. Ends with a line "N passed, N failed".
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
# shellcheck source=lib/check.sh
. "$ployz_root/scripts/lib/check.sh"
cd "$ployz_root"

fail() { printf 'package.sh: %s\n' "$1" >&2; exit 2; }
[ $# -ge 1 ] || fail "usage: package.sh NAME [--only pure|lab]"
name=${1#@ployz/}
only=
case "${2:-}" in
  '') ;;
  --only) only=${3:-}; case $only in pure | lab) ;; *) fail "--only takes pure or lab" ;; esac ;;
  *) fail "unknown argument: $2" ;;
esac
case $name in '' | *[!a-z0-9-]*) fail "no package is named '$name'" ;; esac
directory=
for place in packages apps tools; do
  [ ! -f "$place/$name/package.json" ] || directory=$place/$name
done
[ -n "$directory" ] || fail "no package is named '$name'"

if [ -z "${PLOYZ_RESULTS:-}" ]; then
  PLOYZ_RESULTS=$(mktemp -d)
  trap 'rm -rf -- "$PLOYZ_RESULTS"' EXIT
fi
export PLOYZ_RESULTS

has() { node -e 'process.exit(JSON.parse(fs.readFileSync(process.argv[1])).scripts?.[process.argv[2]] ? 0 : 1)' "$directory/package.json" "$1"; }
script() { pnpm --dir "$directory" run --silent "$@"; }
has_lab_tests() { [ -n "$(find "$directory/src" "$directory/test" -name '*.lab.test.ts' -print -quit 2>/dev/null)" ]; }

if [ "$only" != lab ]; then
  for step in build typecheck; do
    ! has "$step" || check "$name-$step" 300 pnpm --dir "$directory" run --silent "$step"
  done
  ! has test || vitest_check "$name-test" 900 "$directory" test
  ! has check:package || check "$name-publish" 120 pnpm --dir "$directory" run --silent check:package
fi
if [ "$only" != pure ] && has test:lab && has_lab_tests; then
  # Seconds. The end-to-end tests form a cluster for each file.
  if [ "$name" = e2e ]; then deadline=2400; else deadline=600; fi
  vitest_check "$name-lab" "${PLOYZ_LAB_DEADLINE:-$deadline}" "$directory" test:lab
fi
echo
cat "$PLOYZ_RESULTS/$name"-*.result 2>/dev/null | awk '
  { passed += $1; failed += $2 }
  END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }'
