#!/bin/bash
# A cluster that other machines can reach, by credentials: hosts are network namespaces, and nobody is let in by whom the
# masters' and agents' files don't name.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/netns.sh"

set=$work/credentials
here=$work/job # below /tmp, so that agents let it be written
mkdir "$here" && chmod 777 "$here" && cd "$here" || exit 1

# ---- Before anything is reachable --------------------------------------------------------------------------------------

check "a set of files is made" says 0 "$set/operator.json" "$bin/stoa" credentials new "$set"
check "they are their owner's alone" test "$(stat -c %a "$set"/*.json | sort -u)" = 600
check "a set is not written over" says 1 "is there already" "$bin/stoa" credentials new "$set"

names_both_ways() { # PROGRAM
  says 2 "--credentials=FILE" timeout 10 "$bin/$1" --ip=0.0.0.0 --work_dir="$work/none" &&
    says 2 "--insecure" timeout 10 "$bin/$1" --ip=0.0.0.0 --work_dir="$work/none"
}
for program in stoa-master stoa-agent stoa-batch; do
  check "$program beyond loopback names both ways" names_both_ways $program
done

cp "$set/masters.json" "$work/open.json" && chmod 640 "$work/open.json"
check "a file that others may read is refused" says 2 "chmod 600 $work/open.json" \
  "$bin/stoa-master" --credentials="$work/open.json" --work_dir="$work/none"
check "a client's file is no master's" says 2 "a client's file" \
  "$bin/stoa-master" --credentials="$set/operator.json" --work_dir="$work/none"

# ---- Who is known ------------------------------------------------------------------------------------------------------

master_security=(--credentials="$set/masters.json")
agent_security=(--credentials="$set/agents.json")
export STOA_CREDENTIAL=$set/operator.json
start_hosts 2 --resources='cpus:4;mem:4096'
ok "agents register with their credential over two hosts' addresses"

without() { (unset STOA_CREDENTIAL && "$@"); }
as() { (export STOA_CREDENTIAL=$set/$1.json && "${@:2}"); }
secret_of() { "$bin/stoa" credentials show "$set/$1.json"; }
status_of() { on_hub curl -s -o "$work/answer" -w '%{http_code}' "$@"; }
master=http://$master_at
agent=http://$(host_address 1):5051

check "an operator runs a command and hears it" test "$(stoa run -- echo hello)" = hello
check "so does a framework's principal" test "$(as framework stoa run -- echo hello)" = hello
check "who has none is told so" says 1 "--credential=FILE" without stoa agents
check "and can't run anything" says 125 "--credential=FILE" without stoa run -- true
check "an option says it, too" says 0 "$(host_address 1):5051" without stoa --credential="$STOA_CREDENTIAL" agents
check "a file that isn't there is named" says 2 "$work/missing.json" without stoa --credential="$work/missing.json" agents
check "an agent's credential looks at nothing" says 1 "of another kind" as agents stoa agents

# ---- HTTP --------------------------------------------------------------------------------------------------------------

check "curl without a credential gets 401" test "$(status_of $master/state)" = 401
check "and is asked for one" grep -qi '^WWW-Authenticate: Basic realm="stoa"' \
  <(on_hub curl -sI $master/)
check "curl -u works" test "$(status_of -u "$(secret_of operator)" $master/state)" = 200
check "a wrong secret doesn't" test "$(status_of -u "operator:$(secret_of framework | cut -d: -f2-)" $master/state)" = 401
check "health is anybody's to ask" test "$(status_of $master/health)" = 200
check "the page is served with a credential only" test "$(status_of $master/)" = 401 -a \
  "$(status_of -u "$(secret_of operator)" $master/)" = 200
check "it is the page" grep -q '<title>Stoa</title>' "$work/answer"
check "and its stream" grep -q agent <(on_hub timeout 3 curl -sN -u "$(secret_of operator)" $master/api/stoa/events)
check "not without" test "$(status_of $master/api/stoa/events)" = 401
teardown=(-X POST -d frameworkId=none $master/teardown)
check "a framework can't end another one" test "$(status_of -u "$(secret_of framework)" "${teardown[@]}")" = 403
check "an operator could" test "$(status_of -u "$(secret_of operator)" "${teardown[@]}")" != 403
check "nor can another site's page in his browser" test \
  "$(status_of -u "$(secret_of operator)" -H 'Origin: http://elsewhere' "${teardown[@]}")" = 403
check "an agent's door asks, too" test "$(status_of $agent/state)" = 401
check "and lets in" test "$(status_of -u "$(secret_of operator)" $agent/state)" = 200

subscribe() { # PRINCIPAL-IN-THE-INFO CREDENTIAL
  on_hub timeout 3 curl -sN -w '%{http_code}' -u "$(secret_of "$2")" -H 'Content-Type: application/json' $master/api/v1/scheduler \
    -d '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"nobody","name":"by-http","principal":"'"$1"'"}}}'
}
check "a scheduler may name its own principal" says 124 SUBSCRIBED subscribe framework framework
check "and no other" says 0 400 subscribe operator framework
check "an agent's credential subscribes nothing" says 0 403 subscribe agent agents
principal_is_kept() {
  on_hub curl -s -u "$(secret_of operator)" $master/frameworks |
    jq -e '[.. | objects | select(.name? == "by-http") | .principal] | unique == ["framework"]'
}
check "its principal is kept" principal_is_kept

# ---- Batch: submit, logs, inputs from agent to agent ---------------------------------------------------------------------

