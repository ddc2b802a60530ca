#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (default 5s), those of what operations are given and give (messages, packets, secrets,
# ciphertexts, the client's frames) for FUZZTIME_OPERATIONS (default 30s). Arguments are packages; without any, all of the module's
# packages that have a target are taken.
set -euo pipefail
cd "$(dirname "$0")/.."

fuzztime=${FUZZTIME:-5s}
fuzztime_operations=${FUZZTIME_OPERATIONS:-30s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# packages names the directories whose tests declare a fuzz target.
packages() {
  find . \( -path ./tools -o -name node_modules -o -name '.?*' \) -prune -o -name '*_test.go' -print0 |
    { xargs -0r grep -lE '^func Fuzz[A-Z]' || true; } |
    xargs -r -n1 dirname | sort -u
}

# time_for is how long a target of a package runs.
time_for() {
  case "$1 $2" in
    ./internal/cpm\ * | ./internal/fspiop\ * | ./internal/operation\ * | ./internal/symmetric\ * | ./internal/ssm\ * | \
      ./sdk/go/client\ * | './internal/keys FuzzReadSecret') echo "$fuzztime_operations" ;;
    *) echo "$fuzztime" ;;
  esac
}

run() {
  go test -run '^$' -fuzz "^$2\$" -fuzztime "$(time_for "$1" "$2")" -fuzzminimizetime 200x "$1" >"$log" 2>&1
}

# Go before 1.27 sometimes reports its own -fuzztime deadline as a failure of the target
# (https://go.dev/issue/75804). That leaves no failing input behind and says nothing else.
deadline_only() {
  grep -q '^ *context deadline exceeded$' "$log" && ! grep -qE 'Failing input|panic:|_test\.go:|fuzzing process' "$log"
}

fuzz() {
  if run "$1" "$2" || { deadline_only && run "$1" "$2"; }; then
    echo "ok   $1 $2 $(sed -n 's/^fuzz: elapsed: .*\(execs: [0-9]*\).*/\1/p' "$log" | tail -1)"
    return 0
  fi
  cat "$log"
  echo "FAIL $1 $2"
  return 1
}

if [ $# -eq 0 ]; then
  mapfile -t found < <(packages)
  set -- "${found[@]}"
fi
total=0
failed=0
for package in "$@"; do
  listing=$(go test -list '^Fuzz' "$package")
  for target in $(grep '^Fuzz' <<<"$listing" || true); do
    total=$((total + 1))
    fuzz "$package" "$target" || failed=$((failed + 1))
  done
done
echo "$total fuzz targets, $failed failed; $fuzztime each, those of operations $fuzztime_operations"
[ "$failed" -eq 0 ] && [ "$total" -gt 0 ]
