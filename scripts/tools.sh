#!/usr/bin/env bash
# Builds the developers' tools from the Go module proxy into .tools/bin. The versions are the
# `tool` lines of tools/go.mod and of the modules below it; those are modules of their own because
# their requirements exclude each other. A module is built again only when its go.mod, its go.sum
# or the Go version changes.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/.tools/bin
mkdir -p "$bin"

for module in tools tools/buf tools/golangci; do
  key=$(cat "$module/go.mod" "$module/go.sum" <(go env GOVERSION) | sha256sum | cut -d' ' -f1)
  stamp=$bin/.${module//\//-}
  if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
    continue
  fi
  echo "building the tools of $module/go.mod"
  rm -f "$stamp"
  GOBIN=$bin CGO_ENABLED=0 GOFLAGS=-trimpath go -C "$module" install tool
  echo "$key" >"$stamp"
done
