#!/bin/bash
# Elected masters over a real ZooKeeper of three servers: the demo's job, whose leader is killed in the middle, and a leader
# that is stopped, replaced, and goes on as if nothing had been. Tasks don't notice: host pids and start times are looked
# at from outside.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/../../docs/examples/wordcount.sh"

# ---- Masters, from outside -------------------------------------------------------------------------------------

master_port() { sed -n 's/.*"--port=\([0-9]*\)".*/\1/p' <(jq -c ".processes[] | select(.name == \"$1\") | .argv" "$dir/cluster.json"); }
# What a master's HTTP door answers for a path: the status alone, or the Location.
status_of() { curl -s -m 2 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$(master_port "$1")$2"; }
location_of() { curl -s -m 2 -o /dev/null -D - "${@:3}" "http://127.0.0.1:$(master_port "$1")$2" | tr -d '\r' | sed -n 's/^Location: //p'; }
metric() { curl -s -m 2 "http://127.0.0.1:$1/metrics" | sed -n "s/^$2 //p"; }
leader() {
  local master
  for master in master-1 master-2 master-3; do
    [[ $(status_of $master /state) == 200 ]] && echo $master && return
  done
  return 1
}
leads_now() { [[ $(leader) && $(leader) != "$1" ]]; } # another than that one
epoch() { metric "$(master_port "$(leader)")" stoa_master_epoch; }
registered() { (($(stoa --json agents | jq '[.slaves[] | select(.active)] | length') == $1)); }
queue_is_back() { stoa --json frameworks | jq -e '.frameworks[] | select(.active)' > /dev/null; }

# zookeeper COMMAND...: of ZooKeeper's own client, through any server.
zookeeper() {
  local jars=/usr/share/java
  java -XX:TieredStopAtLevel=1 -cp "$dir/zookeeper-1:$jars/zookeeper.jar:$jars/slf4j-log4j12.jar:$jars/log4j-1.2.jar" \
    org.apache.zookeeper.ZooKeeperMain -server "$(jq -r .zookeeper "$dir/cluster.json" | sed 's,zk://\(.*\)/stoa,\1,')" "$@" 2>&1 < /dev/null
}
# Every write of the registry writes its own node, too: this is the transaction that was the last.
registry_version() { zookeeper stat /stoa/registry | grep '^mZxid\|^dataVersion'; }

# ---- Tasks, from outside ---------------------------------------------------------------------------------------

# "id pid start-time" of each map task that runs.
running() {
  local id pid
  stoa --json tasks --live | jq -r '.tasks[] | select(.name | startswith("map")) | select(.state == "TASK_RUNNING") |
    "\(.id) \([.statuses[].pid | numbers] | last)"' | while read -r id pid; do echo "$id $pid $(start_time "$pid")"; done 2> /dev/null
}
at_least() { (($(running | wc -l) >= $1)); }
# Each of them still is the process that it was, and they are what the cluster says runs.
all_same() {
  local now
  now=$(running | sort)
  [[ -n $1 && $now == "$(sort <<< "$1")" ]] || { printf 'before:\n%s\nnow:\n%s\n' "$1" "$now"; return 1; }
}

# ---- The cluster -----------------------------------------------------------------------------------------------

start_cluster --masters=3 --agents=2 --resources='cpus:2;mem:1024' --master-flag=--zk_session_timeout=4s
check "stoa up tells what it waits for" grep -q "starting ZooKeeper, 3 servers" "$work/up.log"
check "three masters and three servers run" test "$(jq -r '.processes[].name' "$dir/cluster.json" | grep -c 'master-\|zookeeper-')" = 6
first=$(leader)
check "one leads" test -n "$first"
standby=master-$((${first#master-} % 3 + 1))
check "a standby sends everybody to the leader, before it looks at the method" \
  test "$(location_of "$standby" '/api/v1/scheduler?x=1' -X PUT)" = "//127.0.0.1:$(master_port "$first")/master/api/v1/scheduler?x=1"
check "and says who leads when asked" test "$(location_of "$standby" /redirect)" = "//127.0.0.1:$(master_port "$first")"
check "it answers for its own health" test "$(status_of "$standby" /health)$(status_of "$standby" /version)$(status_of "$standby" /flags)" = 200200200
check "it says that it is not elected" \
  test "$(curl -s "http://127.0.0.1:$(master_port "$standby")/metrics/snapshot" | jq '.["master/elected"]')" = 0

# ---- A leader's death ------------------------------------------------------------------------------------------

wordcount_prepare "$work/texts" 6
wordcount_at_end='[ $STOA_TASK_COUNT = 1 ] || until [ -e go ]; do sleep 0.1; done'
wordcount_submit "$work/texts" 6 --cpus=0.3 --mem=64 --retries=5
check "map tasks run" wait_until 30 at_least 6
before=$(running)
before_epoch=$(epoch)
kill_hard "$(pid_of "$first")"
check "another master leads when the leader was killed" wait_until 20 leads_now "$first"
check "under a higher epoch" test "$(epoch)" -gt "$before_epoch"
check "all agents are back" wait_until 20 registered 2
check "no task was restarted: host pids and start times are what they were" wait_until 10 all_same "$before"
check "the killed master starts again, as a standby" restart
stands() { [[ $(status_of "$1" /state) == 307 ]]; }
check "and finds the leader" wait_until 10 stands "$first"

# ---- A leader that comes back from the dead --------------------------------------------------------------------

second=$(leader)
stopped=$(pid_of "$second")
refused() { local sum=0 one; for one in agent-1 agent-2; do sum=$((sum + $(metric "$(agent_port $one)" stoa_agent_refused_epochs_total))); done; echo "$sum"; }
kill -STOP "$stopped"
check "another master leads when the leader was stopped" wait_until 20 leads_now "$second"
check "all agents are back" wait_until 20 registered 2
check "the queue is back, of which the registry keeps note" wait_until 20 queue_is_back
third_epoch=$(epoch)
# A session in which nothing was heard is dialed anew after 15 s; the stopped leader answers that, too, when it goes on.
registry=$(registry_version)
kill -CONT "$stopped"
check "the stopped one goes on as a standby" wait_until 20 stands "$second"
some_refused() { (($(refused) >= 1)); }
check "agents refused what it still said under its old epoch" wait_until 30 some_refused
check "the registry was written" grep -q 'dataVersion = [1-9]' <<< "$registry"
check "the registry's version did not move by its hand" test "$(registry_version)" = "$registry"
check "the new leader leads on" test "$(epoch)" = "$third_epoch"
check "no task was restarted" wait_until 10 all_same "$before"

# ---- ZooKeeper, gone for long ----------------------------------------------------------------------------------

third=$(leader)
servers=("$(pid_of zookeeper-1)" "$(pid_of zookeeper-2)")
kill -STOP "${servers[@]}"
nobody_leads() { ! leader; }
check "a leader that ZooKeeper no longer answers steps down by itself" wait_until 20 nobody_leads
check "its clients are told that nobody leads" wait_until 10 test "$(status_of "$third" /state)" = 503
check "its log says why" grep -q "this master leads no longer: " "$dir/log/$third.log"
check "tasks run on" test -e "/proc/$(head -n 1 <<< "$before" | cut -d' ' -f2)"
complains() { grep -q "no connection to ZooKeeper at .*; still trying" "$dir/log/$third.log"; }
check "its log says that ZooKeeper is not there" wait_until 20 complains
kill -CONT "${servers[@]}"
check "one leads when ZooKeeper is back" wait_until 20 leader
check "all agents are back" wait_until 20 registered 2
check "no task was restarted" wait_until 10 all_same "$before"

# ---- The job's end ---------------------------------------------------------------------------------------------

for sandbox in "$dir"/agent-*/sandboxes/*/*; do touch "$sandbox/go"; done
check "the job ends well" ends_with 0 timeout 120 "$bin/stoa" --dir="$dir" wait "$map_job" "$reduce_job"
stoa fetch "$reduce_job/0" top --to="$work/top"
check "its result is that of one plain pipeline" diff "$work/texts/expected" "$work/top"
check "with the attempts that ran all the time" \
  test "$(stoa --json jobs "$map_job" | jq -r '.job.tasks[].task_id' | sort)" = "$(cut -d' ' -f1 <<< "$before" | sort)"

# ---- A registry that this version doesn't know -----------------------------------------------------------------

# Its servers were stopped a while ago: a client of one that is catching up may be sent away.
newer() {
  zookeeper create /newer > /dev/null
  zookeeper create /newer/registry '{"kind":"stoa master registry","version":9,"master_id":"m"}' > /dev/null
  zookeeper stat /newer/registry | grep -q '^mZxid'
}
check "such a registry is there" wait_until 30 newer
check "a registry written by a newer version is refused with what to do" \
  says 1 "was written by a newer version (9; this one knows 1)" timeout 20 "$bin/stoa-master" --port=0 --zmq_port=0 \
  --work_dir="$work/newer" --zk="$(jq -r .zookeeper "$dir/cluster.json" | sed 's,/stoa$,/newer,')"
check "a ZooKeeper that is not there is waited for, and said" \
  says 124 "no connection to ZooKeeper at zk://127.0.0.1:1/stoa; still trying" timeout 6 \
  "$bin/stoa-master" --port=0 --zmq_port=0 --work_dir="$work/nowhere" --zk=zk://127.0.0.1:1/stoa
check "what is no address is wrong usage" says 2 "the path is missing" "$bin/stoa-master" --zk=zk://127.0.0.1:2181

check "without Java, several masters are refused with the packages that are missing" \
  says 1 "apt install libzookeeper-java default-jre-headless" env PATH=/nowhere "$bin/stoa" --dir="$work/none" up --masters=3

check "stoa down ends masters, agents and ZooKeeper" ends_with 0 stoa down
check "nothing is left" wait_until 10 nothing_left
finish
