#!/bin/bash
# A client of the v1 API that nobody here wrote, npm's mesos-framework, runs unmodified: tasks to their end, a failure, a
# kill, and another scheduler that takes the framework over.
source "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/clients
clients=${bin%/bin}/clients
mkdir -p "$clients"
if ! cmp -s "$here/package-lock.json" "$clients/package-lock.json" || [[ ! -d $clients/node_modules/mesos-framework ]]; then
  cp "$here"/package.json "$here"/package-lock.json "$clients"
  npm --prefix "$clients" ci --ignore-scripts --no-audit --no-fund --loglevel=error > "$work/npm.log" 2>&1 ||
    { not_ok "npm installs the client by its lock file" "$(cat "$work/npm.log")"; finish; }
fi

client() { # OUTPUT PART [ARGUMENT...]
  NODE_PATH=$clients/node_modules LOG_DIR=$work node --no-deprecation "$here/mesos_framework.js" "$(http_port)" nobody "${@:2}" > "$1" 2>&1
}
heard() { grep -q "$2" "$1"; }
word() { grep -m1 "$2" "$1" | cut -d' ' -f"$3"; } # OUTPUT PATTERN NUMBER: of the first line that matches

start_cluster --agents=2 --resources='cpus:2;mem:1024;disk:1024;ports:[31000-31010]'

client "$work/first" first &
first=$!
check "it subscribes" wait_until 20 heard "$work/first" '^SUBSCRIBED .'
check "and hears a heartbeat at once" wait_until 5 heard "$work/first" '^HEARTBEAT'
check "a task of it runs to its end" wait_until 30 heard "$work/first" 'third-party\.good.* TASK_FINISHED'
check "one that ends with 7 has failed, and no reason is invented" wait_until 30 heard "$work/first" 'third-party\.bad.* TASK_FAILED -'
check "the long one runs" wait_until 30 heard "$work/first" 'third-party\.long.* TASK_RUNNING'
check "a task is told to start before it runs" heard "$work/first" 'third-party\.long.* TASK_STARTING'
tasks_over_get() {
  curl -s "http://127.0.0.1:$(http_port)/tasks?limit=-1" | jq -e '[.tasks[] | select(.framework_id == "'"$id"'") | .state] | sort == ["TASK_FAILED", "TASK_FINISHED", "TASK_RUNNING"]'
}
id=$(word "$work/first" ^SUBSCRIBED 2)
check "and GET /tasks has all three" tasks_over_get

long=$(word "$work/first" 'third-party\.long.* TASK_RUNNING' 2)
agent=$(word "$work/first" 'third-party\.long.* TASK_RUNNING' 3)
before=$(identity long-1)
client "$work/second" second "$id" "$long" "$agent" &
second=$!
check "the scheduler that was replaced is told so" ends_with 3 wait_for "$first" 20
check "by an event" heard "$work/first" 'ERROR.*failed over'
check "the new one keeps the framework's id" wait_until 20 heard "$work/second" "^SUBSCRIBED $id"
check "and hears of the task that it asks for" wait_until 20 heard "$work/second" "$long.*TASK_RUNNING REASON_RECONCILIATION"
[[ -n $before ]] && ok "which ran on meanwhile ($before)" || not_ok "which ran on meanwhile"
check "its kill ends the task" wait_until 30 heard "$work/second" "$long.*TASK_KILLED"
check "and it tears the framework down" ends_with 0 wait_for "$second" 20
torn_down() { curl -s "http://127.0.0.1:$(http_port)/frameworks" | jq -e '[.completed_frameworks[].id] | index("'"$id"'")'; }
check "which the master then has among the completed" wait_until 10 torn_down
stoa down > "$work/down.log" 2>&1
check "nothing is left" nothing_left
finish
