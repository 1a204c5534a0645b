#!/usr/bin/env bash
# The whole test suite: sets up the machine, then runs every stage, also after a failure.
#
#   scripts/test.sh [--fast] [--only STAGE]... [--list]
#
# --fast leaves out the stages that need root and the real programs. --only runs the stages of that name or that name
# and a colon (`--only lab` is all of lab:*). The last line is "N passed, N failed"; the exit code is 0 only when
# something passed and nothing failed. A stage that hangs is stopped and counts as failed.
set -euo pipefail
# shellcheck source=lib/env.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib/env.sh"
# shellcheck source=lib/check.sh
. "$ployz_root/scripts/lib/check.sh"
cd "$ployz_root"

# --- The stages, in order: "KIND NAME COMMAND...". Pure ones run two at a time, lab ones alone but for lab-beside, which runs beside those of kind lab.
stages() {
  local directory name
  # These first and alone: the others' builds write their declarations when they have none.
  echo "first package:errors scripts/package.sh errors --only pure"
  echo "first package:exec scripts/package.sh exec --only pure"
  # The longest one, so that nothing waits for it alone.
  echo "pure package:primitives scripts/package.sh primitives --only pure"
  echo "pure lint:biome pnpm exec biome ci --diagnostic-level=warn ."
  echo "pure lint:oxlint pnpm exec oxlint --deny-warnings"
  echo "pure boundaries pnpm exec turbo boundaries"
  echo "pure house node tools/house/rules.mjs"
  echo "pure knip pnpm exec knip"
  echo "pure sherif pnpm exec sherif"
  echo "pure typedoc pnpm run --silent docs:api"
  for directory in packages/* apps/* tools/*; do
    name=${directory#*/}
    [ ! -f "$directory/package.json" ] || [[ "$name" =~ ^(errors|exec|primitives)$ ]] ||
      echo "pure ${directory%%s/*}:$name scripts/package.sh $name --only pure"
  done
  # After the builds of all packages, alone.
  echo "last packed scripts/packed.sh"
  echo "lab-alone isolation scripts/isolation.sh"
  # It waits for elections and time-outs most of its time.
  echo "lab-beside lab:nats-store scripts/package.sh nats-store --only lab"
  for directory in packages/* tools/* apps/*; do
    name=${directory#*/}
    [ "$name" != nats-store ] || continue
    [ -z "$(find "$directory/src" "$directory/test" -name '*.lab.test.ts' -print -quit 2>/dev/null)" ] ||
      echo "lab$([[ $directory == packages/* && $name != zfs ]] || echo -alone) lab:$name scripts/package.sh $name --only lab"
  done
  echo "lab-alone quickstart scripts/quickstart-check.sh"
}

fail() { printf 'test.sh: %s\n' "$1" >&2; exit 2; }
fast='' list='' only=()
while [ $# -gt 0 ]; do
  case $1 in
    --fast) fast=1 ;;
    --list) list=1 ;;
    --only) [ $# -ge 2 ] || fail "--only needs a stage"; only+=("$2"); shift ;;
    *) fail "usage: test.sh [--fast] [--only STAGE]... [--list]" ;;
  esac
  shift
done
chosen() { # chosen KIND NAME
  local name
  [ -z "$fast" ] || [[ $1 != lab* ]] || return 1
  [ "${#only[@]}" -gt 0 ] || return 0
  for name in "${only[@]}"; do
    case $2 in "$name" | "$name":*) return 0 ;; esac
  done
  return 1
}
mapfile -t all < <(stages)
plan=()
for stage in "${all[@]}"; do
  read -r kind name _ <<<"$stage"
  ! chosen "$kind" "$name" || plan+=("$stage")
done
[ "${#plan[@]}" -gt 0 ] || fail "no such stage; --list shows them all"
if [ -n "$list" ]; then printf '%s\n' "${plan[@]}" | awk '{ print $2 }'; exit 0; fi

scripts/setup.sh
# shellcheck source=lib/env.sh
. scripts/lib/env.sh

PLOYZ_RESULTS=$(mktemp -d)
export PLOYZ_RESULTS
trap 'rm -rf -- "$PLOYZ_RESULTS"' EXIT
began=$SECONDS

# One stage. scripts/package.sh writes its own results, with a deadline for each of its checks; a stage that left none, is a
# failed one.
run_stage() { # run_stage NAME COMMAND...
  local name=$1 file=${1//:/-}
  shift
  if [ "$1" = scripts/package.sh ]; then
    printf '\n######## %s\n' "$name"
    "$@" || true
    compgen -G "$PLOYZ_RESULTS/$2-*.result" >/dev/null || echo "0 1 0" >"$PLOYZ_RESULTS/$2-none.result"
  else
    printf '\n######## %s' "$name"
    check "$file" 600 "$@"
  fi
}

declare -A running=()
reap() { # waits for one pure stage, and prints its output
  local done_pid
  wait -n -p done_pid "${!running[@]}" || true
  cat "$PLOYZ_RESULTS/${running[$done_pid]}.log"
  unset "running[$done_pid]"
}
beside=''
finish_beside() { # waits for the stage beside the others, and prints its output
  [ -n "$beside" ] || return 0
  wait "$beside" || true
  cat "$PLOYZ_RESULTS/beside.log"
  beside=''
}
for stage in "${plan[@]}"; do
  read -r kind name command <<<"$stage"
  read -ra words <<<"$command"
  if [ "$kind" = pure ]; then
    [ "${#running[@]}" -lt "${PLOYZ_TEST_JOBS:-2}" ] || reap
    run_stage "$name" "${words[@]}" >"$PLOYZ_RESULTS/${name//:/-}.log" 2>&1 &
    running[$!]=${name//:/-}
    continue
  fi
  while [ "${#running[@]}" -gt 0 ]; do reap; done
  [ "$kind" = lab ] || finish_beside
  if [ "$kind" = lab-beside ]; then
    run_stage "$name" "${words[@]}" >"$PLOYZ_RESULTS/beside.log" 2>&1 &
    beside=$!
  else
    run_stage "$name" "${words[@]}" 2>&1
  fi
done
finish_beside
while [ "${#running[@]}" -gt 0 ]; do reap; done

printf '\n######## summary (%d s)\n' "$((SECONDS - began))"
for file in "$PLOYZ_RESULTS"/*.result; do
  read -r passed failed seconds <"$file"
  printf '%-6s %-32s %5d passed %4d failed %5d s\n' "$([ "$failed" = 0 ] && echo ok || echo FAILED)" \
    "$(basename "$file" .result)" "$passed" "$failed" "$seconds"
done
for file in "$PLOYZ_RESULTS"/*.unsteady "$PLOYZ_RESULTS"/*.failures; do
  [ -s "$file" ] || continue
  case $file in
    *.unsteady) printf '\nunsteady: failed once and passed when run again (%s)\n' "$(basename "$file" .unsteady)" ;;
    *) printf '\nfailed (%s)\n' "$(basename "$file" .failures)" ;;
  esac
  sed 's/^/  /' "$file"
done
check_sum
