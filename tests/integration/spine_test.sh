#!/bin/bash
# One task's whole way through real daemons and containers, and what must not change it: the death of any of them.
source "$(dirname "$0")/lib.sh"

start_cluster --agents=2

# ---- How a command ends ----------------------------------------------------------------------------------------

check "a command's exit code is that of stoa run" ends_with 7 stoa run -- sh -c 'exit 7'
check "a command that succeeds gives 0" ends_with 0 stoa run -- true
check "one that a signal ended gives 128 and its number, and is told so" \
  says 143 "ended by signal 15" stoa run -- sh -c 'kill -TERM $$'
check "one that does not exist gives a code of its own, and its name" \
  says 125 "no-such-program" stoa run -- no-such-program
check "running out of memory is told as such" \
  says 137 "out of memory: the task had" stoa run --mem=32M -- tail /dev/zero
check "out of memory is in the task's status, with its usage" \
  test "$(task tail '.statuses[-1] | .reason == "REASON_CONTAINER_LIMITATION_MEMORY" and .max_memory_bytes > 16000000')" = true

# ---- Output ----------------------------------------------------------------------------------------------------

output_is_whole() {
  seq 150000 > "$work/out.expected"
  seq 150000 -1 1 > "$work/err.expected"
  ends_with 3 stoa run -- sh -c 'seq 150000 & seq 150000 -1 1 >&2; wait; exit 3' > "$work/out" 2> "$work/err" &&
    cmp "$work/out.expected" "$work/out" && cmp "$work/err.expected" "$work/err"
}
check "a megabyte of stdout and of stderr arrive whole and apart" output_is_whole

# ---- What a container keeps apart ------------------------------------------------------------------------------

# background NAME [OPTION...] -- COMMAND...: stoa run in the background; $run is its process.
background() {
  "$bin/stoa" --dir="$dir" run --name="$1" "${@:2}" > "$work/$1.out" 2> "$work/$1.err" &
  run=$!
  wait_until 10 is_running "$1"
}
# The task's command, until its sandbox has a file "go".
wait_for_go=(sh -c 'echo begun; until [ -e go ]; do sleep 0.05; done; echo over; exit 9')
go() { touch "$(sandbox_of "$1")/go"; }

limit_of() { cat "$(cgroup_file "$(pid_of_task "$1")" memory memory.limit_in_bytes memory.max)"; }
other_namespace() { # NAME NAMESPACE
  local inside outside
  inside=$(readlink "/proc/$(pid_of_task "$1")/ns/$2") && outside=$(readlink "/proc/self/ns/$2") &&
    [[ $inside && $inside != "$outside" ]] || { echo "$2: inside $inside, outside $outside"; return 1; }
}

background contained --mem=48M --cpus=0.5 -- "${wait_for_go[@]}"
for namespace in pid mnt ipc uts; do
  check "a task has its own $namespace namespace" other_namespace contained $namespace
done
check "its cgroup's memory limit is the one asked for" test "$(limit_of contained)" = $((48 << 20))
check "it does not run as root" test "$(stat -c %U "/proc/$(pid_of_task contained)")" != root
go contained
check "and it ends when it is done" ends_with 9 wait_for $run 10

# ---- Ctrl-C ----------------------------------------------------------------------------------------------------

background interrupted -- sleep 100
pid=$(pid_of_task interrupted)
kill -INT $run
check "ctrl-C gives the code of how the command then ended" ends_with 143 wait_for $run 10
check "ctrl-C kills the task" wait_until 5 gone "$pid"
check "and it counts as killed" test "$(task interrupted .state)" = TASK_KILLED

# ---- The agent's death -----------------------------------------------------------------------------------------

# same_after NAME IDENTITY: the task runs, and is the same process and attempt.
same_after() {
  is_running "$1" && [[ $(identity "$1") == "$2" ]] || { echo "was $2"; echo "is  $(task "$1" .state) $(identity "$1")"; return 1; }
}
agents_are() { [[ $(stoa --json agents | jq -c '[.slaves[] | select(.active) | .id] | sort') == "$1" ]]; }

background survivor -- "${wait_for_go[@]}"
before=$(identity survivor)
agent=$(agent_of survivor)
kill_hard "$(pid_of "$agent")"
check "a task goes on while its agent is dead" test "pid $(pid_of_task survivor) started $(start_time "$(pid_of_task survivor)")" = "${before% task *}"
check "a killed agent starts again" restart
check "its task kept host pid, start time and attempt" wait_until 10 same_after survivor "$before"
go survivor
check "its exit code arrives" ends_with 9 wait_for $run 20
check "with all of its output" test "$(tr '\n' ' ' < "$work/survivor.out")" = "begun over "

background orphan -- "${wait_for_go[@]}"
agent=$(agent_of orphan)
pid=$(pid_of_task orphan)
kill_hard "$(pid_of "$agent")"
go orphan
wait_until 10 gone "$pid"
restart > /dev/null
check "the exit code of a task that ended while its agent was dead arrives, too" ends_with 9 wait_for $run 20

# ---- The master's death ----------------------------------------------------------------------------------------

background survivor2 -- "${wait_for_go[@]}"
before=$(identity survivor2)
agents=$(stoa --json agents | jq -c '[.slaves[].id] | sort')
frameworks=$(stoa --json frameworks | jq -c '[.frameworks[].id] | sort')
kill_hard "$(pid_of master)"
check "a killed master starts again" restart
check "it knows the agents under their ids" wait_until 10 agents_are "$agents"
check "and the frameworks" test "$(stoa --json frameworks | jq -c '[.frameworks[].id] | sort')" = "$frameworks"
check "a task kept host pid, start time and attempt" wait_until 10 same_after survivor2 "$before"
go survivor2
check "its exit code arrives from the new master" ends_with 9 wait_for $run 20
check "which runs new tasks as well" ends_with 4 stoa run -- sh -c 'exit 4'

# ---- The shim's death ------------------------------------------------------------------------------------------

background abandoned -- "${wait_for_go[@]}"
before=$(identity abandoned)
agent=$(agent_of abandoned)
kill_hard "$(shim_of "$agent")"
check "another shim takes the place of one that was killed" wait_until 10 shim_of "$agent"
check "its task goes on, the same process" same_after abandoned "$before"
go abandoned
wait_for $run 20
check "that its exit status is unknown is told by stoa run" says 0 "exit status unknown" cat "$work/abandoned.err"
check "and in the task's status" test "$(task abandoned '.statuses[-1].message | startswith("exit status unknown")')" = true
check "with the new shim the agent runs new tasks" ends_with 5 stoa run -- sh -c 'exit 5'

# ---- The end ---------------------------------------------------------------------------------------------------

background last -- sleep 100
check "stoa down ends the cluster and the tasks in it" ends_with 0 stoa down
wait_for $run 20
check "it leaves no process, cgroup, mount or container" wait_until 5 nothing_left
nothing_left
finish
