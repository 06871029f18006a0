# Frameworks that decline everything: the master's processor time an offer. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

master=
trap 'kill "$master" 2>/dev/null; wait "$master" || :' EXIT
start_master decline
timeout $((seconds + 60)) "$BUILD/bench/decline_bench" --pid="$master" --http="$http_port" --wire="$wire_port" \
  --frameworks="$decliners" --agents="$decliners" --seconds="$seconds"
