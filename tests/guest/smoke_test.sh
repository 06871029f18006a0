#!/bin/bash
# The agent under systemd and the unified cgroup hierarchy; scripts/guest boots a machine for it. Limits, kills, running
# out of memory and the agent's restart, each looked at in the cgroup files and processes of the machine.
source "$(dirname "$0")/../integration/lib.sh"

# The units' cluster, not one of this test's own. Emulated, all takes its time.
master=127.0.0.1:5050
stoa() { "$bin/stoa" --master=$master "$@"; }
sandbox_of() { echo "/var/lib/stoa/agent/sandboxes/$(task "$1" .framework_id)/$(task "$1" .id)"; }
patience=60

# background NAME [OPTION...] -- COMMAND...: stoa run in the background; $run is its process.
background() {
  "$bin/stoa" --master=$master run --name="$1" "${@:2}" > "$work/$1.out" 2> "$work/$1.err" &
  run=$!
  wait_until $patience is_running "$1"
}
go() { touch "$(sandbox_of "$1")/go"; }
wait_for_go=(sh -c 'echo begun; until [ -e go ]; do sleep 0.1; done; echo over; exit 9')

unit() { systemctl show --value --property="$2" "$1"; } # UNIT PROPERTY
path_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }     # PID, in the cgroup tree
value() { cat "$(cgroup_file "$1" - - "$2")"; }         # PID FILE
shim() { pgrep -P 1 -xf "$bin/stoa-shim serve --run_dir=.*"; } # not those that it starts from
# All that systemd or somebody else has set, outside of the units' own subtrees.
settings_outside() {
  find /sys/fs/cgroup \( -path '*/stoa-agent.service' -o -path "/sys/fs/cgroup$scope" \) -prune -o \
    \( -name cgroup.subtree_control -o -name '*.max' -o -name '*.high' -o -name '*.weight' \) -print | sort |
    while read -r file; do echo "$file: $(tr '\n' ' ' 2> /dev/null < "$file")"; done
}

# ---- The machine and the units ---------------------------------------------------------------------------------

check "this is a machine with systemd as its first process" test "$(cat /proc/1/comm)" = systemd
check "and one cgroup tree" test "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs

# A machine so small: what there is, less what systemd and the daemons need.
echo 'STOA_AGENT_FLAGS="--resources=cpus:2;mem:512"' > /etc/default/stoa-agent
started() { systemctl daemon-reload && systemctl start stoa-master stoa-agent; }
registered() { [[ $(stoa --json agents | jq '[.slaves[] | select(.active)] | length') == 1 ]]; }
check "the units start" started
check "the agent registers" wait_until $patience registered ||
  { journalctl -u stoa-master -u stoa-agent --no-pager | tail -n 30 | sed 's/^/# /'; finish; }
check "it says that tasks are contained, by cgroups of version 2" \
  test "$(stoa --json agents | jq -r '.slaves[0].isolation')" = "oci/crun cgroup-v2 pid,ipc,uts,mount seccomp"

