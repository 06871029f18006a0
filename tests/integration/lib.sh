# shellcheck shell=bash
# Sourced by the integration tests, which run the real programs: a cluster of the test's own beside whatever else runs
# on this machine, looked at from outside, and TAP to tell of it.
#
#   source "$(dirname "$0")/lib.sh"
#   start_cluster --agents=2
#   check "a command's exit code is that of stoa run" ends_with 7 stoa run -- sh -c 'exit 7'
#   finish
#
# All that a test makes lies in $work, whose unique name is in the command line or environment of whatever it starts:
# that is how its processes are told from others', and ended with the test however that ends.
set -uo pipefail

# Containers are what is tested, and those take root.
if ((EUID != 0)); then exec sudo -n --preserve-env=BUILD "$0" "$@"; fi
# A test that mounts something sets private_mounts: nobody else sees it, and it goes with the test's last process.
if [[ ${private_mounts:-} && $(readlink /proc/self/ns/mnt) == "$(readlink "/proc/$PPID/ns/mnt")" ]]; then
  exec unshare --mount --propagation private "$0" "$@"
fi

bin=${BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}/bin
work=$(mktemp -d "${TMPDIR:-/tmp}/stoa-test.XXXXXX")
chmod 755 "$work" # tasks run as an unprivileged user
dir=$work/c       # of the cluster; short, for the socket paths below it
unset STOA_DIR STOA_MASTER STOA_CREDENTIAL

# ---- Telling ---------------------------------------------------------------------------------------------------

number=0
failures=0
ok() { echo "ok $((++number)) - $1"; }
not_ok() { # NAME [WHAT-WAS-SEEN]
  echo "not ok $((++number)) - $1"
  failures=$((failures + 1))
  [[ -z ${2:-} ]] || sed 's/^/# /' <<< "$2"
}

# check NAME COMMAND...: what the command prints is what it has to say about its failure.
check() {
  "${@:2}" > "$work/check" 2>&1
  local status=$?
  if ((status == 0)); then ok "$1"; else not_ok "$1" "$(tail -n 30 "$work/check")"; fi
  return $status
}

finish() {
  echo "1..$number"
  exit $((failures > 0))
}

# ends_with CODE COMMAND...
ends_with() {
  "${@:2}"
  local status=$?
  ((status == $1)) || { echo "ended with $status, not $1: ${*:2}"; return 1; }
}

# says CODE TEXT COMMAND...: ends with the code, and its output (or error output) contains the text.
says() {
  local output status
  output=$("${@:3}" 2>&1)
  status=$?
  ((status == $1)) || { printf 'ended with %s, not %s: %s\n%s\n' $status "$1" "${*:3}" "$output"; return 1; }
  [[ $output == *"$2"* ]] || { printf 'does not say "%s": %s\n%s\n' "$2" "${*:3}" "$output"; return 1; }
}

# ---- Waiting ---------------------------------------------------------------------------------------------------

# wait_until SECONDS COMMAND...: asks until it succeeds; fails when the time is over.
wait_until() {
  local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
  until "${@:2}" > /dev/null 2>&1; do
    ((${EPOCHREALTIME/./} < deadline)) || { echo "not within $1 s: ${*:2}"; return 1; }
    sleep 0.02
  done
}
gone() { [[ ! -e /proc/$1 ]] || grep -q '^State:.[ZX]' "/proc/$1/status"; }

# wait_for PID SECONDS: its exit code, for a child of the test's; 124 and SIGKILL when it does not end in time.
wait_for() {
  wait_until "$2" gone "$1" || { kill -9 "$1"; wait "$1" 2> /dev/null; return 124; }
  wait "$1" 2> /dev/null
}

# ---- The cluster -----------------------------------------------------------------------------------------------

stoa() { "$bin/stoa" --dir="$dir" "$@"; }

start_cluster() { # [OPTION-OF-UP...]
  local port
  port=$(free_port)
  stoa up --detach --port="$port" "$@" > "$work/up.log" 2>&1 && return
  not_ok "a cluster starts" "$(cat "$work/up.log"; tail -n 5 "$dir"/log/*)"
  finish
}

free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); ss -Htan "sport = :$port" | grep -q .; do :; done
  echo "$port"
}

