#!/bin/bash
# Executes every command of the README's first steps and of docs/operating.md, in order, as a newcomer would.
source "$(dirname "$0")/lib.sh"
top=$(cd "$(dirname "$0")/../.." && pwd)

export STOA_DIR=$dir PATH=$bin:$PATH
mkdir "$work/here" && cd "$work/here" || exit 1
# The README says build/bin/…, and builds first.
mkdir build && ln -s "$bin" build/bin

# Ports of our own where the pages have the usual ones, and a directory of our own where they have the system's.
http=$(free_port) wire=$(free_port) agent=$(free_port)
blocks_of() {
  awk '/^```sh$/ { inside = 1; next } /^```$/ { if (inside) print "\001"; inside = 0 } inside' "$1" |
    sed "s,127\.0\.0\.1:5050,127.0.0.1:$http,; s,127\.0\.0\.1:5052,127.0.0.1:$wire,; s,stoa up ,stoa up --port=$http ,
      s,/var/lib/stoa,$work/lib,; s,/etc/stoa,$work/etc,g; s,stoa-master --,stoa-master --port=$http --zmq_port=$wire --,
      s,stoa-agent --,stoa-agent --port=$agent --,; s,sleep 20,sleep 1,"
}

run_blocks() { # PAGE
  local blocks count=0 expected
  blocks=$(blocks_of "$top/$1")
  expected=$(grep -c '^```sh$' "$top/$1")
  while IFS= read -r -d $'\001' block; do
    [[ $block == *"make demo"* ]] && { expected=$((expected - 1)); continue; } # the tests' own callers
    count=$((count + 1))
    printf 'set -eu\n%s\n' "$block" > "$work/block"
    check "$1, block $count works: $(sed -n '/./{p;q}' <<< "$block")" timeout 120 bash "$work/block"
    # What it left in the background is no part of the next.
    stoa down > /dev/null 2>&1
    pkill -f -- "--work_dir=$work/lib" && wait_until 10 no_daemon
  done <<< "$blocks"
  check "$1: all of its blocks were found" test "$count" = "$expected"
}
no_daemon() { ! pgrep -f -- "--work_dir=$work/lib"; }

run_blocks README.md
run_blocks docs/operating.md
# By these this test's own children would be taken for the cluster's.
export -n STOA_DIR
cd / && unset OLDPWD
check "nothing is left" wait_until 10 nothing_left
finish
