# Debian's Slurm beside us: an array, single submissions, one job at once, and MPI. Slurm is set up by hand in a
# directory of its own (key, sockets, ports), tuned to schedule at once, with processors that are not there; nothing of
# it is left. Sourced by scripts/bench; `make bench-slurm` installs it.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets

is_root || { echo "needs root"; exit 1; }
for program in munged slurmctld slurmd sbatch srun scontrol; do
  [[ -x /usr/sbin/$program || -x /usr/bin/$program ]] ||
    { echo "$program is not installed: make bench-slurm installs it"; exit 1; }
done
command -v jq > /dev/null || { echo "jq is not installed"; exit 1; }

# ---- Slurm

slurm=$scratch/slurm
daemons=()
free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); ss -Htan "sport = :$port" | grep -q .; do :; done
  echo "$port"
}
# shellcheck disable=SC2317 # a trap calls it, too
stop_slurm() {
  if ((${#daemons[@]})); then kill "${daemons[@]}" 2> /dev/null || :; fi
  wait || :
  daemons=()
  rm -rf "$slurm"
}
trap stop_slurm EXIT

# One process, whose end ends it: counted() in the background would be two.
daemon() {
  (
    if [[ $cpu_group ]]; then echo "$BASHPID" > "$cpu_group/cgroup.procs"; fi
    exec "$@"
  ) > "$slurm/$1.out" 2>&1 &
  daemons+=($!)
}

# start_slurm SLOTS
start_slurm() {
  local name=bench
  mkdir -p "$slurm"/{state,spool} && chmod 755 "$slurm"
  head -c 1024 /dev/urandom > "$slurm/munge.key" && chmod 400 "$slurm/munge.key"
  cat > "$slurm/slurm.conf" <<END
ClusterName=bench
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm/munge.socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd.pid
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1,default_queue_depth=10000,partition_job_depth=10000
SlurmdParameters=config_overrides
MaxArraySize=20001
MaxJobCount=30000
MinJobAge=3600
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=$name NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$1 State=UNKNOWN
PartitionName=all Nodes=$name Default=YES MaxTime=INFINITE State=UP
END
  export SLURM_CONF=$slurm/slurm.conf
  daemon munged --foreground --force --key-file="$slurm/munge.key" --socket="$slurm/munge.socket" \
    --pid-file="$slurm/munged.pid" --log-file="$slurm/munged.log" --seed-file="$slurm/munged.seed"
  wait_until 10 test -S "$slurm/munge.socket"
  daemon slurmctld -D -c -f "$SLURM_CONF"
  daemon slurmd -D -N "$name" -f "$SLURM_CONF"
  wait_until 30 slurm_idle || { tail -n 20 "$slurm"/*.log "$slurm"/*.out >&2; return 1; }
}
slurm_idle() { [[ $(sinfo_slurm -h -o %T) == idle ]]; }
# By their paths: `sbatch` and `sinfo` may be ours, too.
sinfo_slurm() { /usr/bin/sinfo "$@"; }
slurm_done() { [[ -z $(/usr/bin/squeue -h -t pending,running,completing) ]]; }

# ---- Both

# waited NAME FILE-OF-SECONDS COUNT SECONDS CPU: a row; of the seconds from submission to end p50 and p99.
waited() {
  sort -n "$2" | awk -v what="$1" -v n="$3" -v s="$4" -v us="$5" '
    { v[NR] = $1 }
    function p(q,   i) { i = int(NR * q + 0.999999); return v[i < 1 ? 1 : i] }
    END {
      if (NR != n) { printf "%s: %d of %d ended\n", what, NR, n; exit 1 }
      printf "%-40s %6d %8.2f %9.0f %11.2f %9.2f %9.2f\n", what, n, s, n / s, us / 1000 / n, p(0.5), p(0.99)
    }'
}
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'; }

# Submissions, one after the other: "NUMBER SECONDS" a line, with when each was begun.
submit_each() { # COUNT COMMAND…
  local i at number
  for ((i = 0; i < $1; ++i)); do
    at=$EPOCHREALTIME
    number=$("${@:2}")
    echo "${number//[^0-9]/} $at"
  done
}

# Slurm keeps the ends to the second.
slurm_ends() { # > "NUMBER SECONDS" of each job or array task
  /usr/bin/scontrol show job -o | sed -n 's/^JobId=\([0-9]*\) .* EndTime=\([^ ]*\) .*/\1 \2/p' | awk '{
    split($2, t, /[-T:]/)
    print $1, mktime(t[1] " " t[2] " " t[3] " " t[4] " " t[5] " " t[6])
  }'
}
our_ends() { # CLUSTER > "JOB SECONDS" of each task
  curl -s "http://127.0.0.1:$(jq .http_port "$(cluster_dir "$1")/cluster.json")/tasks?limit=-1" |
    jq -r '.tasks[] | select(.state == "TASK_FINISHED") | "\(.id | split(".")[0]) \(.statuses[-1].timestamp)"'
}

slurm_array() {
  local start cpu took
  cpu=$(cpu_micros) start=$EPOCHREALTIME
  counted /usr/bin/sbatch --parsable --array="0-$((tasks - 1))" -o /dev/null "$scratch/true.sh" > /dev/null
  wait_until 300 slurm_done
  took=$(since "$start") cpu=$(($(cpu_micros) - cpu))
  slurm_ends | awk -v start="$start" '{ print $2 - start }' > "$scratch/waits"
  waited "Slurm, $1 slots: array" "$scratch/waits" "$tasks" "$took" "$cpu"
}
slurm_singles() {
  local start cpu took
  cpu=$(cpu_micros) start=$EPOCHREALTIME
  counted_lines submit_each "$tasks" /usr/bin/sbatch --parsable -o /dev/null "$scratch/true.sh" > "$scratch/begun"
  took=$(since "$start")
  wait_until 300 slurm_done
  echo "  $(awk -v n="$tasks" -v s="$took" 'BEGIN { printf "%.0f", n / s }') submissions/s accepted"
  took=$(since "$start") cpu=$(($(cpu_micros) - cpu))
  slurm_ends > "$scratch/ends"
  join_waits
  waited "Slurm, $1 slots: submissions" "$scratch/waits" "$tasks" "$took" "$cpu"
}
our_array() {
  local start cpu took
  cpu=$(cpu_micros) start=$EPOCHREALTIME
  took=$(counted "$BUILD/bench/batch_bench" --dir="$(cluster_dir "$2")" --tasks="$tasks" -- /bin/true)
  cpu=$(($(cpu_micros) - cpu))
  our_ends "$2" | awk -v start="$start" '{ print $2 - start }' > "$scratch/waits"
  waited "stoa, $1 slots: array" "$scratch/waits" "$tasks" "$took" "$cpu"
}
our_singles() {
  local start cpu took
  cpu=$(cpu_micros) start=$EPOCHREALTIME
  counted_lines submit_each "$tasks" \
    "$BUILD/bin/stoa" --dir="$(cluster_dir "$2")" submit -o /dev/null -- /bin/true > "$scratch/begun"
  took=$(since "$start")
  wait_until 300 our_done "$2"
  echo "  $(awk -v n="$tasks" -v s="$took" 'BEGIN { printf "%.0f", n / s }') submissions/s accepted"
  took=$(since "$start") cpu=$(($(cpu_micros) - cpu))
  our_ends "$2" > "$scratch/ends"
  join_waits
  waited "stoa, $1 slots: submissions" "$scratch/waits" "$tasks" "$took" "$cpu"
}
our_done() {
  [[ $(curl -s "http://127.0.0.1:$(jq .http_port "$(cluster_dir "$1")/cluster.json")/metrics" |
    sed -n 's/^stoa_tasks_launched_total //p; s/^stoa_tasks //p' | sort -n | tr '\n' ' ') == "0 $tasks " ]]
}
# A function's processes in the measured cgroup.
counted_lines() {
  (
    if [[ $cpu_group ]]; then echo "$BASHPID" > "$cpu_group/cgroup.procs"; fi
    "$@"
  )
}
# Of begun and ends, by number.
join_waits() {
  awk 'NR == FNR { begun[$1] = $2; next } $1 in begun { print $2 - begun[$1] }' \
    "$scratch/begun" "$scratch/ends" > "$scratch/waits"
}

printf '#!/bin/sh\n/bin/true\n' > "$scratch/true.sh" && chmod 755 "$scratch/true.sh"
printf '%-40s %6s %8s %9s %11s %9s %9s\n' '/bin/true' jobs seconds jobs/s 'ms CPU/job' 'p50 s' 'p99 s'
for n in ${slurm_slots//,/ }; do
  for kind in array singles; do
    start_slurm "$n"
    "slurm_$kind" "$n"
    stop_slurm
    start_cluster "slurm-$n-$kind" --agents=2 --launcher=process --resources="cpus:$((n / 2));mem:100000;disk:10000"
    "our_$kind" "$n" "slurm-$n-$kind"
    end_clusters
  done
done

# ---- One job at once, and MPI

start_slurm 64
start_cluster slurm-one --agents=2 --launcher=process --resources='cpus:32;mem:100000;disk:10000'
seconds_of() { # RUNS COMMAND…: milliseconds of each
  local i start
  for ((i = 0; i < $1 + 3; ++i)); do
    start=$EPOCHREALTIME
    "${@:2}" > /dev/null
    if ((i >= 3)); then echo $((${EPOCHREALTIME/./} - ${start/./})) | awk '{ print $1 / 1000 }'; fi
  done
}
printf '%-40s %6s %8s %8s %8s\n' 'one job, start to end, milliseconds' runs p50 p90 p99
seconds_of "$runs" /usr/bin/srun -Q -n1 /bin/true < /dev/null | percentiles 'srun /bin/true'
seconds_of "$runs" "$BUILD/bin/stoa" --dir="$(cluster_dir slurm-one)" run -- /bin/true < /dev/null |
  percentiles 'stoa run -- /bin/true'
end_clusters

if has mpicc.mpich && has mpiexec.hydra; then
  job=$scratch/slurm-mpi
  mkdir -p "$job" && chmod 755 "$job"
  mpicc.mpich -O2 -o "$job/rank" "$source_dir/tests/integration/mpi/rank.c"
  start_cluster slurm-mpi --agents=1 --no-batch --resources='cpus:4;mem:4096' \
    --agent-flag=--allowed_work_directories="$scratch"
  mpiexec_run() { (cd "$job" && mpiexec.hydra -n 2 ./rank "$@" < /dev/null); }
  stoa_run() { (cd "$job" && "$BUILD/bin/stoa" --dir="$(cluster_dir slurm-mpi)" mpi -n 2 ./rank "$@" < /dev/null); }
  srun_run() { (cd "$job" && /usr/bin/srun -Q --mpi=pmi2 -n 2 ./rank "$@" < /dev/null); }
  hello() {
    local start=$EPOCHREALTIME
    "$1_run" hello > /dev/null
    echo $((${EPOCHREALTIME/./} - ${start/./})) | awk '{ print $1 / 1000 }'
  }
  said() { "$1_run" "${@:2}"; }
  beside() { # ROW UNIT COMMAND…: medians of the three, by turns
    local way i row
    for ((i = 0; i < mpi_runs + 1; ++i)); do
      for way in mpiexec stoa srun; do
        "$3" "$way" "${@:4}" >> "$scratch/mpi-$way"
        if ((i == 0)); then : > "$scratch/mpi-$way"; fi # the first finds cold caches
      done
    done
    row=$(printf '%-36s %5d' "$1" "$mpi_runs")
    for way in mpiexec stoa srun; do
      row+=$(sort -n "$scratch/mpi-$way" | awk '{ v[NR] = $1 } END { printf " %11.2f", v[int((NR + 1) / 2)] }')
    done
    echo "$row   $2"
  }
  printf '%-36s %5s %11s %11s %11s\n' 'MPI, 2 ranks, medians' runs mpiexec 'stoa mpi' srun
  beside 'start to end of hello' ms hello
  for bytes in 8 65536; do beside "ping-pong, $bytes bytes" 'µs a round trip' said pingpong "$bytes" 2000; done
  for bytes in 8 4096; do beside "allreduce, $bytes doubles" 'µs' said allreduce "$bytes" 1000; done
  beside 'compute' ms said compute 20000000
  end_clusters
else
  echo "MPI: mpich or libmpich-dev is not installed"
  exit 1
fi
