#!/usr/bin/env bash
# End-to-end tests on virtual machines whose kernels have OpenZFS and WireGuard: QEMU by software emulation, so it runs anywhere and takes
# about an hour. The first time it builds the machines' disk (about ten minutes).
#
#   scripts/test-real-kernel.sh [TEST]...      names of tools/e2e/test/real-kernel; default: all
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
cd "$ployz_root"
files=()
for name in "$@"; do
  file=test/real-kernel/$name.lab.test.ts
  if [ ! -f "tools/e2e/$file" ]; then
    printf 'test-real-kernel.sh: no test %s; tests: %s\n' "$name" "$(cd tools/e2e/test/real-kernel && printf '%s ' *.lab.test.ts | sed 's/\.lab\.test\.ts//g')" >&2
    exit 2
  fi
  files+=("$file")
done
scripts/setup.sh --real-kernel
# shellcheck source=lib/env.sh
. scripts/lib/env.sh
exec pnpm --filter @ployz/e2e run test:real-kernel "${files[@]}"
