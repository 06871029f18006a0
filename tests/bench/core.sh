# The master's core alone, and its memory. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

"$BUILD/bench/core_bench" --agents="$core_agents" --tasks="$core_tasks"
