#!/usr/bin/env bash
# Installs the Node packages the tests run and the Node SDK is built with, exactly as locked, when the lock
# has changed since the last time. Their install scripts are not run.
set -euo pipefail
cd "$(dirname "$0")/.."

for dir in test/interop/node sdk/node; do
  stamp=$dir/node_modules/.installed-lock
  if ! cmp -s "$dir/package-lock.json" "$stamp"; then
    (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp "$dir/package-lock.json" "$stamp"
  fi
done
