# What readers of the whole state cost a cluster that works: a task's round trip beside programs that GET /state again and
# again and parse it, and without them. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets

# shellcheck source=tests/bench/crowd.sh
source "$source_dir/tests/bench/crowd.sh"

# trips ROW NOTE
trips() {
  local word count p50 p90 p99 worst
  read -r word count p50 p90 p99 worst <<< "$(tell trips "$reader_seconds")"
  [[ $word == trips ]]
  printf '%-40s %7d %8.2f %8.2f %8.2f %8.2f\n' "$1" "$count" "$p50" "$p90" "$p99" "$worst"
}

for size in "$crowd_agents $crowd_tasks" '100 1200'; do
  read -r crowd_a crowd_t <<< "$size"
  start_crowd "$crowd_a" "$crowd_t"
  [[ $(tell changes "$reader_changes") == changing ]]
  echo "$crowd_a agents, $crowd_t running tasks, $reader_changes of which end in a second and are replaced"
  printf '%-40s %7s %8s %8s %8s %8s\n' "a task's round trip, milliseconds" tasks p50 p90 p99 worst
  trips 'nobody reads'
  mkfifo "$scratch/crowd/readers-in" "$scratch/crowd/readers-out"
  setsid "$BUILD/bench/readers_bench" --url="http://127.0.0.1:$http_port/state" --readers="$readers" \
    < "$scratch/crowd/readers-in" > "$scratch/crowd/readers-out" &
  readers_pid=$!
  others+=("$readers_pid")
  exec {readers_in}> "$scratch/crowd/readers-in" {readers_out}< "$scratch/crowd/readers-out"
  [[ $(hear "$readers_out") == reading ]]
  echo >&"$readers_in"
  hear "$readers_out" > /dev/null # what was read until now
  trips "$readers read /state and parse it"
  echo >&"$readers_in"
  read -r word states bytes tasks p50 worst <<< "$(hear "$readers_out")"
  [[ $word == read ]]
  echo "  meanwhile they read $states states: $bytes bytes, $tasks tasks;" \
    "from asking to having parsed p50 $p50 ms, worst $worst ms"
  echo "  the master's memory: $(awk '/^VmHWM/ { printf "%.0f MB at most", $2 / 1024 }' "/proc/$master/status")"
  kill "$readers_pid"
  wait "$readers_pid" 2> /dev/null || :
  exec {readers_in}>&- {readers_out}<&-
  trips 'nobody reads, again'
  stop_crowd
done
