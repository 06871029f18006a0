#!/bin/bash
# scripts/run-tests adds up what programs report, and takes nothing for passed that did not run.
set -uo pipefail
script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/run-tests
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

fails=0
total() { # NAME "LAST LINE" ARGUMENT...
  local name=$1 expected=$2 output status
  output=$("$script" --logs="$logs" "${@:3}" 2>&1)
  status=$?
  # The status follows from the totals: 0 only when something passed and nothing failed.
  local wanted=1
  [[ $expected =~ ^[1-9][0-9]*\ passed,\ 0\ failed$ ]] && wanted=0
  if [[ ${output##*$'\n'} == "$expected" ]] && (( (status != 0) == wanted )); then
    echo "ok - $name"
  else
    echo "not ok - $name"
    printf '# status %s\n' "$status"
    sed 's/^/# /' <<< "$output"
    fails=1
  fi
}

gtest='echo "[  PASSED  ] 5 tests."'
total "the three forms add up" "56 passed, 0 failed" 'tap=echo "ok - a"' "gtest=$gtest" 'sim=echo "50 passed, 0 failed"'
total "TAP's failures count" "1 passed, 1 failed" 'tap=echo "ok 1 - a"; echo "not ok 2 - b"; exit 1'
total "GoogleTest's failures count" "5 passed, 2 failed" \
  "gtest=$gtest"'; echo "[  FAILED  ] 2 tests, listed below:"; echo "[  FAILED  ] A.B"; exit 1'
total "the simulator's failures count" "49 passed, 1 failed" 'sim=echo "49 passed, 1 failed"; exit 1'
total "a skipped test is a failure" "5 passed, 1 failed" "gtest=$gtest"'; echo "[  SKIPPED ] 1 test, listed below:"'
total "one skipped by TAP is, too" "1 passed, 1 failed" 'tap=echo "ok - a"; echo "ok - b # SKIP not root"'
total "a crash is a failure" "0 passed, 1 failed" 'crash=kill -SEGV $$'
total "an error after the tests is a failure" "1 passed, 1 failed" 'tap=echo "ok - a"; exit 3'
total "a program that ran no test is a failure" "5 passed, 1 failed" "gtest=$gtest" 'empty=true'
total "a suite without tests is a failure" "0 passed, 1 failed" 'gtest=echo "[  PASSED  ] 0 tests."'
total "a script that ends before its plan is a failure" "1 passed, 2 failed" 'tap=echo 1..3; echo "ok 1 - a"'
total "a program that hangs is a failure" "1 passed, 1 failed" --timeout=1 'tap=echo "ok - a"; sleep 60'
total "a program that is not there is a failure" "0 passed, 1 failed" 'gone=/nonexistent/program'
total "nothing to run is not success" "0 passed, 0 failed"
exit $fails
