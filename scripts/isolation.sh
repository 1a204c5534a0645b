#!/usr/bin/env bash
# Each package builds in a fresh checkout in which nothing else has been built.
#
#   scripts/isolation.sh [NAME]...
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
cd "$ployz_root"

work=$(mktemp -d "${TMPDIR:-/tmp}/ployz-isolation.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ ! -e "$file" ] || printf '%s\0' "$file"
done | tar --create --null --files-from=- | tar --extract --directory "$work"
[ $# -gt 0 ] || set -- $(ls packages)

cd "$work"
pnpm install --frozen-lockfile --prefer-offline --silent
status=0
for name; do
  rm -rf packages/*/dist
  if ! pnpm --filter "@ployz/$name" --silent run build; then
    echo "isolation: @ployz/$name does not build alone"; status=1; continue
  fi
  for path in $(node -p '
    const targets = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(targets));
    targets(JSON.parse(fs.readFileSync(process.argv[1])).publishConfig.exports).join(" ")' "packages/$name/package.json"); do
    [ -s "packages/$name/$path" ] || { echo "isolation: @ployz/$name was built without $path"; status=1; }
  done
  echo "isolation: @ployz/$name builds alone"
done
exit "$status"