on_hub "$bin/stoa-batch" --master="$hub_address:5052" --ip="$hub_address" --credentials="$set/batch.json" \
  --work_dir="$dir/batch" > "$dir/log/batch" 2>&1 &
batch_is_there() { stoa jobs; }
check "the batch framework registers with its credential" wait_until 20 batch_is_there
check "a job is submitted and waited for" stoa submit --wait -- echo out
check "its output is read at the agent" test "$(stoa logs 1)" = out
echo content > file
inputs_travel() {
  stoa submit --wait --sandbox --array=0-3 --input=file --input=before=job:1/0/stdout -- \
    sh -c 'test "$(cat file before)" = "content
out"' || { stoa job 2; stoa logs --stderr 2; return 1; }
}
check "inputs travel from agent to agent" inputs_travel
through_the_master() {
  local job
  job=$(stoa --json job 1) || return
  echo "$job"
  read -r framework task agent_id < <(jq -r '"\(.framework_id) \(.job.tasks[0].task_id) \(.job.tasks[0].agent_id)"' <<< "$job")
  output=$master/api/stoa/sandbox/$agent_id/$framework/${task//\//%2F}/stdout
  [[ $(on_hub curl -s -u "$(secret_of operator)" "$output") == out && $(status_of "$output") == 401 ]]
}
check "the page's way to the output works, with a credential only" through_the_master
jobs_of_batch() {
  local url
  url=$(on_hub curl -s -u "$(secret_of operator)" $master/frameworks | jq -r '.frameworks[] | select(.name == "batch") | .webui_url')
  [[ $(status_of "$url/api/stoa/jobs") == 401 && $(status_of -u "$(secret_of operator)" "$url/api/stoa/jobs") == 200 ]]
}
check "the queue's own port asks, too" jobs_of_batch

# Whoever may be a framework may say that it is a queue; operators' secrets are not for it.
listener='
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers.get("Authorization"), flush=True)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("'$hub_address'", 7777), Handler).serve_forever()'
on_hub python3 -c "$listener" > "$work/listened" 2> /dev/null &
false_queue() {
  local id
  wait_until 20 on_hub curl -s http://$hub_address:7777/ || return
  on_hub curl -sN -u "$(secret_of framework)" -H 'Content-Type: application/json' $master/api/v1/scheduler -d '
    {"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"nobody","name":"false","webui_url":"http://'$hub_address':7777",
     "labels":{"labels":[{"key":"'"$1"'","value":"/none"}]}}}}' > /dev/null &
  registered() {
    id=$(on_hub curl -s -u "$(secret_of operator)" $master/frameworks |
      jq -re '.frameworks[] | select(.name == "false") | .id')
  }
  wait_until 10 registered && registered || return
  status_of -u "$(secret_of operator)" "$master/api/stoa/batch/$id/events" && stoa jobs
  cat "$work/listened"
  kill %% && grep -q '^/api/stoa/jobs/events None$' "$work/listened" && ! grep -q Basic "$work/listened"
}
label=$(on_hub curl -s -u "$(secret_of operator)" $master/frameworks |
  jq -r '.frameworks[] | select(.name == "batch") | .labels[0].key')
check "a false queue is told no secret" false_queue "$label"

# ---- Who is not let in ---------------------------------------------------------------------------------------------------

stranger=$work/stranger
"$bin/stoa" credentials new "$stranger" > /dev/null
combine() { jq -s "$1" "${@:2}" > "$work/combined.json" && chmod 600 "$work/combined.json"; }
start_agent() { # OPTION...
  on_host 2 timeout 20 "$bin/stoa-agent" --master="$hub_address:5052" --port=0 --work_dir="$work/agent" "$@"
}
combine '.[0] + {admitted: .[1].admitted}' "$set/framework.json" "$set/agents.json"
check "an agent with a framework's credential is refused" says 1 'of "framework" is not one of an agent' \
  start_agent --credentials="$work/combined.json"
check "a framework with an agent's is refused" says 1 'of "agent" is not one of a framework' on_hub timeout 20 \
  "$bin/stoa-batch" --master="$hub_address:5052" --credentials="$set/agents.json" --work_dir="$work/b"
combine '.[0] + {server: .[1].server}' "$stranger/agents.json" "$set/agents.json"
check "an unknown key is refused in clear words" says 1 "doesn't admit \"agent\"" \
  start_agent --credentials="$work/combined.json"
check "a master of another key isn't believed" says 1 "can't prove" start_agent --credentials="$stranger/agents.json"
check "an agent without any is told so" says 1 "admits only whom it knows" start_agent
check "only the two agents have registered" test "$(stoa --json agents | jq '.slaves | length')" = 2

# ---- One more -----------------------------------------------------------------------------------------------------------

check "one more principal is taken in" says 0 "$set/alice.json" "$bin/stoa" credentials add "$set" alice --may=framework
check "it isn't known before a restart" says 1 "nobody's whom this door admits" as alice stoa agents
daemons() { pgrep -f -- "--work_dir=$dir/(master|agent-)"; }
kill -TERM $(daemons)
check "masters and agents stop" wait_until 15 eval '! daemons'
start_daemons --resources='cpus:4;mem:4096'
alices_agents() { [[ $(as alice stoa --json agents | jq '[.slaves[] | select(.active)] | length') == 2 ]]; }
check "after one it is" wait_until 30 alices_agents
check "and it runs something" test "$(as alice stoa run -- echo hello)" = hello
finish
