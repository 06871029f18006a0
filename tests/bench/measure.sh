# Sourced by scripts/bench: clusters that are taken down whatever happens, processor time of all processes of a
# measurement together, and rows of the table.
# shellcheck shell=bash disable=SC2154,SC2034 # scripts/bench sets and reads

# ---- Processor time -----------------------------------------------------------------------------------------------

# With cgroup v1, everything a measurement starts is in one cgroup, whose counter holds those that have ended, too, to
# the nanosecond. Elsewhere the times of the processes that are there are added with those of the children that they
# waited for, which is all of a cluster's: on v2 systemd moves the shims to scopes of their own, out of any cgroup of ours.
begin_measuring() {
  scratch=$(mktemp -d "$dir/stoa-bench.XXXXXX")
  chmod 755 "$scratch"
  : > "$scratch/clusters"
  cpu_group=
  cpu_source="by /proc/PID/stat, with children waited for"
  local candidate
  for candidate in /sys/fs/cgroup/cpuacct /sys/fs/cgroup/cpu,cpuacct; do
    if [[ -e $candidate/cpuacct.usage ]] && mkdir "$candidate/stoa-bench-$$" 2>/dev/null; then
      cpu_group=$candidate/stoa-bench-$$
      cpu_source="by a cgroup (v1 cpuacct)"
      break
    fi
  done
}

# Of the piece's own shell, too, by its number in `me`.
cpu_micros() {
  if [[ $cpu_group ]]; then
    local nanos
    nanos=$(< "$cpu_group/cpuacct.usage")
    echo $((nanos / 1000))
  else
    local pids
    mapfile -t pids < <(cluster_pids; echo "$me")
    pids=("${pids[@]/#//proc/}")
    cat "${pids[@]/%//stat}" 2>/dev/null | awk -v hz="$(getconf CLK_TCK)" '
      { sub(/.*\) /, ""); t += $12 + $13 + $14 + $15 }
      END { printf "%.0f", t / hz * 1e6 }'
  fi
}

# Runs a command in the measured cgroup.
counted() {
  if [[ $cpu_group ]]; then
    ( echo "$BASHPID" > "$cpu_group/cgroup.procs" && exec "$@" )
  else
    "$@"
  fi
}

# ---- Clusters -----------------------------------------------------------------------------------------------------

cluster_dir() { echo "$scratch/$1"; }

# start_cluster NAME ARGUMENTS-OF-UP…: waits until all are registered.
start_cluster() {
  local name=$1
  shift
  mkdir -p "$scratch/$name"
  chmod 755 "$scratch/$name"
  echo "$name" >> "$scratch/clusters"
  counted "$BUILD/bin/stoa" --dir="$scratch/$name" up --detach --agent-flag=--gc_delay=1h "$@" > "$scratch/up.out" 2>&1 ||
    { cat "$scratch/up.out" >&2; return 1; }
}

# wait_until SECONDS COMMAND…
wait_until() {
  local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
  until "${@:2}" > /dev/null 2>&1; do
    ((${EPOCHREALTIME/./} < deadline)) || { echo "not within $1 s: ${*:2}" >&2; return 1; }
    sleep 0.05
  done
}

# start_master NAME [COMMAND…]: one without a cluster, executed by that command if there is any. Sets master, its pid,
# http_port and wire_port; who calls it ends it.
start_master() {
  local place=$scratch/$1
  mkdir -p "$place"
  "${@:2}" "$BUILD/bin/stoa-master" --port=0 --zmq_port=0 --port_file="$place/ports" --work_dir="$place/master" \
    > "$place/log" 2>&1 &
  master=$!
  wait_until 10 test -s "$place/ports" || { cat "$place/log" >&2; return 1; }
  { read -r http_port; read -r wire_port; } < "$place/ports"
}

# Of daemons and shims of all clusters here: the directory stands in their command lines.
cluster_pids() { pgrep -f "^$BUILD/bin/stoa-.*$scratch/" || :; }

# Their directories stay until the end: where many files were removed a moment ago, ext4 makes new ones more slowly.
end_clusters() {
  local name pid
  while read -r name; do
    [[ -e $scratch/$name/cluster.json ]] || continue
    timeout 60 "$BUILD/bin/stoa" --dir="$scratch/$name" down > /dev/null 2>&1 || :
  done < "$scratch/clusters"
  for pid in $(cluster_pids); do kill "$pid" 2>/dev/null || :; done
  local i
  for ((i = 0; i < 100; ++i)); do
    [[ $(cluster_pids) ]] || break
    sleep 0.05
  done
  for pid in $(cluster_pids); do kill -9 "$pid" 2>/dev/null || :; done
  : > "$scratch/clusters"
}

end_measuring() {
  end_clusters
  rm -rf "$scratch"
  # Children first; what ended a moment ago may keep its cgroup for another. An OCI runtime makes its own in every tree.
  local i tree
  for ((i = 0; i < 40; ++i)); do
    for tree in /sys/fs/cgroup/*/"stoa-bench-$$" /sys/fs/cgroup/"stoa-bench-$$"; do
      if [[ -d $tree ]]; then find "$tree" -depth -type d -exec rmdir {} + 2>/dev/null || :; fi
    done
    compgen -G "/sys/fs/cgroup/*/stoa-bench-$$" > /dev/null || break
    sleep 0.05
  done
}

# ---- Figures ------------------------------------------------------------------------------------------------------

has() { command -v "$1" > /dev/null; }

is_root() { [[ $(id -u) == 0 ]]; }

# rate ROW COUNT SECONDS MICROS NOTE: a row of the batch table.
rate() {
  awk -v what="$1" -v n="$2" -v s="$3" -v us="$4" -v note="${5:-}" \
    'BEGIN { printf "%-40s %6d %8.2f %9.0f %11.2f   %s\n", what, n, s, n / s, us / 1000 / n, note }'
}
rate_heading() { printf '%-40s %6s %8s %9s %11s\n' "$1" tasks seconds tasks/s 'ms CPU/task'; }

# measured ROW COUNT COMMAND…: wall and processor time of a command that does all of COUNT.
measured() {
  local what=$1 count=$2 cpu start end
  shift 2
  cpu=$(cpu_micros)
  start=$EPOCHREALTIME
  counted "$@" > /dev/null
  end=$EPOCHREALTIME
  rate "$what" "$count" "$(awk -v a="$start" -v b="$end" 'BEGIN { print b - a }')" $(($(cpu_micros) - cpu))
}

# percentiles WHAT: of numbers on standard input, one a line.
percentiles() {
  sort -n | awk -v what="$1" '
    { v[NR] = $1 }
    function p(q,   i) { i = int(NR * q + 0.999999); return v[i < 1 ? 1 : i] }
    END { if (NR) printf "%-40s %6d %8.1f %8.1f %8.1f\n", what, NR, p(0.5), p(0.9), p(0.99) }'
}
