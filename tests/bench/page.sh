# The operator's page in a browser, over a large cluster whose tasks end and start. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets

browser=$(command -v chromium || command -v chromium-browser) || { echo "chromium is not installed"; exit 1; }
if ! has npm || ! has node; then echo "npm is not installed"; exit 1; fi
[[ -d $BUILD/page ]] || { echo "built without the page"; exit 1; }

# The same place as the page's test.
# shellcheck source=tests/web/driver.sh
source "$source_dir/tests/web/driver.sh"
driver=$BUILD/web/npm
fetch_driver "$driver" "$scratch/npm.log" || { cat "$scratch/npm.log"; exit 1; }

# shellcheck source=tests/bench/crowd.sh
source "$source_dir/tests/bench/crowd.sh"
start_crowd "$crowd_agents" "$crowd_tasks"
[[ $(tell changes "$page_changes") == changing ]]
echo "$crowd_agents agents, $crowd_tasks running tasks, $page_changes of which end in a second and are replaced"
NODE_PATH=$driver/node_modules timeout 300 node "$source_dir/tests/bench/page_bench.cjs" --browser="$browser" \
  --profile="$scratch/crowd/profile" --url="http://127.0.0.1:$http_port"
