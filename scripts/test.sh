#!/usr/bin/env bash
# The whole check of this repository, in order; the first stage that fails ends it. `make test` and
# the CI run exactly this. It closes with the line "N passed, N failed, N skipped".
#
#   FUZZTIME              time for each fuzz target (default 5s)
#   FUZZTIME_OPERATIONS   time for those of the packages that read what operations are sent (default 30s)
#   FUZZ_AT_ONCE          how many fuzz targets run at once (default: one a processor)
#   CPM_LONG              1 asks the tests for their long form
#   VULNDB                a local copy of the Go vulnerability database
set -euo pipefail
cd "$(dirname "$0")/.."

module=github.com/mojaloop/cpm
export PATH=$PWD/.tools/bin:$PATH
scratch=$(mktemp -d)
stage=""
began=$SECONDS
skipped=()

finish() {
  local code=$?
  rm -rf "$scratch"
  if [ "$code" -ne 0 ] && [ -n "$stage" ]; then
    echo "FAILED: $stage" >&2
  fi
}
trap finish EXIT

# begin closes the stage before with its duration and opens the next.
begin() {
  if [ -n "$stage" ]; then
    echo "   $stage: $((SECONDS - began)) s"
  fi
  stage=$1
  began=$SECONDS
  echo "== $stage"
}

begin "prerequisites"
. scripts/prerequisites.sh

begin "tools"
bash scripts/tools.sh

begin "format"
dirs=()
for dir in cmd internal sdk test tools; do
  if [ -d "$dir" ]; then dirs+=("$dir"); fi
done
golangci-lint fmt --diff "${dirs[@]}"

begin "vet"
go vet ./...
go -C tools vet ./...

begin "staticcheck"
staticcheck ./...

begin "lint"
golangci-lint run ./...

begin "proto lint"
buf lint
release=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)
if [ -n "$release" ]; then
  buf breaking --against ".git#tag=$release"
else
  echo "no release yet to be compatible with"
fi

begin "generated code is current"
buf generate -o "$scratch"
diff -r gen "$scratch/gen"

begin "static build"
CGO_ENABLED=0 go build -trimpath -o bin/cpm ./cmd/cpm

begin "bill of materials"
bash scripts/sbom.sh bin/cpm >bin/sbom.txt
echo "bin/sbom.txt: $(grep -c '^module ' bin/sbom.txt) modules"

begin "vulnerabilities"
code=0
bash scripts/vulnerabilities.sh || code=$?
case $code in
  0) ;;
  75)
    echo "vulnerability check: not reachable, counted as 1 skipped"
    skipped+=(-skipped "vulnerability check: the database is not reachable")
    ;;
  *) exit "$code" ;;
esac

begin "short fuzz"
bash scripts/fuzz.sh

begin "node packages"
bash scripts/node.sh

begin "tests of the tools"
go -C tools test -count=1 ./...
go -C tools/manifests test -count=1 ./...
go -C tools build -o "$PWD/.tools/bin/summary" ./summary

begin "tests"
floors=()
for package in canon fspiop core fault route; do
  floors+=("$module/internal/$package")
done
stage="" # what follows speaks for itself, and its last line is the last
mkdir "$scratch/spec"
# The program is tested end to end on each database. The last go test compares docs/spec-conformance.md with what the
# passing tests of the first have recorded.
{
  code=0
  CPM_SPEC_RESULTS=$scratch/spec go test -json -race -count=1 -cover -timeout 25m ./... || code=$?
  if [ "${CPM_NO_DATABASES:-}" != 1 ]; then
    for database in postgres mysql; do
      CPM_E2E_DATABASE=$database go test -json -count=1 ./test/e2e || code=$?
    done
  fi
  go test -json -count=1 ./internal/spec -run '^TestConformance$' -args -results "$scratch/spec" || code=$?
  exit "$code"
} |
  summary -cover "$(IFS=,; echo "${floors[*]}")" -floor 90 "${skipped[@]}"
