#!/bin/bash
# What people, disks and strangers on a port get wrong ends in a clear message and an exit code, never in a crash, a hang
# or a loss.
# shellcheck disable=SC2034 # lib.sh reads it
private_mounts=yes # read-only and tiny file systems are mounted for it
source "$(dirname "$0")/lib.sh"

# A daemon that should end by itself must not keep the test when it does not.
says_soon() { says "$1" "$2" timeout 5 "${@:3}"; }
# starts CODE TEXT DAEMON WORK-DIRECTORY [FLAG...]: one that should refuse; in case it does not, no other cluster meets it.
starts() {
  case $3 in
    master) says_soon "$1" "$2" "$bin/stoa-master" --work_dir="$4" --port=0 --zmq_port=0 "${@:5}" ;;
    agent*) says_soon "$1" "$2" "$bin/stoa-agent" --work_dir="$4" --port=0 --master=127.0.0.1:1 "${@:5}" ;;
    batch) says_soon "$1" "$2" "$bin/stoa-batch" --work_dir="$4" --port=0 --master=127.0.0.1:1 "${@:5}" ;;
  esac
}

# ---- Flags and values ------------------------------------------------------------------------------------------

for program in stoa-master stoa-agent stoa-batch stoa; do
  check "$program refuses an unknown flag by name" says_soon 2 no_such_flag "$bin/$program" --no_such_flag
done
for program in stoa-master stoa-agent stoa-batch; do
  check "$program refuses an argument" says_soon 2 '"stray" is no flag' "$bin/$program" stray
  check "$program refuses a port that is no number" says_soon 2 "'port'" "$bin/$program" --port=http
  check "$program refuses a port beyond 65535" says_soon 2 "--port: 65536 is not 0 to 65535" "$bin/$program" --port=65536
  check "$program refuses other machines unless told" says_soon 2 "--insecure" "$bin/$program" --ip=0.0.0.0
done
for command in run submit agents up; do
  check "stoa $command refuses an unknown option by name" says_soon 2 no-such-option "$bin/stoa" $command --no-such-option
done
check "stoa refuses an unknown command by name" says_soon 2 nonsense "$bin/stoa" nonsense
check "stoa run wants a command" says_soon 2 "" "$bin/stoa" run
check "the master refuses malformed weights" starts 2 '--weights: "a" is not ROLE=WEIGHT' master "$work/m" --weights=a
check "and an allocator that does not exist" starts 2 "--allocator: " master "$work/m" --allocator=lottery
check "and a time-out that is none" starts 2 '--agent_timeout: "soon"' master "$work/m" --agent_timeout=soon

for text in cpus cpus: cpus:x cpus:-1 cpus:nan cpus:1e400 'cpus:1;cpus' ':1' 'ports:[5-1]' 'ports:[1-' 'ports:[1-99999999999999999999]' 'a:{b'; do
  check "the agent refuses --resources=$text" starts 2 "--resources: " agent "$work/a" --resources="$text"
done
check "the agent refuses malformed attributes" starts 2 "--attributes: " agent "$work/a" --attributes=rack
check "stoa up refuses malformed resources" says_soon 2 "--resources: " "$bin/stoa" --dir="$work/up" up --detach --resources=cpus:x
for option in --mem=lots --mem=-1 --cpus=-1 --cpus=nan --env=NO_SUCH_VARIABLE_HERE --constraint==; do
  check "stoa run refuses $option by name" says_soon 2 "${option%%=*}" "$bin/stoa" run $option -- true
done

# ---- Work directories ------------------------------------------------------------------------------------------

mkdir -p "$work/ro/used"
(cd "$work/ro/used" && mkdir state && touch registry.db queue.db state/agent.db)
mount --bind "$work/ro" "$work/ro" && mount -o remount,ro,bind "$work/ro"
touch "$work/file"
for daemon in master agent batch; do
  check "the $daemon says that a new work directory is on a read-only file system" starts 1 "$work/ro/new" $daemon "$work/ro/new"
  check "the $daemon says that one it had is read-only now" starts 1 "ead-only" $daemon "$work/ro/used"
  check "the $daemon says that its work directory is a file" starts 1 "$work/file" $daemon "$work/file"
