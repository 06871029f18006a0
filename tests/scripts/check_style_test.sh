#!/bin/bash
# Each rule of scripts/check-style is broken once, in a tree of one or two files, and must be told with its line.
set -uo pipefail
script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/check-style
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

fails=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; sed 's/^/# /' <<< "$2"; fails=1; }

put() { rm -rf "${tree:?}"/*; also "$@"; }
also() { mkdir -p "$tree/$(dirname "$1")"; printf '%b\n' "${@:2}" > "$tree/$1"; }

says() { # NAME "FILE:LINE: beginning of the message"
  local output
  output=$(cd "$tree" && "$script") && { not_ok "$1" "passed"; return; }
  if grep -qF -- "$2" <<< "$output"; then ok "$1"; else not_ok "$1" "$output"; fi
}
passes() { # NAME
  local output
  if output=$(cd "$tree" && "$script"); then ok "$1"; else not_ok "$1" "$output"; fi
}

about='// Says who holds what, and is asked before anything is promised.'

put protocol/ledger.h '#pragma once' '' 'class Ledger;' "$about"
says "a header opens with its paragraph" "protocol/ledger.h:1: a header opens with a paragraph"
put protocol/ledger.h "// Ledger." '#pragma once'
says "a word is not a paragraph" "protocol/ledger.h:1: a header opens with a paragraph"
put protocol/ledger.h "$about" 'class Ledger;'
says "a header is included once" "protocol/ledger.h:1: a header begins with #pragma once"
put protocol/ledger.h "$about" '#pragma once'
says "a header that nobody includes is dead" "protocol/ledger.h:1: no file includes this header"
also protocol/ledger.cc '#include "protocol/ledger.h"'
passes "a paragraph before #pragma once"
also protocol/ledger.h '#pragma once' '' "$about"
passes "a paragraph after #pragma once"

put protocol/long.cc "$(yes int | head -801)"
says "no file is longer than a sitting" "protocol/long.cc:801: has more than 800 lines"
for name in utils.cc common.cc task_manager.cc misc.cc ledger_impl.cc helpers/ledger.cc string_util.cc; do
  put "protocol/$name" 'int a;'
  says "$name is no name" "protocol/$name:1: "
done
put protocol/Ledger.cc 'int a;'
says "sources are lower_snake" "protocol/Ledger.cc:1: sources are named"
put protocol/ledger.cc 'int a;' 'int b; '
says "no white space at the end" "protocol/ledger.cc:2: ends with white space"
put scripts/demo 'if true; then' '\techo' 'fi'
says "no tabs" "scripts/demo:2: contains a tab"
put Makefile 'all:' '\techo'
passes "make needs its tabs"
put protocol/ledger.cc 'int a;\r'
says "no carriage returns" "protocol/ledger.cc:1: ends with a carriage return"
put protocol/ledger.cc 'int a; // NOLINT'
says "NOLINT names its check" "protocol/ledger.cc:1: NOLINT names the check"
put protocol/ledger.cc 'int a; // NOLINT(cert-err58-cpp)'
says "NOLINT gives its reason" "protocol/ledger.cc:1: NOLINT gives its reason"
put protocol/ledger.cc '// NOLINTNEXTLINE(cert-err58-cpp): the C interface asks for it' 'int a;'
passes "NOLINT with both"

rm -rf "${tree:?}"/*
says "an empty tree does not pass" "no sources found"
exit $fails
