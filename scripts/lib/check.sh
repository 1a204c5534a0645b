# Sourced: runs one check with a deadline and writes what came of it to $PLOYZ_RESULTS, one file per check holding
# "<passed> <failed> <seconds>". Vitest counts its tests; anything else is one check.

check() { # check NAME SECONDS COMMAND...
  local name=$1 deadline=$2 started=$SECONDS status=0
  shift 2
  printf '\n=== %s\n' "$name"
  timeout --kill-after=15 "$deadline" "$@" </dev/null || status=$?
  check_done "$name" "$status" "$deadline" "$started" "$([ "$status" = 0 ] && echo '1 0' || echo '0 1')"
}

vitest_check() { # vitest_check NAME SECONDS DIR SCRIPT: a package.json script that runs vitest
  local name=$1 deadline=$2 directory=$3 script=$4 started=$SECONDS status=0 counts
  local report=$PLOYZ_RESULTS/$name.json
  printf '\n=== %s\n' "$name"
  rm -f "$report"
  (cd "$directory" && timeout --kill-after=15 "$deadline" pnpm run --silent "$script" \
    --reporter=default --reporter=json --outputFile.json="$report" </dev/null) || status=$?
  # A run that ended badly without a failed test (a file that does not load, a time-out, no tests) is one failure.
  counts=$(node -e '
    const fs = require("node:fs");
    let passed = 0, failed = 0;
    try { ({ numPassedTests: passed, numFailedTests: failed } = JSON.parse(fs.readFileSync(process.argv[1], "utf8"))); } catch {}
    console.log(passed, failed || (Number(process.argv[2]) !== 0 || passed === 0 ? 1 : 0));
  ' "$report" "$status")
  check_done "$name" "$status" "$deadline" "$started" "$counts"
}

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