done
check "stoa up says so, too" says_soon 1 "$work/file" "$bin/stoa" --dir="$work/file" up --detach

# ---- Tasks -----------------------------------------------------------------------------------------------------

# The daemons' state lies on file systems of its own, which will be filled.
for daemon in master batch agent-1/state; do
  mkdir -p "$dir/$daemon" && mount -t tmpfs -o size=24m tmpfs "$dir/$daemon"
done
start_cluster --agents=1 --resources='cpus:2;mem:1024'
daemons() { jq -c '[.processes[] | {name, pid, start_time}]' "$dir/cluster.json"; }
all_alive() { for pid in $(jq '.processes[].pid' "$dir/cluster.json"); do ! gone "$pid" || return 1; done; }
run_soon() { says "$1" "$2" timeout 10 "$bin/stoa" --dir="$dir" run "${@:3}"; }

check "a task larger than any agent is refused at once" run_soon 125 "no agent is large enough for cpus:100" --cpus=100 -- true
check "with the nearest miss" run_soon 125 "nearest miss" --mem=2G -- true
check "so is one whose constraint no agent satisfies" run_soon 125 "does not satisfy rack=a" --constraint=rack=a -- true
stoa submit --cpus=100 -- true > "$work/large" 2> /dev/null
check "a job larger than any agent is explained" says 0 "nearest miss" stoa explain "$(tr -dc 0-9 < "$work/large")"
check "a program that is a directory is told by name" run_soon 125 "/etc" -- /etc
check "a program that is no program is told by name" run_soon 125 "/etc/passwd" -- /etc/passwd
check "a user who does not exist is told by name" run_soon 125 "nobody-of-that-name" --user=nobody-of-that-name -- true
check "a job that does not exist is told" says 1 "99999" stoa jobs 99999

# ---- Ports in use ----------------------------------------------------------------------------------------------

taken=$(http_port)
check "the master says that its HTTP port is in use" starts 1 "$taken" master "$work/m" --port="$taken"
check "and that its ZeroMQ port is" starts 1 "$(wire_port)" master "$work/m" --zmq_port="$(wire_port)"
check "so does the agent" starts 1 "$taken" agent "$work/x/a" --port="$taken"
no_shim() { ! pgrep -f "run_dir=$work/x/"; }
check "and leaves no shim behind" wait_until 5 no_shim
check "so does the batch framework" starts 1 "$taken" batch "$work/b" --port="$taken"
check "so does stoa up" says_soon 1 "$taken" "$bin/stoa" --dir="$work/up" up --detach --port="$taken"
for daemon in master agent-1; do
  check "a second $daemon is kept out of a work directory" starts 1 "in use" "$daemon" "$dir/$daemon"
done
# A batch framework waits for the one that it may replace to end; looked at below.
"$bin/stoa-batch" --work_dir="$dir/batch" --port=0 --master=127.0.0.1:1 2> "$work/second" &
second=$!

# ---- Strangers on the ports ------------------------------------------------------------------------------------

before=$(daemons)
# raw PORT: stdin goes there; what comes back at once is printed.
raw() { timeout 2 bash -c 'exec 3<> "/dev/tcp/127.0.0.1/$0" && cat >&3 && timeout "$1" cat <&3' "$1" "${2:-0.1}" 2> /dev/null; }
greeting='\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
ready='\x04\x19\x05READY\x0bSocket-Type\0\0\0\x06DEALER'
zeromq_garbage() {
  local tail
  head -c 100000 /dev/urandom | raw "$(wire_port)"
  printf 'GET / HTTP/1.1\r\n\r\n' | raw "$(wire_port)"
  for tail in '' '\x04\xff' "$ready" "$ready"'\0\0' "$ready"'\0\x05abcde' "$ready"'\x01\0\x01\0\x01\0\0\x03abc' \
    "$ready"'\x02\x40\0\0\0\0\0\0\0abc' "$ready"'\x02\0\0\0\0\x40\0\0\0abc' "$ready"'\xff\xff\xff\xff'; do
    printf "$greeting$tail" | raw "$(wire_port)"
  done
  for tail in 1 2 3 4 5; do { printf "$greeting$ready"'\0\x80'; head -c 5000 /dev/urandom; } | raw "$(wire_port)"; done
  all_alive
}
check "the ZeroMQ port survives bytes of any kind" zeromq_garbage

