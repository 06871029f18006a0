# Sourced by what drives a browser: fetches its driver, by the lock file beside this, and keeps it for the next run.
# shellcheck shell=bash

# fetch_driver DIRECTORY LOG
fetch_driver() {
  local here
  here=$(dirname "${BASH_SOURCE[0]}")
  cmp -s "$here/package-lock.json" "$1/package-lock.json" && return
  mkdir -p "$1" && cp "$here"/package*.json "$1" &&
    npm --prefix "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error > "$2" 2>&1 && return
  rm -f "$1/package-lock.json"
  return 1
}
