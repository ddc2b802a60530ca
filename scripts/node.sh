#!/usr/bin/env bash
# Installs the Node packages the interoperability tests run, exactly as locked, when the lock has
# changed since the last time. Their install scripts are not run.
set -euo pipefail
cd "$(dirname "$0")/../test/interop/node"

stamp=node_modules/.installed-lock
if cmp -s package-lock.json "$stamp"; then
  exit 0
fi
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
cp package-lock.json "$stamp"
