#!/bin/bash
# The demo's job, with SIGKILL to the master, to an agent and to the batch framework while it runs, one after the other,
# each started again: the result is right, and tasks that were running when one of them died kept host pid and start time
# with their first attempt.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/../../docs/examples/wordcount.sh"

start_cluster --agents=3 --resources='cpus:2;mem:1024'
wordcount_prepare "$work/texts" 24
# The map tasks (there is more than one) stay until the last death is over.
wordcount_at_end='[ $STOA_TASK_COUNT = 1 ] || until [ -e go ]; do sleep 0.1; done'
wordcount_submit "$work/texts" 24 --cpus=0.2 --mem=64 --retries=5

# running [AGENT]: "id pid start-time" of each map task that runs there, or anywhere.
running() {
  local id pid port=
  [[ -z ${1:-} ]] || port=$(agent_port "$1")
  local agent
  agent=$(stoa --json agents | jq -r ".slaves[] | select(\"$port\" == \"\" or (.port | tostring) == \"$port\") | .id")
  stoa --json tasks --live | jq -r --arg agents "$agent" '.tasks[] | select(.name | startswith("map")) | select(.state == "TASK_RUNNING") |
    select(.slave_id as $on | $agents | split("\n") | index($on)) | "\(.id) \([.statuses[].pid | numbers] | last)"' | while read -r id pid; do
    echo "$id $pid $(start_time "$pid")"
  done 2> /dev/null
}
some_run() { [[ -n $(running "$@") ]]; }
# What ran before and still runs is the same process; some does.
same_since() {
  local id pid started now kept=0
  while read -r id pid started; do
    now=$(start_time "$pid") && ! gone "$pid" || continue
    [[ $now == "$started" ]] || { echo "$id: process $pid was started at $started, is now one of $now"; return 1; }
    kept=$((kept + 1))
  done 2> /dev/null <<< "$1"
  ((kept > 0)) || { echo "none of these still runs: $1"; return 1; }
}
# The attempts that were running at some death are those that the job's tasks ended with.
no_further_attempts() {
  local ended id
  ended=$(stoa --json jobs "$map_job" | jq -r '.job.tasks[].task_id')
  for id in $ran; do grep -qxF "$id" <<< "$ended" || { echo "$id was followed by another attempt:"; echo "$ended"; return 1; }; done
}

check "map tasks run" wait_until 30 some_run
ran=
for victim in master agent-1 batch; do
  # An agent's death is the harder for the tasks that it runs itself.
  where=$([[ $victim == agent-* ]] && echo "$victim")
  wait_until 30 some_run $where
  before=$(running $where)
  ran+=" $(cut -d' ' -f1 <<< "$before" | tr '\n' ' ')"
  kill_hard "$(pid_of $victim)"
  check "$victim, killed, starts again" restart
  check "tasks kept host pid and start time over its death" same_since "$before"
done

for sandbox in "$dir"/agent-*/sandboxes/*/*; do touch "$sandbox/go"; done
check "the job ends well" ends_with 0 timeout 300 "$bin/stoa" --dir="$dir" wait "$map_job" "$reduce_job"
stoa fetch "$reduce_job/0" top --to="$work/top"
check "its result is that of one plain pipeline" diff "$work/texts/expected" "$work/top"
check "tasks that ran when one of them died ended with that attempt, the first" no_further_attempts
check "and those are attempts of number 1" test -z "$(tr ' ' '\n' <<< "$ran" | grep . | grep -v '\.1$')"
check "stoa down ends the cluster" ends_with 0 stoa down
finish