agent=$(agent_port agent-1)
for port in "$(http_port)" "$agent"; do
  http_garbage() { head -c 100000 /dev/urandom | raw "$port"; printf '%s' "$greeting" | raw "$port"; all_alive; }
  check "HTTP port $port survives bytes of any kind" http_garbage
done
# answers PATTERN CURL-ARGUMENT...: the status that an HTTP server answers with.
answers() {
  local status
  status=$(curl -s -o "$work/answer" -w '%{http_code}' --path-as-is --max-time 10 "${@:2}")
  [[ $status == $1 ]] || { echo "answered $status, not $1: ${*:2}"; head -c 500 "$work/answer"; return 1; }
}
large=$(head -c 40000 /dev/zero | tr '\0' x)
head -c 20000000 /dev/zero > "$work/body"
for port in "$(http_port)" "$agent"; do
  url=http://127.0.0.1:$port
  check "HTTP port $port refuses an oversized header" answers 431 -H "X-Large: $large" "$url/state"
  check "and an oversized target" answers 4?? "$url/$large"
  check "and a wrong method" answers 405 -X DELETE "$url/metrics"
  check "and an oversized body" answers 4?? --data-binary @"$work/body" "$url/state"
  check "and a path that is not there" answers 404 "$url/no/such/path"
done
check "the master refuses a query that makes no sense" answers 400 "http://127.0.0.1:$(http_port)/tasks?limit=many"

url=http://127.0.0.1:$agent
check "a task leaves links that lead out of its sandbox" \
  run_soon 0 "" --name=links -- sh -c 'ln -s /etc/passwd link; ln -s / root; ln -s /proc/self/environ magic; echo inside > file'
sandbox=/frameworks/$(task links .framework_id)/executors/$(task links .id)/runs/latest
check "a sandbox's file can be read" answers 200 "$url/files/read?path=$sandbox/file&offset=0"
for path in ../../etc/passwd /etc/passwd %2e%2e/%2e%2e/etc/passwd "$sandbox/link" "$sandbox/root/etc/passwd" "$sandbox/magic" \
  "$sandbox/../../../../../../../etc/passwd" "$sandbox/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd" \
  "$sandbox/..%2f..%2f..%2fstate/agent.db" "$sandbox//etc/passwd" "$sandbox/%00" \
  /frameworks/../executors/../runs/latest/state/agent.db /frameworks/%2e%2e/executors/state/runs/latest/agent.db; do
  for what in read download browse; do
    check "/files/$what?path=$path is refused" answers 4?? "$url/files/$what?path=$path&offset=0"
  done
done
for path in ../../../../etc/passwd %2e%2e/%2e%2e/%2e%2e/etc/passwd ..%2f..%2fstate/agent.db a/b/%2e%2e/%2e%2e/%2e%2e/state/agent.db \
  "$(task links .framework_id)/$(task links .id)/link" "$(task links .framework_id)/$(task links .id)/link?follow=1"; do
  check "/api/stoa/sandbox/$path is refused" answers 4?? "$url/api/stoa/sandbox/$path"
done
for name in ../state/agent.db %2e%2e/state/agent.db .hidden a%2fb ..; do
  check "an upload named $name is refused" answers 4?? -X PUT --data-binary x "$url/api/stoa/uploads/$name"
done
batch() { answers "$1" --unix-socket "$dir/batch/door" "${@:2}"; }
for body in '' '{' '[]' '{"command": 7}' '{"count": -1}' '{"command": {"argv": ["true"]}, "count": 99999999999}' "$(printf '[%.0s' {1..5000})"; do
  check "a job of ${body:0:40} is refused" batch 400 --data-binary "$body" http://batch/api/stoa/jobs
