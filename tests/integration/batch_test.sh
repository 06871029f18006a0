#!/bin/bash
# The batch queue as its users see it: arrays, dependencies, files, retries, cancellation, what is said of mistakes, and
# the queue's own death.
source "$(dirname "$0")/lib.sh"

start_cluster --agents=3 --resources='cpus:2;mem:1024'

# submit OPTION... -- COMMAND...: sets $job.
submit() { job=$(stoa submit --cpus=0.2 --mem=32 "$@") || { not_ok "a job is taken: $*"; finish; }; }
jobs() { stoa --json jobs "$1" | jq -er ".job | ${2:-.}"; }
job_is() { [[ $(jobs "$1" .state) == "$2" ]]; }

# ---- Arrays and files ------------------------------------------------------------------------------------------

mkdir "$work/in"
for i in 0 1 2 3 4; do echo "part $i" > "$work/in/part-$i"; done
submit --array=5 --input="part=$work/in/part-%i" --output=out -- sh -c 'cat part > out; echo $STOA_TASK_INDEX of $STOA_TASK_COUNT'
maps=$job
submit --input="all=job:$maps/*/out" -- sh -c 'cat all.*'
gather=$job
check "a job that reads another's outputs waits for it" test "$(jobs "$gather" '.after[0]')" = "$maps"
check "both end well" ends_with 0 timeout 60 "$bin/stoa" --dir="$dir" wait "$maps" "$gather"
check "each task of an array has its own input, fetched from an agent, and its outputs reach the next job" \
  test "$(stoa logs "$gather")" = "$(cat "$work"/in/part-*)"
check "tasks know their index and how many they are" test "$(stoa logs "$maps/3")" = "3 of 5"
check "outputs can be fetched, one or all" test "$(stoa fetch "$maps/2" out --to=-)$(cd "$work" && stoa fetch "$maps" out --to=got.%i && cat got.4)" = "part 2part 4"

# ---- Failures --------------------------------------------------------------------------------------------------

submit --retries=2 -- sh -c 'exit 5'
check "a failed job gives the code of its command" ends_with 5 timeout 60 "$bin/stoa" --dir="$dir" wait --quiet "$job"
check "it was tried as often as asked, and the reasons are counted" test "$(jobs "$job" '.reasons["exit 5"]')" = 3
submit --retries=3 -- sh -c 'test $STOA_ATTEMPT = 3'
check "a task that succeeds at its third attempt is a success" ends_with 0 timeout 60 "$bin/stoa" --dir="$dir" wait "$job"
submit -- sh -c 'exit 1'
failing=$job
submit --after="$failing" -- true
check "a job is cancelled when the one it waits for fails" ends_with 1 timeout 60 "$bin/stoa" --dir="$dir" wait --quiet "$job"
check "and says why" test "$(jobs "$job" .why)" = "job $failing did not succeed"
check "to wait for a job that failed is refused" says 1 "would never start" stoa submit --after="$failing" -- true
check "so is one that is not there" says 1 "there is no job 4711" stoa submit --after=4711 -- true

# ---- Killing ---------------------------------------------------------------------------------------------------

submit --array=60 -- sleep 60
some_run() { (($(jobs "$1" .tasks_in.running) > 0)); }
check "an array larger than the cluster runs in parts" wait_until 20 some_run "$job"
check "and the rest waits" test "$(jobs "$job" '.tasks_in.waiting > 0')" = true
check "explain says what falls short" says 0 "wait for a place" stoa explain "$job"
stoa kill "$job"
check "a killed job ends" ends_with 1 timeout 30 "$bin/stoa" --dir="$dir" wait --quiet "$job"
check "all of it is cancelled" test "$(jobs "$job" .tasks_in.cancelled)" = 60
check "no process of it is left" wait_until 5 test -z "$(pgrep -f 'sleep 60$' | while read -r pid; do grep -lz "$work" "/proc/$pid/environ"; done)"

# ---- Mistakes --------------------------------------------------------------------------------------------------

check "a task that no agent can hold is explained at once" says 0 "no agent is large enough" stoa submit --cpus=50 -- true
stoa kill "$(stoa --json jobs | jq '.jobs[-1].job')"
check "an input that is not there is named" says 1 "/no/such/file" stoa submit --input=/no/such/file -- true
check "an output outside of the sandbox is refused" says 2 "leads out of the sandbox" stoa submit --output=../x -- true
check "a wrong amount is named" says 2 '"lots" is no amount of memory' stoa submit --mem=lots -- true
check "no command is wrong usage" says 2 "say what to run" stoa submit --cpus=1
check "a job that is not there is said so" says 1 "there is no job 4711" stoa wait 4711
check "what is no number is said so" says 2 '"x" is no job' stoa kill x

# ---- The queue's death -----------------------------------------------------------------------------------------

submit --name=lasting -- sh -c 'until [ -e go ]; do sleep 0.05; done; echo over'
lasting=$job
check "a task runs" wait_until 20 is_running lasting
before=$(identity lasting)
submit --after="$lasting" -- echo next
next=$job
kill_hard "$(pid_of batch)"
check "a killed queue starts again" restart
check "it knows its jobs" test "$(jobs "$next" .state)" = held
check "its task kept host pid, start time and attempt" test "$(identity lasting)" = "$before"
touch "$(sandbox_of lasting)/go"
check "the task's end reaches the new one, and the next job runs" ends_with 0 timeout 30 "$bin/stoa" --dir="$dir" wait "$lasting" "$next"
check "with one attempt each" test "$(jobs "$lasting" '.tasks[0].attempt')$(jobs "$next" '.tasks[0].attempt')" = 11

check "stoa down ends the cluster" ends_with 0 stoa down
check "a queue that was down has its jobs again" test "$(stoa up --detach > /dev/null && jobs "$next" .state)" = succeeded
check "stoa down ends it once more" ends_with 0 stoa down
finish
