# The simulator's own speed. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

"$BUILD/bin/stoa-sim" --agents="$sim_agents" --tasks="$sim_tasks" --faults=none --no_turn_checks --seed=1 \
  2>&1 > /dev/null | sed "s/^/$sim_agents agents, $sim_tasks tasks, no faults, seed 1: /"
start=$EPOCHREALTIME
result=$("$BUILD/bin/stoa-sim" --seeds="$sim_seeds" | tail -n 1)
end=$EPOCHREALTIME
awk -v a="$start" -v b="$end" -v seeds="$sim_seeds" -v result="$result" 'BEGIN {
  split(result, words, " ")
  printf "seeds %s with faults and all checks: %.0f a minute (%s)\n", seeds, (words[1] + words[3]) / (b - a) * 60, result }'
