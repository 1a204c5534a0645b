# Sourced: runs one check with a deadline and writes its result to $PLOYZ_RESULTS, one file per check holding
# "<passed> <failed> <seconds>". Vitest counts its tests; anything else is one check.

check() { # check NAME SECONDS COMMAND...
  local name=$1 deadline=$2 started=$SECONDS status=0
  shift 2
  printf '\n=== %s\n' "$name"
  timeout --kill-after=15 "$deadline" "$@" </dev/null || status=$?
  check_done "$name" "$status" "$deadline" "$started" "$([ "$status" = 0 ] && echo '1 0' || echo '0 1')"
}

vitest_check() { # vitest_check NAME SECONDS DIR SCRIPT: a package.json script that runs vitest
  local name=$1 deadline=$2 directory=$3 script=$4 started=$SECONDS status=0 counts files
  local report=$PLOYZ_RESULTS/$name.json
  printf '\n=== %s\n' "$name"
  rm -f "$report"
  vitest_run "$deadline" "$directory" "$script" "$report" || status=$?
  counts=$(vitest_report counts "$report" "$status")
  # Tests on the real programs share the machine with other processes. A failed file runs once more by itself; if it then passes, the
  # summary lists it as unsteady: a defect in the test or in Ployz.
  mapfile -t files < <(vitest_report files "$report")
  if [ "$script" = test:lab ] && [ "${#files[@]}" -gt 0 ] && [ "${#files[@]}" -le 3 ]; then
    printf '\n=== %s, once more what failed\n' "$name"
    if vitest_run "$deadline" "$directory" "$script" "$report.again" "${files[@]}"; then
      vitest_report failures "$report" >"$PLOYZ_RESULTS/$name.unsteady"
      status=0
      counts="$((${counts% *} + ${counts#* })) 0"
    fi
  fi
  [ "${counts#* }" = 0 ] || vitest_report failures "$report" >"$PLOYZ_RESULTS/$name.failures"
  check_done "$name" "$status" "$deadline" "$started" "$counts"
}
vitest_report() { node "$ployz_root/scripts/lib/vitest-report.mjs" "$@"; }
vitest_run() ( # vitest_run SECONDS DIR SCRIPT REPORT [FILE...]
  deadline=$1 script=$3 report=$4
  cd "$2" && shift 4 && timeout --kill-after=15 "$deadline" pnpm run --silent "$script" \
    --reporter=default --reporter=json --outputFile.json="$report" "$@" </dev/null
)

check_done() {
  local name=$1 status=$2 deadline=$3 seconds=$((SECONDS - $4)) counts=$5
  [ "$status" != 124 ] && [ "$status" != 137 ] || printf '%s did not end within %s s and was stopped\n' "$name" "$deadline"
  printf '%s %s\n' "$counts" "$seconds" >"$PLOYZ_RESULTS/$name.result"
  printf -- '--- %s: %s passed, %s failed, %s s\n' "$name" ${counts% *} ${counts#* } "$seconds"
}

# Adds up every result, and prints the sum as the last line. Fails when something failed or nothing ran.
check_sum() {
  cat "$PLOYZ_RESULTS"/*.result 2>/dev/null | awk '
    { passed += $1; failed += $2 }
    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }'
}