http_port() { jq .http_port "$dir/cluster.json"; }
wire_port() { jq .wire_port "$dir/cluster.json"; }
agent_port() { sed -n 's/.*"--port=\([0-9]*\)".*/\1/p' <(jq -c ".processes[] | select(.name == \"$1\") | .argv" "$dir/cluster.json"); }
pid_of() { jq ".processes[] | select(.name == \"$1\") | .pid" "$dir/cluster.json"; } # master, agent-1 …, batch
shim_of() { pgrep -xf "$bin/stoa-shim serve --run_dir=$dir/$1/run"; }                # agent-1 …

# kill_hard PID: SIGKILL, and no word before it has taken effect.
kill_hard() {
  kill -9 "$1" && wait_until 5 gone "$1"
}
# What was killed starts again with the flags it had.
restart() { stoa up --detach; }

# ---- Tasks, from outside ---------------------------------------------------------------------------------------

# task NAME [FILTER]: of the last task of that name, or a part of it.
task() { stoa --json tasks | jq -er "[.tasks[] | select(.name == \"$1\")][0] | ${2:-.}"; }
is_running() { [[ $(task "$1" .state) == TASK_RUNNING ]]; }
pid_of_task() { task "$1" '[.statuses[].pid | numbers] | last'; }
sandbox_of() { echo "$dir"/agent-*/sandboxes/"$(task "$1" .framework_id)/$(task "$1" .id)"; }
agent_of() { local path; path=$(sandbox_of "$1") && path=${path#"$dir"/} && echo "${path%%/*}"; }

# start_time PID: in ticks since boot, field 22, counted behind the name, which may hold anything.
start_time() {
  local stat
  stat=$(< "/proc/$1/stat") && stat=${stat##*) } && set -- $stat && echo "${20}"
}
# What must not change while daemons die: host pid, start time, attempt (which is in the task's id).
identity() {
  local pid
  pid=$(pid_of_task "$1") && echo "pid $pid started $(start_time "$pid") task $(task "$1" .id)"
}

# cgroup_file PID CONTROLLER V1-NAME V2-NAME: the path of that file of the cgroup that the process is in.
cgroup_file() {
  local path mount
  path=$(awk -F: -v wanted="$2" '{ n = split($2, names, ","); for (i = 1; i <= n; i++) if (names[i] == wanted) print $3 }' "/proc/$1/cgroup")
  if [[ $path ]]; then
    mount=$(awk -v wanted="$2" '$3 == "cgroup" && "," $4 "," ~ "," wanted "," { print $2; exit }' /proc/self/mounts)
    echo "$mount$path/$3"
  else
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    echo "$mount$(sed -n 's/^0:://p' "/proc/$1/cgroup")/$4"
  fi
}

# ---- What is left ----------------------------------------------------------------------------------------------

# Processes that a cluster started, by command line or environment; not the test itself and its own children.
own_processes() {
  local path pid
  for path in $(grep -lszF "$work" /proc/[0-9]*/{cmdline,environ}); do
    pid=${path#/proc/}
    pid=${pid%%/*}
    [[ $pid == "$$" ]] || gone "$pid" || echo "$pid"
  done | sort -u
}
# The directories the agents noted, and what a runtime made beside them.
own_cgroups() {
  local noted
  for noted in $(cat "$work"/*/*/run/cgroups 2> /dev/null | sort -u); do
    find "$noted" -depth -type d 2> /dev/null
    find /sys/fs/cgroup -depth -type d -name "${noted##*/}.runc-*" 2> /dev/null # others' come and go
  done
}
own_mounts() { awk -v work="$work/" 'index($5 "/", work) == 1 { print $5 }' /proc/self/mountinfo; }

# Nothing of the cluster is left: says what is.
nothing_left() {
  local left
  left=$(
    for pid in $(own_processes); do echo "process $pid: $(tr '\0' ' ' < "/proc/$pid/cmdline")"; done
    own_cgroups | sed 's/^/cgroup /'
    own_mounts | sed 's/^/mount /'
    find "$work"/*/*/run/{runtime,bundles} -mindepth 1 -maxdepth 1 2> /dev/null | sed 's/^/container /'
  )
  [[ -z $left ]] || { echo "$left"; return 1; }
}

clean_up() {
  trap - EXIT INT TERM
  # What is killed may have started something meanwhile.
  until [[ -z $(own_processes) ]]; do kill -9 $(own_processes) 2> /dev/null; done
  own_mounts | sort -r | xargs -rn1 umount -l
  own_cgroups | xargs -r rmdir 2> /dev/null
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
