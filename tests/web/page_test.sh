#!/bin/bash
# The operator's page in a real browser, against a real cluster with three masters. Screenshots are left in
# build/screenshots for a person to look at.
source "$(dirname "$0")/../integration/lib.sh"

build=$(dirname "$bin")
tests=$(cd "$(dirname "$0")" && pwd)
browser=$(command -v chromium || command -v chromium-browser) || {
  not_ok "a browser is here" "apt install chromium"
  finish
}

# shellcheck source=tests/web/driver.sh
source "$tests/driver.sh"
npm_dir=$build/web/npm
fetch_driver "$npm_dir" "$work/npm.log" || { not_ok "the browser's driver is fetched" "$(cat "$work/npm.log")"; finish; }

start_cluster --agents=2 --masters=3
mkdir -p "$build/screenshots"
# The test drives the cluster too: it starts tasks, and kills the leader.
NODE_PATH=$npm_dir/node_modules node "$tests/page_test.cjs" \
  --browser="$browser" --profile="$work/profile" --stoa="$bin/stoa" --dir="$dir" --screenshots="$build/screenshots" \
  > "$work/page.log" 2>&1
status=$?
number=$(grep -Ec '^(not )?ok ' "$work/page.log")
failures=$(grep -c '^not ok ' "$work/page.log")
cat "$work/page.log"
((status == 0 || failures > 0)) || not_ok "the browser's test ends well" "it ended with $status"

# A cluster that asks who one is.
set=$work/credentials http=$(free_port) wire=$(free_port)
"$bin/stoa" credentials new "$set" > /dev/null
export STOA_CREDENTIAL=$set/operator.json
"$bin/stoa-master" --port="$http" --zmq_port="$wire" --credentials="$set/masters.json" --work_dir="$work/secured/master" \
  > "$work/secured.log" 2>&1 &
"$bin/stoa-agent" --master="127.0.0.1:$wire" --port=0 --credentials="$set/agents.json" --work_dir="$work/secured/agent" \
  >> "$work/secured.log" 2>&1 &
an_agent_is_there() { "$bin/stoa" --master="127.0.0.1:$http" --json agents | jq -e '.slaves | length == 1'; }
check "a cluster with credentials starts" wait_until 30 an_agent_is_there || cat "$work/secured.log"
NODE_PATH=$npm_dir/node_modules node "$tests/credentials_test.cjs" --number="$number" --browser="$browser" \
  --profile="$work/stranger" --stoa="$bin/stoa" --master="http://127.0.0.1:$http" \
  --user="$("$bin/stoa" credentials show "$STOA_CREDENTIAL")" > "$work/credentials.log" 2>&1
status=$?
cat "$work/credentials.log"
number=$((number + $(grep -Ec '^(not )?ok ' "$work/credentials.log")))
found=$(grep -c '^not ok ' "$work/credentials.log")
failures=$((failures + found))
((status == 0 || found > 0)) || not_ok "the browser's second test ends well" "it ended with $status"
finish
