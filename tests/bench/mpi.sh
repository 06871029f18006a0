# An MPI program under `stoa mpi` and under bare mpiexec.hydra, two ranks on one machine, by turns. Sourced by
# scripts/bench.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets

if ! is_root || ! has mpicc.mpich || ! has mpiexec.hydra; then
  echo "needs root, for containers, and MPICH (mpich, libmpich-dev)"
else
  job=$scratch/mpi
  mkdir -p "$job" && chmod 755 "$job"
  mpicc.mpich -O2 -o "$job/rank" "$source_dir/tests/integration/mpi/rank.c"
  start_cluster mpi --agents=1 --no-batch --resources='cpus:4;mem:4096' --agent-flag=--allowed_work_directories="$scratch"

  bare() { (cd "$job" && mpiexec.hydra -n 2 ./rank "$@" < /dev/null); }
  ours() { (cd "$job" && "$BUILD/bin/stoa" --dir="$(cluster_dir mpi)" mpi -n 2 ./rank "$@" < /dev/null); }

  # compared WHAT UNIT COMMAND…: medians of what the command prints under both, by turns.
  compared() {
    local what=$1 unit=$2 i
    shift 2
    : > "$scratch/bare" && : > "$scratch/ours"
    for ((i = 0; i < mpi_runs + 1; ++i)); do
      "$@" bare | if ((i)); then cat; else cat > /dev/null; fi >> "$scratch/bare" # the first finds cold caches
      "$@" ours | if ((i)); then cat; else cat > /dev/null; fi >> "$scratch/ours"
    done
    paste <(sort -n "$scratch/bare") <(sort -n "$scratch/ours") | awk -v what="$what" -v unit="$unit" '
      { bare[NR] = $1; ours[NR] = $2 }
      END {
        at = int((NR + 1) / 2)
        printf "%-36s %5d %11.2f %11.2f %9.2f %8.1f %%   %s\n", what, NR, bare[at], ours[at], ours[at] - bare[at],
          (ours[at] / bare[at] - 1) * 100, unit
      }'
  }
  # started HOW: milliseconds from typing to prompt of a job that says hello.
  started() {
    local start=$EPOCHREALTIME end
    "$1" hello > /dev/null
    end=$EPOCHREALTIME
    awk -v from="$start" -v to="$end" 'BEGIN { print (to - from) * 1000 }'
  }
  pinged() { "$1" pingpong "$bytes" 2000; }
  reduced() { "$1" allreduce "$bytes" 1000; }
  computed() { "$1" compute 20000000; }

  printf '%-36s %5s %11s %11s %9s %10s\n' 'MPI, 2 ranks, medians' runs mpiexec 'stoa mpi' more ''
  compared 'start to end of hello' ms started
  for bytes in 8 65536; do compared "ping-pong, $bytes bytes" 'µs a round trip' pinged; done
  for bytes in 8 4096; do compared "allreduce, $bytes doubles" 'µs' reduced; done
  compared 'compute' ms computed
  end_clusters
fi
