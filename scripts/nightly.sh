#!/usr/bin/env bash
# The long suites of tools/e2e/test/nightly: sets up the machine, then runs the named ones, or all.
#
#   scripts/nightly.sh [SUITE]...
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
cd "$ployz_root"
files=()
for suite in "$@"; do
  file=test/nightly/$suite.lab.test.ts
  if [ ! -f "tools/e2e/$file" ]; then
    printf 'nightly.sh: no suite %s; there are: %s\n' "$suite" "$(cd tools/e2e/test/nightly && printf '%s ' *.lab.test.ts | sed 's/\.lab\.test\.ts//g')" >&2
    exit 2
  fi
  files+=("$file")
done
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
exec pnpm --filter @ployz/e2e run test:nightly "${files[@]}"
