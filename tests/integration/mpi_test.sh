#!/bin/bash
# MPI jobs over four hosts that are network namespaces: real addresses, real TCP, an agent and containers on each.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/netns.sh"

programs=$(cd "$(dirname "$0")/mpi" && pwd)
docs=$(cd "$(dirname "$0")/../../docs" && pwd)/batch-and-mpi.md
here=$work/job # below /tmp, so that agents let it be written
mkdir "$here" && chmod 777 "$here" && cd "$here" || exit 1
mpicc.mpich -O2 -o rank "$programs/rank.c" || exit 1
start_hosts 4 --resources='cpus:4;mem:4096'

no_ranks() { [[ -z $(pgrep -f "$here/rank|^\./rank ") ]]; }
no_tasks() { [[ $(stoa --json tasks | jq '[.tasks[] | select(.state == "TASK_RUNNING")] | length') == 0 ]]; }
nothing_runs() { wait_until 10 no_ranks && wait_until 10 no_tasks; }

# ---- Where ranks are, and what they say to each other --------------------------------------------------------------

hello_everywhere() {
  stoa mpi -n 8 --tasks-per-agent=2 ./rank hello > "$work/hello" || { cat "$work/hello"; return 1; }
  cat "$work/hello"
  [[ $(grep -c '^rank [0-7] of 8 on .*, sum 28$' "$work/hello") == 8 ]] &&
    [[ $(sed 's/.* in \([0-9]*\),.*/\1/' "$work/hello" | sort -u | wc -l) == 4 ]] &&
    ! grep -q " in $(stat -Lc %i /proc/self/ns/net)," "$work/hello"
}
check "eight ranks, two an agent, are in four network namespaces and agree on a sum" hello_everywhere

labels() {
  stoa mpi -n 4 --label ./rank hello > "$work/labelled" || { cat "$work/labelled"; return 1; }
  cat "$work/labelled"
  for rank in 0 1 2 3; do grep -q "^\[$rank\] rank $rank of 4 " "$work/labelled" || return 1; done
}
check "with labels, each line begins with its rank" labels

payload_travels() {
  local number before=() through
  for number in 1 2 3 4; do before[number]=$(bytes_through $number); done
  stoa mpi -n 4 --tasks-per-agent=1 ./rank exchange 16 || return
  for number in 1 2 3 4; do
    through=$(($(bytes_through $number) - before[number]))
    echo "host $number: $through bytes"
    # Sixteen megabytes out to the next, and sixteen in.
    ((through > 2 * 16 * 1048576)) || return 1
  done
}
check "what ranks exchange passes the hosts' interfaces" payload_travels

check "standard input goes to rank 0" test "$(echo "a line" | stoa mpi -n 4 --tasks-per-agent=1 ./rank cat)" = "a line"

# ---- How a job ends ------------------------------------------------------------------------------------------------

check "the exit code is the ranks'" ends_with 7 stoa mpi -n 4 ./rank exit 7 < /dev/null
check "after a job nothing runs" nothing_runs

a_rank_dies() {
  local started=$SECONDS status
  timeout 60 nsenter --net="/run/netns/$(host_namespace hub)" "$bin/stoa" --master="$master_at" \
    mpi -n 8 --tasks-per-agent=2 ./rank die 3 < /dev/null > "$work/died" 2>&1
  status=$?
  cat "$work/died"
  echo "ended with $status after $((SECONDS - started)) s"
  ((status != 0 && status != 124 && SECONDS - started < 15))
}
check "a rank that dies takes the job down at once" a_rank_dies
check "and leaves nothing" nothing_runs

# start_job FILE ARGUMENT...: a job whose ranks wait, in the background; its pid in $job.
start_job() {
  nsenter --net="/run/netns/$(host_namespace hub)" "$bin/stoa" --master="$master_at" mpi "${@:2}" < /dev/null > "$1" 2>&1 &
  job=$!
  wait_until 30 grep -q 'all wait' "$1"
}

interrupted() {
  start_job "$work/interrupted" -n 8 --tasks-per-agent=2 ./rank wait || { cat "$work/interrupted"; return 1; }
  kill -INT $job
  wait_for $job 10
  local status=$?
  cat "$work/interrupted"
  ((status == 130)) || { echo "ended with $status"; return 1; }
}
check "ctrl-C ends all ranks, with 130" interrupted
check "and leaves nothing" nothing_runs

killed() {
  start_job "$work/killed" -n 4 --tasks-per-agent=1 ./rank wait || { cat "$work/killed"; return 1; }
  kill -9 $job
  wait $job 2> /dev/null
  wait_until 25 no_ranks
}
check "ranks do not outlive a stoa mpi that was killed" killed
check "and leave nothing" nothing_runs

