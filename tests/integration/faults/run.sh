#!/bin/bash
# A job of 500 tasks on a cluster of thirteen hosts (3 ZooKeeper servers, 3 masters, 6 agents, the batch framework) whose
# parts fail all the time, in an order that a seed decides; audit.py looks on from outside and judges at the end.
#
#   tests/integration/faults/run.sh [SEED [MINUTES [FAULT...]]]
#
# The seed is printed; the same seed and minutes give the same faults at the same times. A run that fails keeps all logs.
private_mounts=yes
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../netns.sh"
here=$(cd "$(dirname "$0")" && pwd)
source "$here/hosts.sh"
source "$here/faults.sh"

seed=${1:-$((RANDOM * 32768 + RANDOM))}
minutes=${2:-3}
tasks=500
kept=${FAULTS_LOGS:-$bin/../logs}/faults-$seed
job_directory=$work/job
audit=(python3 "$here/audit.py" --directory="$work/audit" --job="$job_directory" --tasks="$tasks")

begun=$(now_ms)
tell() { printf '%8d %s\n' $(($(now_ms) - begun)) "$*" | tee -a "$work/events"; }

cc -O2 -shared -fPIC -o "$work/preload.so" "$here/preload.c" -ldl || exit 1
python3 "$here/plan.py" "$seed" "$minutes" "${@:3}" > "$work/plan" || exit 1
echo "# seed $seed, $minutes minutes: $(grep -c begin "$work/plan") faults"

end_of_run() {
  trap - INT TERM
  end_all_faults
  [[ ! $watcher ]] || kill "$watcher" 2> /dev/null
  if ((failures > 0 || number == 0)); then
    rm -rf "$kept"
    mkdir -p "$kept" && cp -r "$work"/{plan,events,audit,job} "$dir/log" "$kept" 2> /dev/null
    echo "# seed $seed failed; again: make soak SEED=$seed MINUTES=$minutes; its logs: $kept"
  fi
  for name in "${host_names[@]}"; do retired[$name]=yes; done
  for name in "${host_names[@]}"; do power_off_for_good "$name"; done
  remove_cgroups ""
  clean_up
  remove_hosts
}
power_off_for_good() {
  [[ ${init[$1]:-} ]] || return
  end_all host_processes "$1"
  remove_cgroups "$1"
  kill -9 "${init[$1]}" 2> /dev/null
  umount -l "$dir/$1" 2> /dev/null
}
watcher=

# Where a task says what it was and what it has found out: a directory that all hosts share.
mkdir -p "$job_directory"/{effects,results} "$work/audit" && chmod 777 "$job_directory"/{,effects,results}

make_cluster > "$work/made" 2>&1
made=$?
trap end_of_run EXIT
((made == 0)) || { not_ok "a cluster of thirteen hosts starts" "$(cat "$work/made"; tail -n 3 "$dir"/log/*)"; finish; }
ok "a cluster of thirteen hosts starts"

hosts_seen=()
for name in "${host_names[@]}"; do
  hosts_seen+=("--host=$name=$(address_of "$name")=$(stat -Lc %i "/run/netns/$(host_namespace "${host_number[$name]}")")")
done
(exec nsenter --net="/run/netns/$(host_namespace hub)" -- "${audit[@]}" "${hosts_seen[@]}" watch) > "$work/audit/log" 2>&1 &
watcher=$!

# ---- The job -----------------------------------------------------------------------------------------------------------

# One side effect an attempt: a file that is made with O_EXCL, and told of when that finds it there already. Then some time,
# so that all of them together last as long as the faults; then the result, whole or not at all.
slots=$((agent_slots * 6))
cat > "$job_directory/task.sh" << 'END'
attempt=$STOA_TASK_INDEX.$STOA_ATTEMPT
set -C
{ echo "begins $(date +%s%N)" > effects/$attempt; } 2> /dev/null || echo "begins again" >> effects/$attempt
set +C
x=$(((STOA_TASK_INDEX * 7919 % 1000 + 500) * $1 / 1000))
sleep "$(printf '%d.%03d' $((x / 1000)) $((x % 1000)))"
seq $((STOA_TASK_INDEX + 1)) $((STOA_TASK_INDEX + 1000)) | sha256sum | cut -d' ' -f1 > results/.$attempt
mv results/.$attempt results/$STOA_TASK_INDEX
echo "ends $(date +%s%N)" >> effects/$attempt
END
# Milliseconds of a task on average: three quarters of the faults' time, were there none.
mean=$(awk -v minutes="$minutes" -v slots=$slots -v tasks=$tasks 'BEGIN { printf "%d", minutes * 60000 * 0.6 * slots / tasks }')
submit() {
  (cd "$job_directory" && on_hub "$bin/stoa" --master="$(zookeeper_address)" submit --array=$tasks --cpus=1 --mem=32 --retries=50 -- \
    sh ./task.sh "$mean")
}
job=$(submit 2> "$work/submitted") || { not_ok "a job is taken" "$job $(cat "$work/submitted")"; finish; }
echo "$job" > "$work/audit/job"

# ---- The faults --------------------------------------------------------------------------------------------------------

# until_ms MS-SINCE-BEGIN [COMMAND...]: looks after the hosts meanwhile; true when the command is, or, without one, when the
# time is over. Daemons end at any time and are not this shell's to wait for: each look may be a fifth of a second late.
until_ms() {
  while (($(now_ms) - faults_begun < $1)); do
    [[ -z ${2:-} ]] || ! "${@:2}" > /dev/null 2>&1 || return 0
    look_after
    read -rt 0.2 <> <(:) || :
  done
  [[ -z ${2:-} ]]
}
faults_begun=$(now_ms)
while read -r at step id kind target argument; do
  until_ms "$at"
  if [[ $step == begin ]]; then
    begin_fault "$id" "$kind" "$target" "$argument"
  else
    tell "end $id $kind $target"
    end_fault "$id"
  fi
done < "$work/plan"
end_all_faults
tell "no more faults"

# ---- The end -----------------------------------------------------------------------------------------------------------

job_ended() { [[ $(curl -s -m 5 --unix-socket "$dir/batch/door" "http://batch/api/stoa/jobs/$job?tasks=0" | jq -r .job.state) == @(succeeded|failed|cancelled) ]]; }
within() { until_ms $(($(now_ms) - faults_begun + $1 * 1000)) "${@:2}"; }
check "the job ends" within $((120 + 3 * mean / 1000)) job_ended && tell "the job has ended"
check "all agents are back" within 60 all_agents_active
check "audit: the result, attempts and their effects agree" on_hub "${audit[@]}" --batch="$(address_of batch):5053" judge
kill "$watcher" 2> /dev/null
wait "$watcher"
watcher=
check "audit: nothing was wrong at any time" test ! -s "$work/audit/violations"
[[ ! -s $work/audit/violations ]] || sed 's/^/# /' "$work/audit/violations" | head -n 20
check "audit: enough was seen" "${audit[@]}" seen
check "the cluster ends when asked" end_cluster
left() { "${audit[@]}" "${hosts_seen[@]}" --work="$work" --not="$$" leftovers; }
nothing_is_left() { wait_until 20 left || left; }
check "audit: nothing is left of it" nothing_is_left
sed 's/^/# /' "$work/audit/seen" 2> /dev/null
# How often each fault was in play.
echo "# $(awk '$2 == "begin" { times[$4]++ } END { for (kind in times) print kind, times[kind] }' "$work/events" | sort | paste -sd, | sed 's/,/, /g')"
finish
