#!/usr/bin/env bash
# The packages as others get them: packs all, installs the tarballs in fresh strict projects, and uses them there.
#
#   scripts/packed.sh
#
# One project has every package: the README programs typecheck with `skipLibCheck: false`, and those that need no machine run. One
# project for each package has that package alone and imports its entry points. Builds packages that have no dist.
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
cd "$ployz_root"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
names=()
for manifest in packages/*/package.json; do
  package=${manifest%/package.json}
  names+=("${package#packages/}")
  [ -f "$package/dist/index.js" ] || pnpm --dir "$package" run --silent build >/dev/null
  pnpm --dir "$package" pack --pack-destination "$work/tarballs" >/dev/null
done
node scripts/lib/packed-projects.mjs "$work" "${names[@]}"
(cd "$work" && CI=true pnpm install --silent --prefer-offline --ignore-scripts --no-frozen-lockfile)

typecheck() { # typecheck PROJECT
  local TIMEFORMAT="$1: typechecked with all declarations, in %U s of CPU (%R s)"
  time (cd "$work/$1" && "$work/all/node_modules/.bin/tsc" --pretty false)
}
typecheck all
typecheck alone/primitives
for program in errors/errors primitives/branch primitives/primitive; do
  (cd "$work/all" && node "out/$program.js" >/dev/null)
  printf '%s.ts: runs\n' "$program"
done
for name in "${names[@]}"; do
  (cd "$work/alone/$name" && node import.mjs)
  printf '@ployz/%s: imported, with its own tarballs alone\n' "$name"
done