done
check "all daemons are those of before" test "$(all_alive && daemons)" = "$before"
check "and run a task" run_soon 3 "" -- sh -c 'exit 3'

check "a second batch framework is kept out of a work directory" ends_with 1 wait_for $second 20
check "and says why" says 0 "in use" cat "$work/second"

# ---- Full disks ------------------------------------------------------------------------------------------------

fill() { dd if=/dev/zero of="$dir/$1/filler" bs=4k 2> /dev/null; sync -f "$dir/$1"; }
# ends NAME COMMAND...: what makes the daemon write, again and again until it has ended.
ends() { wait_until 20 ended_after "$@"; }
ended_after() { "${@:2}"; gone "$(pid_of "$1")"; }
run_something() { timeout -s KILL 5 "$bin/stoa" --dir="$dir" run -- true; }
last_words() { tail -n 3 "$dir/log/$1.log" | grep -F "the disk is full"; }

submit() { timeout -s KILL 5 "$bin/stoa" --dir="$dir" submit -- true >> "$work/acknowledged"; }
knows_acknowledged_jobs() {
  local job
  for job in $(tr -dc '0-9\n' < "$work/acknowledged"); do ends_with 0 stoa jobs "$job" || return; done
}
submit
fill batch
check "on a full disk the batch framework ends" ends batch submit
check "and says why" last_words batch
rm "$dir/batch/filler"
check "it starts again when there is space" restart
check "and knows the jobs that it had acknowledged" knows_acknowledged_jobs

fill master
check "on a full disk the master ends" ends master run_something
check "and says why" last_words master
rm "$dir/master/filler"
check "it starts again when there is space" restart
check "and runs a task" run_soon 3 "" -- sh -c 'exit 3'

"$bin/stoa" --dir="$dir" run --name=long -- sh -c 'until [ -e go ]; do sleep 0.05; done; exit 9' &
run=$!
wait_until 10 is_running long
before=$(identity long)
fill agent-1/state
check "on a full disk the agent ends" ends agent-1 run_something
check "and says why" last_words agent-1
rm "$dir/agent-1/state/filler"
check "it starts again when there is space" restart
check "with the task it had, the same process" wait_until 10 test "$(is_running long && identity long)" = "$before"
touch "$(sandbox_of long)/go"
check "whose exit code arrives" ends_with 9 wait_for $run 20

# ---- Damaged stores --------------------------------------------------------------------------------------------

check "stoa down ends the cluster" ends_with 0 stoa down
cp -a "$dir" "$work/saved"
umount "$dir"/{master,batch,agent-1/state} "$work/ro"
check "it leaves no process, cgroup, mount or container" nothing_left

# damaged DB DAEMON WORK-DIRECTORY: the daemon refuses the file, names it, and leaves it as it was.
damaged() {
  local sum
  sum=$(sha256sum < "$1")
  starts 1 "$1 is damaged" "$2" "$3" || return
  [[ $(sha256sum < "$1") == "$sum" ]] || { echo "$1 was changed"; return 1; }
}
flip() { printf "\\x$(printf %02x $(($(od -An -tu1 -j "$2" -N1 "$1") ^ 0x55)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2> /dev/null; }
for daemon in master agent-1 batch; do
  db=$(cd "$work/saved/$daemon" && find . -name '*.db' -printf '%P\n')
  for way in header row index truncated text; do
    copy=$work/$way/$daemon
    mkdir -p "$(dirname "$copy/$db")"
    cp "$work/saved/$daemon/$db" "$copy/$db"
    case $way in
      header) flip "$copy/$db" 5 ;;
      # The third page holds the rows, the fourth their index, each from its end on.
      row) flip "$copy/$db" $((3 * 4096 - 1)) ;;
      index) flip "$copy/$db" $((4 * 4096 - 1)) ;;
      truncated) truncate -s $(($(stat -c %s "$copy/$db") / 2)) "$copy/$db" ;;
      text) echo "not a database, but long enough to be one: $large" > "$copy/$db" ;;
    esac
    check "a damaged $db ($way) is refused, by name, and left as it was" damaged "$copy/$db" "$daemon" "$copy"
  done
done
finish
