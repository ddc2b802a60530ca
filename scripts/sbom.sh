#!/usr/bin/env bash
# Lists what is linked into a Go binary, from the build information the linker left in it: the Go
# version, the settings, and each module with its version and checksum. A plain list, not SPDX.
set -euo pipefail

binary=$1
info=$(go version -m "$binary")
echo "# modules linked into $(basename "$binary"), read from its build information"
echo "sha256 $(sha256sum "$binary" | cut -d' ' -f1)"
echo "go $(head -1 <<<"$info" | sed 's/^[^:]*: //')"
awk -F'\t' '
  $2 == "build" { print "setting " $3 }
  $2 == "mod"   { print "main " $3 " " $4 }
  $2 == "dep"   { print "module " $3 " " $4 " " $5 }
  $2 == "=>"    { print "  replaced by " $3 " " $4 " " $5 }
' <<<"$info"
