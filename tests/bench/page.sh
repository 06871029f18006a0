# The operator's page in a browser, over a large cluster whose tasks end and start. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets

browser=$(command -v chromium || command -v chromium-browser) || { echo "chromium is not installed"; exit 1; }
if ! has npm || ! has node; then echo "npm is not installed"; exit 1; fi
[[ -d $BUILD/page ]] || { echo "built without the page"; exit 1; }

# The driver of the browser, by the lock file of the page's test, which keeps it in the same place.
driver=$BUILD/web/npm
if ! cmp -s "$source_dir/tests/web/package-lock.json" "$driver/package-lock.json"; then
  mkdir -p "$driver" && cp "$source_dir"/tests/web/package*.json "$driver"
  npm --prefix "$driver" ci --ignore-scripts --no-audit --no-fund --loglevel=error > "$scratch/npm.log" 2>&1 || {
    rm -f "$driver/package-lock.json"
    cat "$scratch/npm.log"
    exit 1
  }
fi

# shellcheck source=tests/bench/crowd.sh
source "$source_dir/tests/bench/crowd.sh"
start_crowd "$crowd_agents" "$crowd_tasks"
[[ $(tell changes "$page_changes") == changing ]]
echo "$crowd_agents agents, $crowd_tasks running tasks, $page_changes of which end in a second and are replaced"
NODE_PATH=$driver/node_modules timeout 300 node "$source_dir/tests/bench/page_bench.cjs" --browser="$browser" \
  --profile="$scratch/crowd/profile" --url="http://127.0.0.1:$http_port"
