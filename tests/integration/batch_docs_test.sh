#!/bin/bash
# Executes every command of the batch part of docs/batch-and-mpi.md, in order, as a newcomer would: in an empty directory,
# with the programs in PATH.
source "$(dirname "$0")/lib.sh"
docs=$(cd "$(dirname "$0")/../../docs" && pwd)/batch-and-mpi.md

export STOA_DIR=$dir PATH=$bin:$PATH
mkdir "$work/here" && chmod 777 "$work/here" && cd "$work/here" || exit 1

# The blocks before the part on MPI, as one script each, so that variables go from one to the next.
blocks=$(awk '/^## MPI/ { exit } /^```sh$/ { inside = 1; next } /^```$/ { if (inside) print "\001"; inside = 0 } inside' "$docs")
check "the page has commands" test -n "$blocks"

# A port of its own, where the page has the usual one.
blocks=${blocks/stoa up --detach/stoa up --port=$(free_port) --resources=\'cpus:2;mem:1024\' --detach}
number_of=0
while IFS= read -r -d $'\001' block; do
  number_of=$((number_of + 1))
  first=$(sed -n '/./{p;q}' <<< "$block")
  echo "$block" > "$work/block"
  # shellcheck disable=SC1090,SC1091 # a part of the page
  run_block() { set -eu; source "$work/block" < /dev/null; declare -p > "$work/variables"; }
  # Variables of one block are there in the next; the function's own shell ends at the first command that fails.
  if ( { [[ -e $work/kept ]] && source "$work/kept"; run_block; } > "$work/output" 2>&1; s=$?
       for v in job sweep first second flaky held maps sum id; do declare -p $v 2> /dev/null; done > "$work/kept"; exit $s ); then
    ok "block $number_of works: $first"
  else
    not_ok "block $number_of works: $first" "$(cat "$work/output")"
  fi
done <<< "$blocks"

check "the page's script wrote its file" grep -q "fitting data in $work/here" fit-*.log
check "the page's array wrote one a task" test "$(cat sweep-7.out)" = 14
check "the page's sbatch script saw Slurm's names" grep -q "task 2 of job .* with 1 cpus in $work/here" sweep-*_2.out
check "all blocks were found" test "$number_of" = "$(sed '/^## MPI/,$d' "$docs" | grep -c '^```sh$')"
finish
