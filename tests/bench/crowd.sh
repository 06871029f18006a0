# A master of its own with the cluster of crowd_bench around it. Sourced by pieces that look at it meanwhile; not a piece.
# shellcheck shell=bash disable=SC2154,SC2034 # scripts/bench sets; pieces read

# Each in a session of its own, as daemons are: where the kernel divides the processor between sessions
# (sched_autogroup), a master's share must not shrink with the number of its readers.
set +m

master=''
others=() # processes besides it
exec {crowd_in}> /dev/null {crowd_out}< /dev/null

# start_crowd AGENTS TASKS: sets master, http_port, and the pipes that tell() uses.
start_crowd() {
  trap stop_crowd EXIT
  start_master crowd setsid
  mkfifo "$scratch/crowd/in" "$scratch/crowd/out"
  setsid "$BUILD/bench/crowd_bench" --master="127.0.0.1:$wire_port" --agents="$1" --tasks="$2" \
    < "$scratch/crowd/in" > "$scratch/crowd/out" &
  others+=($!)
  exec {crowd_in}> "$scratch/crowd/in" {crowd_out}< "$scratch/crowd/out"
  [[ $(hear "$crowd_out") == ready ]]
}

stop_crowd() {
  if [[ $master ]]; then kill "${others[@]}" "$master" 2> /dev/null || :; fi
  wait || :
  master='' others=()
  exec {crowd_in}>&- {crowd_out}<&-
  rm -rf "$scratch/crowd"
}

# hear DESCRIPTOR: a line of it; fails when its writer ends.
hear() {
  local line
  read -r -t 600 line <&"$1" && echo "$line"
}

# tell WORDS…: to crowd_bench; prints its answer.
tell() {
  echo "$*" >&"$crowd_in"
  hear "$crowd_out"
}
