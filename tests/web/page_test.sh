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

# The driver of the browser, by the lock file; kept for the next run.
npm_dir=$build/web/npm
if ! cmp -s "$tests/package-lock.json" "$npm_dir/package-lock.json"; then
  mkdir -p "$npm_dir" && cp "$tests"/package*.json "$npm_dir" &&
    npm --prefix "$npm_dir" ci --ignore-scripts --no-audit --no-fund --loglevel=error > "$work/npm.log" 2>&1 || {
    rm -f "$npm_dir/package-lock.json"
    not_ok "the browser's driver is fetched" "$(cat "$work/npm.log")"
    finish
  }
fi

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
finish
