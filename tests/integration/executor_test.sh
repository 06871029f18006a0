#!/bin/bash
# Executors in real containers: many tasks in one process, messages both ways, kills, the agent's death and the executor's
# own, and an executor that speaks plain JSON over HTTP.
# Below /var/tmp, since a container has a /tmp of its own and would not see the executors.
TMPDIR=/var/tmp
source "$(dirname "$0")/lib.sh"

examples=$bin/../examples
for example in executor_framework shell_executor; do
  [[ -x $examples/$example ]] || { not_ok "the examples are built"; finish; }
done

# Executors run as an unprivileged user, who may not be let into the source tree.
mkdir -p "$work/kit/lib" "$work/kit/examples"
cp "$bin"/../lib/libstoa.so* "$work/kit/lib" && cp "$examples/shell_executor" "$work/kit/examples" &&
  cp "$(dirname "$0")/third_party_executor.py" "$work/kit" || exit 1

start_cluster --agents=1

# crowd NAME COMMAND...: the framework with its tasks, in the background; $run is its process, its words in $work/NAME.
crowd() {
  "$examples/executor_framework" "127.0.0.1:$(wire_port)" "${program:-$work/kit/examples/shell_executor}" "${@:2}" \
    > "$work/$1" 2>&1 &
  run=$!
}
told() { grep -q "$2" "$work/$1" || { echo "no \"$2\" in:"; cat "$work/$1"; return 1; }; }
state() { curl -sf "127.0.0.1:$(http_port)/state"; }
executors() { state | jq -c '[.frameworks[].executors[]]'; }
sandbox() { echo "$dir"/agent-1/sandboxes/*/shells; }
executor_pid() { state | jq '[.frameworks[].tasks[].statuses[-1].pid | numbers] | last'; }
limit() { cat "$(cgroup_file "$(executor_pid)" memory memory.limit_in_bytes memory.max)"; }
running() { [[ $(grep -c TASK_RUNNING "$work/$1") == "$2" ]]; }

# ---- Several tasks in one executor -----------------------------------------------------------------------------

crowd several 'echo one' 'echo two; until [ -e go ]; do sleep 0.05; done' 'kill:sleep 1000' 'exit 3'
check "tasks run in their executor" wait_until 20 running several 4
check "a message goes to the executor and its answer comes back" wait_until 10 told several "message of shells: you said: hello"
check "one task is killed alone" wait_until 10 told several "task-2 TASK_KILLED"
check "a task that fails is told as failed" wait_until 10 told several "task-3 TASK_FAILED"
check "the executor's resources are held beside its task's" \
  test "$(state | jq -c '.frameworks[] | select(.name == "crowd") | .used_resources | [(.cpus * 10 | round), .mem]')" = '[2,96]'
check "/state shows the executor" \
  test "$(executors | jq -c '.[] | [.executor_id, .name, .resources.mem]')" = '["shells","shells of an example",64]'
check "so does the operator's call" \
  test "$(curl -sf -H 'Content-Type: application/json' -d '{"type": "GET_EXECUTORS"}' "127.0.0.1:$(http_port)/api/v1" |
    jq -c '.get_executors.executors[].executor_info.executor_id')" = '{"value":"shells"}'
limit_is() { [[ $(limit) == "$1" ]]; }
check "its container is allowed what it and the task that is left hold" wait_until 5 limit_is $((96 << 20))
other_pids() { [[ $(readlink "/proc/$(executor_pid)/ns/pid") != "$(readlink /proc/self/ns/pid)" ]]; }
check "the executor is in a container" other_pids
touch "$(sandbox)/go"
check "the framework ends when all have ended" ends_with 0 wait_for $run 10
check "and so does the executor" wait_until 10 eval '[[ $(curl -sf 127.0.0.1:$(agent_port agent-1)/state | jq ".executors | length") == 0 ]]'

# ---- The agent's death -----------------------------------------------------------------------------------------

rm -rf "$dir"/agent-1/sandboxes/*
crowd survivors 'until [ -e go ]; do sleep 0.05; done; echo over' 'until [ -e go ]; do sleep 0.05; done; exit 4'
check "two more run" wait_until 20 running survivors 2
pid=$(executor_pid)
began=$(start_time "$pid")
kill_hard "$(pid_of agent-1)"
check "the executor goes on while its agent is dead" test "$(start_time "$pid")" = "$began"
check "a killed agent starts again" restart
check "its executor subscribes again" wait_until 15 grep -q "the agent is back" "$(sandbox)/stdout"
check "and is the same process" test "$(executor_pid) $(start_time "$(executor_pid)")" = "$pid $began"
touch "$(sandbox)/go"
check "its tasks' ends arrive" ends_with 0 wait_for $run 15
check "as they were" told survivors "task-0 TASK_FINISHED"
check "both of them" told survivors "task-1 TASK_FAILED"

# ---- The executor's death --------------------------------------------------------------------------------------

rm -rf "$dir"/agent-1/sandboxes/*
crowd crash 'sleep 1000' 'sleep 0.5; kill -9 $PPID'
check "a framework whose executor crashes hears of all its tasks" ends_with 0 wait_for $run 30
check "that they failed with it" told crash "task-0 TASK_FAILED REASON_EXECUTOR_TERMINATED the executor ended: killed by SIGKILL"

# ---- One that knows only the API -------------------------------------------------------------------------------

if [[ -x /usr/bin/python3 ]]; then
  rm -rf "$dir"/agent-1/sandboxes/*
  program=$work/kit/third_party_executor.py crowd third 'any data'
  check "an executor of another make runs a task" ends_with 0 wait_for $run 30
  check "whose end is told" told third "task-0 TASK_FINISHED"
  expected='heartbeat before subscribing 202
message before subscribing 403
another token 403
no subscribe 400
event SUBSCRIBED
event LAUNCH
data any data
running 202
unreachable 400
finished 202'
  check "the door answers as the API says" test "$(head -n 10 "$dir"/agent-1/sandboxes/*/shells/stdout)" = "$expected"
  check "updates are acknowledged" grep -q "event ACKNOWLEDGED" "$dir"/agent-1/sandboxes/*/shells/stdout
fi

# ---- Bad input -------------------------------------------------------------------------------------------------

door="127.0.0.1:$(agent_port agent-1)/api/v1/executor"
answer() { [[ $(curl -s -o /dev/null -w '%{http_code}' "${@:2}" "$door") == "$1" ]]; }
check "an unknown executor gets 400" answer 400 -H 'Content-Type: application/json' \
  -d '{"type": "HEARTBEAT", "framework_id": {"value": "f"}, "executor_id": {"value": "e"}}'
check "no JSON gets 400" answer 400 -H 'Content-Type: application/json' -d '{'
check "another type of content gets 415" answer 415 -H 'Content-Type: application/x-protobuf' -d '{}'
check "a command that is no executor is told as such" \
  eval 'program=/bin/true; crowd true "echo one"; ends_with 0 wait_for $run 30 && told true "REASON_EXECUTOR_TERMINATED the executor ended: exited with 0"'

stoa down > "$work/down" 2>&1
check "nothing is left" wait_until 10 nothing_left
finish