an_agent_is_lost() {
  start_job "$work/lost" -n 8 --tasks-per-agent=2 ./rank wait || { cat "$work/lost"; return 1; }
  # One host's proxy.
  local pid
  pid=$(stoa --json tasks | jq -r '[.tasks[] | select(.state == "TASK_RUNNING")][0].statuses | map(.pid | numbers) | last')
  kill -9 "$pid"
  wait_for $job 15
  local status=$?
  cat "$work/lost"
  ((status != 0 && status != 124))
}
check "a proxy's death ends the job" an_agent_is_lost
check "and leaves nothing" nothing_runs

# ---- Gangs ---------------------------------------------------------------------------------------------------------

impossible() {
  says 125 "needs 17 pieces at once; at most 16 fit" stoa mpi -n 17 ./rank hello &&
    says 125 "needs 9 pieces at once, at most 2 an agent; at most 8 fit" stoa mpi -n 9 --tasks-per-agent=2 ./rank hello &&
    says 125 "nearest: agent " stoa mpi -n 4 --cpus=8 ./rank hello &&
    says 125 "needs cpus 8, has 4 at all" stoa mpi -n 4 --cpus=8 ./rank hello
}
check "an impossible gang is told at once, with the nearest agent" impossible

waits_whole() {
  start_job "$work/first" -n 10 ./rank wait || { cat "$work/first"; return 1; }
  local first=$job second third
  stoa mpi -n 8 --name=second ./rank hello < /dev/null > "$work/second" 2>&1 &
  second=$!
  stoa mpi -n 8 --name=third ./rank hello < /dev/null > "$work/third" 2>&1 &
  third=$!
  wait_until 20 grep -q 'still waiting for a place: needs 8 pieces at once; 6 fit now' "$work/second" || { cat "$work/second"; return 1; }
  stoa explain --framework='mpi second' | tee "$work/explained"
  grep -q 'needs 8 pieces at once; 6 fit now, 16 if nothing else ran' "$work/explained" || return 1
  # What the two lack is not taken by halves: the six that are free are free for a third job.
  says 0 'rank 5 of 6' stoa mpi -n 6 ./rank hello || return 1
  kill -INT "$first"
  wait_for "$first" 10
  wait_for "$second" 30 && wait_for "$third" 30 && grep -q 'rank 7 of 8' "$work/second" && grep -q 'rank 7 of 8' "$work/third"
}
check "gangs that compete hold nothing while they wait, and run one after the other" waits_whole
check "and leave nothing" nothing_runs

# ---- Programs that are none of ours --------------------------------------------------------------------------------

mkdir "$work/other" && : > "$work/other/mpi.c" &&
  cc -shared -Wl,-soname,libmpi.so.40 -o "$work/other/libmpi.so.40" "$work/other/mpi.c" &&
  echo 'int main(void) { return 0; }' > "$work/other/main.c" &&
  cc -Wl,--no-as-needed -o "$here/others" "$work/other/main.c" "$work/other/libmpi.so.40" || exit 1
check "a program for another MPI is refused by the library's name" \
  says 125 "is built for another MPI: it needs libmpi.so.40, which is Open MPI's" stoa mpi -n 2 ./others
check "a directory that agents don't allow is named" \
  says 125 "--allowed_work_directories" stoa mpi -n 2 --chdir=/usr ./rank hello
check "a program that is not there fails the job" bash -c '! "$@" < /dev/null' -- nsenter \
  --net="/run/netns/$(host_namespace hub)" "$bin/stoa" --master="$master_at" mpi -n 2 ./no-such-program
check "no rank is refused" says 2 "-n: a job has at least one rank" stoa mpi -n 0 ./rank hello

# ---- The page in docs ----------------------------------------------------------------------------------------------

blocks=$(awk '/^## MPI/ { part = 1 } part && /^```sh$/ { inside = 1; next } /^```$/ { if (inside) print "\001"; inside = 0 } inside' "$docs")
number_of=0
while IFS= read -r -d $'\001' block; do
  number_of=$((number_of + 1))
  echo "$block" > "$work/block"
  run_block() { (set -eu; export STOA_MASTER=$master_at PATH=$bin:$PATH; on_hub bash -eu "$work/block" < /dev/null); }
  check "block $number_of of the page works: $(sed -n '/./{p;q}' <<< "$block")" run_block
done <<< "$blocks"
check "the page has commands" test "$number_of" -ge 3

finish
