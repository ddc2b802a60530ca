#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (default 5s), those of what operations are given and give (messages, packets, secrets,
# ciphertexts, the client's frames) for FUZZTIME_OPERATIONS (default 30s). Arguments are packages; without any, all of the module's
# packages that have a target are taken. FUZZ_AT_ONCE targets run at once (default: one a processor).
set -euo pipefail
cd "$(dirname "$0")/.."

fuzztime=${FUZZTIME:-5s}
fuzztime_operations=${FUZZTIME_OPERATIONS:-30s}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

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
      ./sdk/go/client\ * | './internal/keys FuzzReadSecret' | './internal/api FuzzFrames') echo "$fuzztime_operations" ;;
    *) echo "$fuzztime" ;;
  esac
}

run() {
  go test -run '^$' -fuzz "^$2\$" -fuzztime "$(time_for "$1" "$2")" -fuzzminimizetime 200x -parallel 1 "$1" >"$3" 2>&1
}

# Go before 1.27 sometimes reports its own -fuzztime deadline as a failure of the target
# (https://go.dev/issue/75804). That leaves no failing input behind and says nothing else.
deadline_only() {
  grep -q '^ *context deadline exceeded$' "$1" && ! grep -qE 'Failing input|panic:|_test\.go:|fuzzing process' "$1"
}

# fuzz runs one target and says in one line how it went; what the target printed comes before a FAIL.
fuzz() {
  local log=$scratch/${1//\//_}.$2
  if run "$1" "$2" "$log" || { deadline_only "$log" && run "$1" "$2" "$log"; }; then
    echo "ok   $1 $2 $(sed -n 's/^fuzz: elapsed: .*\(execs: [0-9]*\).*/\1/p' "$log" | tail -1)"
  else
    echo "$(<"$log")"$'\n'"FAIL $1 $2"
  fi
}

# targets lists packages and targets, one pair a line.
targets() {
  local package listing
  for package in "$@"; do
    listing=$(go test -list '^Fuzz' "$package")
    sed -n "s|^Fuzz|$package &|p" <<<"$listing"
  done
}

if [ $# -eq 0 ]; then
  mapfile -t found < <(packages)
  set -- "${found[@]}"
fi
targets "$@" >"$scratch/targets"
# By default each target has a processor for all of its time.
export -f fuzz run time_for deadline_only
export scratch fuzztime fuzztime_operations
xargs -r -P "${FUZZ_AT_ONCE:-$(nproc)}" -n 2 bash -c 'fuzz "$@"' fuzz <"$scratch/targets" | tee "$scratch/outcomes"
total=$(wc -l <"$scratch/targets")
passed=$(grep -c '^ok   ' "$scratch/outcomes" || true)
echo "$total fuzz targets, $((total - passed)) failed; $fuzztime each, those of operations $fuzztime_operations"
[ "$passed" -eq "$total" ] && [ "$total" -gt 0 ]
