# The batch queue alone, with many jobs in it. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

"$BUILD/bench/queue_bench" --jobs="$queue_jobs" --tasks="$queue_tasks"
