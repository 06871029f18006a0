# What a running task costs the host beyond itself: growth of the agent's, the shim's and the containers' pid 1 memory,
# and of master and batch, with tasks that sleep. Proportional set sizes; the kernel's own memory is not in them.
# Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

# pss_of NAME: kilobytes of this bench's processes of that program, with those of its descendants that run it.
pss_of() {
  local pid total=0 kilobytes
  for pid in $(cluster_tree); do
    [[ $(< "/proc/$pid/comm") == "$1" ]] 2>/dev/null || continue
    kilobytes=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null) || continue
    total=$((total + ${kilobytes:-0}))
  done
  echo "$total"
}

# The clusters' processes and all below them.
cluster_tree() {
  { cluster_pids | sed 's/^/root /'; ps -eo pid=,ppid=; } | awk '
    $1 == "root" { in_tree[$2] = 1; next }
    { parent[$1] = $2 }
    END {
      for (pid in parent) {
        for (p = pid; p > 1 && !(p in in_tree); p = parent[p]) { }
        if (p > 1) print pid
      }
    }'
}

running() { "$BUILD/bin/stoa" --dir="$1" --json jobs "$2" | jq '.job.tasks_in.running // 0'; }

for launcher in ${launchers//,/ }; do
  if [[ $launcher == oci ]] && ! is_root; then
    echo "containers need root"
    continue
  fi
  cluster=$(cluster_dir "memory-$launcher")
  start_cluster "memory-$launcher" --agents=1 --launcher="$launcher" \
    --resources="cpus:$((sleepers + 8));mem:1000000;disk:10000"
  # One job before, so that what is allocated once is there.
  job=$("$BUILD/bin/stoa" --dir="$cluster" submit --array=8 --mem=16 -- true)
  timeout 60 "$BUILD/bin/stoa" --dir="$cluster" wait --quiet "$job"
  declare -A before=()
  for program in stoa-agent stoa-shim stoa-master stoa-batch; do before[$program]=$(pss_of "$program"); done
  job=$("$BUILD/bin/stoa" --dir="$cluster" submit --array="$sleepers" --mem=16 -- sleep 3600)
  there=0
  for ((i = 0; i < 600; ++i)); do
    there=$(running "$cluster" "$job")
    ((there >= sleepers)) && break
    sleep 0.2
  done
  ((there >= sleepers)) || { echo "only $there of $sleepers tasks run" >&2; exit 1; }
  printf '%-16s %d tasks, kilobytes a task:' "$launcher" "$sleepers"
  for program in stoa-agent stoa-shim stoa-master stoa-batch; do
    awk -v name="$program" -v kb=$(($(pss_of "$program") - before[$program])) -v n="$sleepers" \
      'BEGIN { printf "  %s %.1f", name, kb / n }'
  done
  echo
  "$BUILD/bin/stoa" --dir="$cluster" kill "$job" > /dev/null
  timeout 120 "$BUILD/bin/stoa" --dir="$cluster" wait --quiet "$job" || :
  end_clusters
done
