#!/bin/bash
# The commands of docs/api.md, as they stand there, one after the other.
source "$(dirname "$0")/lib.sh"

page=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/docs/api.md
start_cluster --agents=1 --resources='cpus:2;mem:1024;disk:1024'
{
  echo 'set -eu'
  awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$page" | sed "s/127\.0\.0\.1:5050/127.0.0.1:$(http_port)/"
} > "$work/session.sh"
mkdir "$work/session"
session() (
  cd "$work/session" && timeout 60 bash "$work/session.sh" > "$work/said" 2> "$work/errors" && return
  tail -n 5 "$work/said" "$work/errors" events
  return 1
)
check "docs/api.md's session runs to its end" session
said() { grep -qF -- "$1" "$work/said" || { echo "not said: $1"; cat "$work/said"; return 1; }; }
check "the offer is seen" said '"hostname"'
check "the task ran" said '"state": "TASK_RUNNING"'
check "every call was taken" ends_with 1 grep -qE '^(400|403|404|409|415|500|501|503)$' "$work/said"
check "nine calls with 202, one with 200" ends_with 0 test "$(grep -c '^202$' "$work/said")/$(grep -c '^200$' "$work/said")" = 9/1
check "the ended task is among the completed" said '"status_update_state": "TASK_KILLED"'
check "the operator's stream begins with the state" said '"type":"SUBSCRIBED"'
check "metrics for Prometheus" said '# HELP'
stoa down > "$work/down.log" 2>&1
check "nothing is left" nothing_left
finish