agent=$(unit stoa-agent MainPID)
shim=$(shim)
scope=$(path_of "$shim")
scope=${scope%/daemons}
scope_unit=${scope##*/}
check "the agent stays where its unit puts it" test "$(path_of "$agent")" = "$(unit stoa-agent ControlGroup)"
check "the shim is in a scope of systemd's" test "$(unit "$scope_unit" ControlGroup)" = "$scope"
check "which is delegated" test "$(unit "$scope_unit" Delegate)" = yes
check "and does not limit all tasks together" test "$(unit "$scope_unit" TasksMax)" = infinity
outside=$(settings_outside)
check "there is something that must not be written" test "$(wc -l <<< "$outside")" -gt 10

# ---- Limits ----------------------------------------------------------------------------------------------------

background limited --mem=48M --cpus=0.5 -- "${wait_for_go[@]}"
pid=$(pid_of_task limited)
cgroup=/sys/fs/cgroup$(path_of "$pid")
check "a task's cgroup is in that scope, below nothing but the tasks' own" \
  test "$(dirname "$cgroup")" = "/sys/fs/cgroup$scope/stoa-$shim"
check "memory.max is the memory asked for" test "$(value "$pid" memory.max)" = $((48 << 20))
check "without any swap beside it" test "$(value "$pid" memory.swap.max)" = 0
check "cpu.max is the share of processors asked for" test "$(value "$pid" cpu.max)" = "50000 100000"
check "pids.max is the agent's limit, and the container's first process" test "$(value "$pid" pids.max)" = 4097
inside() { readlink "/proc/$pid/ns/$1"; }
for namespace in pid mnt ipc uts; do
  check "it has its own $namespace namespace" test "$(inside $namespace)" != "$(readlink /proc/self/ns/$namespace)"
done
check "systemd leaves its limits alone when it reads its units again" \
  test "$(systemctl daemon-reload; value "$pid" memory.max; value "$pid" cpu.max)" = "$((48 << 20))"$'\n'"50000 100000"
go limited
check "it ends with its exit code" ends_with 9 wait_for $run $patience
check "and its cgroup with it" wait_until $patience test ! -e "$cgroup"

# ---- Kill ------------------------------------------------------------------------------------------------------

background polite -- sh -c 'trap "echo asked; exit 5" TERM; echo begun; while :; do sleep 0.1; done'
wait_until $patience grep -q begun "$work/polite.out"
kill -INT $run
check "a task that is killed can end in its own way" ends_with 5 wait_for $run $patience
check "after SIGTERM" grep -q asked "$work/polite.out"

background stubborn --grace=1 -- \
  sh -c 'trap "echo asked" TERM; setsid sleep 1000 & trap "" TERM; setsid sleep 1000 & echo begun; while :; do sleep 0.1; done'
wait_until $patience grep -q begun "$work/stubborn.out"
cgroup=/sys/fs/cgroup$(path_of "$(pid_of_task stubborn)")
members=$(find "$cgroup" -name cgroup.procs -exec cat {} +)
check "a task and what it started are in one cgroup" test "$(wc -w <<< "$members")" -ge 4
kill -INT $run
check "one that ignores SIGTERM is killed after its grace" ends_with 137 wait_for $run $patience
members_gone() { for pid in $members; do gone "$pid" || return 1; done; }
check "with everything inside" wait_until $patience members_gone
check "and its cgroup" wait_until $patience test ! -e "$cgroup"

# ---- Memory ----------------------------------------------------------------------------------------------------

check "running out of memory is told as such" says 137 "out of memory: the task had" stoa run --mem=32M -- tail /dev/zero
status_has() { [[ $(task tail ".statuses[-1] | $1") == true ]] || { task tail '.statuses[-1]'; return 1; }; }
check "also in the task's status" status_has '.reason == "REASON_CONTAINER_LIMITATION_MEMORY"'
check "with the memory that it had" status_has '.max_memory_bytes > 30000000 and .max_memory_bytes <= 33554432'
check "and the processors' time" status_has '.cpu_seconds > 0'
check "systemd takes it for no failure of the scope" test "$(unit "$scope_unit" ActiveState)" = active

# ---- The agent's restart ---------------------------------------------------------------------------------------

same() {
  is_running survivor && [[ $(identity survivor) == "$before" ]] ||
    { echo "was $before"; echo "is  $(task survivor .state) $(identity survivor)"; return 1; }
}
another_agent() { local now; now=$(unit stoa-agent MainPID) && [[ $now != 0 && $now != "$agent" ]] && registered; }

background survivor -- "${wait_for_go[@]}"
before=$(identity survivor)
systemctl kill -s KILL stoa-agent
check "systemd starts an agent again that was killed" wait_until $patience another_agent
check "its task kept host pid, start time and attempt" wait_until $patience same
agent=$(unit stoa-agent MainPID)
check "the unit is restarted" systemctl restart stoa-agent
check "by another process" wait_until $patience another_agent
check "the task is still the same" wait_until $patience same
check "with the same shim" test "$(shim)" = "$shim"
check "nothing outside of the units' cgroups was written" test "$(settings_outside)" = "$outside" ||
  diff <(echo "$outside") <(settings_outside) | sed 's/^/# /'
go survivor
check "its exit code arrives" ends_with 9 wait_for $run $patience
printf 'begun\nover\n' > "$work/expected"
check "and all of its output" diff "$work/expected" "$work/survivor.out" || sed 's/^/# /' "$work/survivor.err"
check "the agent runs new tasks" ends_with 7 stoa run -- sh -c 'exit 7'

# ---- The shim's death ------------------------------------------------------------------------------------------

# With a shim and its last task, systemd takes the scope away and all cgroups in it.
another_shim() { local now; now=$(shim) && [[ $now != "$shim" ]]; }
kill_shim() { kill_hard "$shim" && wait_until $patience another_shim && shim=$(shim); }

background abandoned -- "${wait_for_go[@]}"
run_abandoned=$run
check "another shim takes the place of one that was killed" kill_shim
check "a task goes on without its own" is_running abandoned
background later -- "${wait_for_go[@]}"
check "new tasks run beside it" is_running later
go abandoned
check "that its exit status is unknown is told" ends_with 125 wait_for $run_abandoned $patience
go later
check "that of the later one is known" ends_with 9 wait_for $run $patience
check "the scope of the dead shim is gone" wait_until $patience test ! -e "/sys/fs/cgroup$scope"
check "new tasks run in that of the new one" ends_with 7 stoa run -- sh -c 'exit 7'
check "which is killed, too" kill_shim
check "new tasks run in that of the third" ends_with 6 stoa run -- sh -c 'exit 6'

# ---- The machine's end -----------------------------------------------------------------------------------------

# What systemd does to the scope when the machine shuts down; it kills what is left after 90 s.
background overtaken -- sleep 1000
pid=$(pid_of_task overtaken)
check "systemd can end the scope with all in it, and soon" \
  timeout 45 systemctl stop "$(path_of "$shim" | grep -o '[^/]*\.scope')"
check "which is the end of its tasks" wait_until $patience gone "$pid"
wait_for $run $patience
check "an agent that is still there runs new tasks in another" ends_with 3 stoa run -- sh -c 'exit 3'

# ---- The end ---------------------------------------------------------------------------------------------------

left() {
  pgrep -af "$bin/stoa"
  find /sys/fs/cgroup -type d \( -name 'stoa-*' -o -name '*.scope' \) ! -name init.scope
  systemctl list-units --no-legend --plain --all '*.scope' | grep -v ^init.scope
  awk '/stoa/ { print "mount " $5 }' /proc/self/mountinfo
  find /var/lib/stoa/agent/run/{runtime,bundles} -mindepth 1 2> /dev/null
}
nothing_left() { [[ -z $(left) ]] || { left; return 1; }; }
check "the units stop" systemctl stop stoa-agent stoa-master
check "they leave no process, cgroup, scope, mount or container" wait_until $patience nothing_left || left | sed 's/^/# /'
check "and did not fail" test "$(unit stoa-agent Result) $(unit stoa-master Result)" = "success success"
finish
