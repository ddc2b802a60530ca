#!/usr/bin/env bash
# Writes docs/spec-conformance.md anew: runs the tests of every package that declares steps of the specification, which
# record what they cover, and makes the document of it. A failing test leaves the document as it was.
set -euo pipefail
cd "$(dirname "$0")/.."

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# .ForTest is set on the variants of a package that are built for its tests; their .Deps tell who declares steps, also
# through a suite.
mapfile -t packages < <(
  go list -test -f '{{if .ForTest}}{{.ForTest}} {{join .Deps " "}} {{end}}' ./... |
    grep -F ' github.com/mojaloop/cpm/internal/spec ' | cut -d' ' -f1 | sort -u
)
CPM_SPEC_RESULTS=$results go test -count=1 -timeout 25m "${packages[@]}"
go test -count=1 ./internal/spec -run '^TestConformance$' -args -results "$results" -update
git --no-pager diff --stat -- docs/spec-conformance.md internal/spec/testdata/uncovered
