# The allocator alone. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

"$BUILD/bench/allocator_bench" --agents="$agents" --frameworks="$frameworks"
