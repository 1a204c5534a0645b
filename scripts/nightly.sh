#!/usr/bin/env bash
# The long suites of tools/e2e/test/nightly: sets up the machine, then runs the named ones, or all, one after another. Ends with a table that has
# a line for each, also when it is stopped: a suite that did not run is shown as such. Exit code 1 unless all passed.
#
#   scripts/nightly.sh [SUITE]...
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
cd "$ployz_root"
mapfile -t suites < <(cd tools/e2e/test/nightly && for file in *.lab.test.ts; do printf '%s\n' "${file%.lab.test.ts}"; done)
for suite in "$@"; do
  [ -f "tools/e2e/test/nightly/$suite.lab.test.ts" ] && continue
  printf 'nightly.sh: no suite %s; there are: %s\n' "$suite" "${suites[*]}" >&2
  exit 2
done
[ $# -eq 0 ] || suites=("$@")
scripts/setup.sh
# Only for the suite dashboard: CI does without it.
if { [ $# -eq 0 ] || [[ " $* " == *" dashboard "* ]]; } && ! command -v chromium >/dev/null; then
  apt-get install -y --no-install-recommends chromium
fi
# Only for the clock of the suite input-machine-add.
if { [ $# -eq 0 ] || [[ " $* " == *" input-machine-add "* ]]; } && ! dpkg -s libfaketime >/dev/null 2>&1; then
  apt-get install -y --no-install-recommends libfaketime
fi
# Only for the suite repositories.
if { [ $# -eq 0 ] || [[ " $* " == *" repositories "* ]]; } && ! command -v rclone >/dev/null; then
  apt-get install -y --no-install-recommends rclone
fi
# shellcheck source=lib/env.sh
. scripts/lib/env.sh
reports=$(mktemp -d)
# shellcheck disable=SC2329 # by the trap
finish() {
  node scripts/lib/vitest-report.mjs table "$reports" "${suites[@]}" || code=1
  rm -rf -- "$reports"
  exit "$code"
}
code=1
trap finish EXIT
trap 'exit 1' INT TERM
code=0
for suite in "${suites[@]}"; do
  pnpm --filter @ployz/e2e run test:nightly "test/nightly/$suite.lab.test.ts" \
    --reporter=default --reporter=json --outputFile.json="$reports/$suite.json" || code=1
done
