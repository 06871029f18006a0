# shellcheck shell=bash disable=SC2154 # lib.sh and netns.sh set
# Sourced behind ../lib.sh and ../netns.sh: thirteen hosts, each with one daemon that is started again when it dies. A host
# is a network namespace, a mount namespace, a cgroup subtree and a disk of its own (a small ext4 on a loop device), so that
# it can be cut off, run out of memory, fill up, or be rebooted without its neighbours.
#
#   make_cluster            hosts, disks and daemons; agents registered
#   inside agent-3 COMMAND  on that host
#   process_of shim-3       pid of a daemon, or of an agent's shim
#   look_after              starts what has died, to be called all the time
#   power_off agent-3       all of its processes, its cgroups, its runtime state; look_after starts it again

host_names=(agent-1 agent-2 agent-3 agent-4 agent-5 agent-6 master-1 master-2 master-3 zookeeper-1 zookeeper-2 zookeeper-3 batch)
declare -A host_number=() init=() pid=() restart_at=() started_at=() retired=() starts=()
for ((i = 0; i < ${#host_names[@]}; ++i)); do host_number[${host_names[i]}]=$((i + 1)); done

agent_slots=${agent_slots:-8}
disk_megabytes=${disk_megabytes:-96}
control=$work/control # a file a host, which preload.so maps
jars=/usr/share/java

now_ms() { local now=${EPOCHREALTIME/./}; echo $((now / 1000)); }
address_of() { host_address "${host_number[$1]}"; }
inside() { nsenter --net="/run/netns/$(host_namespace "${host_number[$1]}")" --mount="/proc/${init[$1]}/ns/mnt" -- "${@:2}"; }
network_of() { on_host "${host_number[$1]}" "${@:2}"; }

zookeeper_address() {
  echo "zk://$(address_of zookeeper-1):2181,$(address_of zookeeper-2):2181,$(address_of zookeeper-3):2181/stoa"
}

process_of() {
  case $1 in
    shim-*) shim_of "agent-${1#shim-}" ;;
    *) echo "${pid[$1]}" ;;
  esac
}
host_of() { echo "${1/shim/agent}"; }

# ---- Cgroups: a subtree a host, in each hierarchy that limits something ----------------------------------------------

cgroup_roots() {
  awk '$3 == "cgroup2" || $3 == "cgroup" && "," $4 "," ~ /,(memory|pids|cpu|cpuacct),/ { print $2 }' /proc/self/mounts | sort -u
}
cgroups_of() { local root; for root in $(cgroup_roots); do echo "$root/stoa-faults-$$/$1"; done; }
remove_cgroups() { # PATH-BELOW-THE-ROOTS: with what is in them
  local path
  for path in $(cgroups_of "$1"); do
    [[ ! -d $path ]] || find "$path" -depth -type d -exec rmdir {} + 2> /dev/null
  done
}
make_cgroups() {
  local path
  for path in $(cgroups_of "$1"); do
    mkdir -p "$path" || return
    [[ ! -e ${path%/*}/cgroup.subtree_control ]] || echo '+memory +pids +cpu' > "${path%/*}/cgroup.subtree_control" 2> /dev/null
  done
  return 0
}

# end_all COMMAND...: the processes that it lists. Again, since they fork meanwhile, and at intervals, since nobody is told
# when another's child has gone.
end_all() {
  local left
  while left=$("$@"); [[ $left ]]; do
    # shellcheck disable=SC2086 # pids
    kill -9 $left 2> /dev/null
    sleep 0.05
  done
}
processes_below() { find "$1" -name cgroup.procs -exec cat {} + 2> /dev/null; }

# What a test left that was killed itself.
remove_former() {
  local path test
  for path in $(find $(cgroup_roots) -maxdepth 1 -type d -name 'stoa-faults-*'); do
    test=${path##*-}
    [[ ! -e /proc/$test ]] || continue
    end_all processes_below "$path"
    find "$path" -depth -type d -exec rmdir {} + 2> /dev/null
  done
}

# Processes of a host: what is in its cgroups, or in its network.
host_processes() {
  local path
  {
    for path in $(cgroups_of "$1"); do processes_below "$path"; done
    ip netns pids "$(host_namespace "${host_number[$1]}")"
  } | sort -u
}

# ---- Daemons ---------------------------------------------------------------------------------------------------------

# The command line of a host's daemon, a word a line.
command_of() {
  local address
  address=$(address_of "$1")
  case $1 in
    agent-*) printf '%s\n' "$bin/stoa-agent" --master="$(zookeeper_address)" --ip="$address" --insecure --hostname="$1" \
      --work_dir="$dir/$1" --resources="cpus:$agent_slots;mem:$((agent_slots * 64));disk:1024" --registration_spread=200ms ;;
    master-*) printf '%s\n' "$bin/stoa-master" --zk="$(zookeeper_address)" --zk_session_timeout=4s --agent_timeout=10s \
      --offer_timeout=10s --ip="$address" --insecure --work_dir="$dir/$1" ;;
    batch) printf '%s\n' "$bin/stoa-batch" --master="$(zookeeper_address)" --ip="$address" --port=5053 --insecure \
      --work_dir="$dir/$1" --unreachable_patience=5s ;;
    zookeeper-*) printf '%s\n' java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
      -cp "$dir/$1:$jars/zookeeper.jar:$jars/slf4j-log4j12.jar:$jars/log4j-1.2.jar" \
      org.apache.zookeeper.server.quorum.QuorumPeerMain "$dir/$1/zoo.cfg" ;;
  esac
}

start_daemon() {
  local command path
  readarray -t command < <(command_of "$1")
  make_cgroups "$1"
  (
    for path in $(cgroups_of "$1"); do echo "$BASHPID" > "$path/cgroup.procs"; done 2> /dev/null
    exec nsenter --net="/run/netns/$(host_namespace "${host_number[$1]}")" --mount="/proc/${init[$1]}/ns/mnt" -- \
      env LD_PRELOAD="$work/preload.so" STOA_FAULTS_CONTROL="$control/$1" STOA_FAULTS_DISK="$dir/$1/" "${command[@]}"
  ) >> "$dir/log/$1" 2>&1 < /dev/null &
  pid[$1]=$!
  disown $! # nobody is told that it was killed
  restart_at[$1]=
  started_at[$1]=$(now_ms)
  starts[$1]=$((${starts[$1]:-0} + 1))
}

# As a service manager would: a second later, and longer for what dies at once.
look_after() {
  local name now
  now=$(now_ms)
  for name in "${host_names[@]}"; do
    [[ -z ${retired[$name]:-} ]] || continue
    if [[ -z ${restart_at[$name]} ]]; then
      kill -0 "${pid[$name]}" 2> /dev/null && continue
      restart_at[$name]=$((now + (now - started_at[$name] < 5000 ? 3000 : 1000)))
      tell "$name is gone"
    elif ((now >= restart_at[$name])); then
      start_daemon "$name"
    fi
  done
}

# ---- A host's beginning and end --------------------------------------------------------------------------------------

make_disk() {
  mkdir -p "$dir/$1"
  truncate -s "${disk_megabytes}M" "$work/disk-$1" &&
    mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1 "$work/disk-$1" && mount -o loop "$work/disk-$1" "$dir/$1" &&
    chmod 755 "$dir/$1" && rmdir "$dir/$1/lost+found"
}

# A boot has its id, which agents tell a reboot by, and nothing that is mounted. Its mount namespace is kept by a process
# that ends with the test.
boot() {
  cat /proc/sys/kernel/random/uuid > "$work/boot-$1"
  unshare --mount --propagation private bash -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && : > "$1-done" &&
    exec tail --pid="$2" -s 1 -f /dev/null' boot "$work/boot-$1" $$ &
  init[$1]=$!
  disown $!
  wait_until 10 test -e "$work/boot-$1-done" && rm "$work/boot-$1-done"
}

power_off() {
  end_all host_processes "$1"
  remove_cgroups "$1"
  rm -rf "$dir/$1/run"
  kill -9 "${init[$1]}"
  restart_at[$1]=$(($(now_ms) + 2000))
  boot "$1"
}

prepare_zookeeper() {
  local number
  mkdir -p "$dir/$1/data"
  echo "${1#zookeeper-}" > "$dir/$1/data/myid"
  cat > "$dir/$1/zoo.cfg" << END
tickTime=500
initLimit=20
syncLimit=10
minSessionTimeout=1000
maxSessionTimeout=60000
admin.enableServer=false
4lw.commands.whitelist=srvr,ruok
maxClientCnxns=0
snapCount=2000
preAllocSize=1024
dataDir=$dir/$1/data
clientPortAddress=$(address_of "$1")
clientPort=2181
$(for number in 1 2 3; do echo "server.$number=$(address_of zookeeper-$number):2888:3888"; done)
END
  cat > "$dir/$1/log4j.properties" << 'END'
log4j.rootLogger=WARN, CONSOLE
log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender
log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout
log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} %-5p %c{1}: %m%n
END
}

# What the leader says of its agents and frameworks.
leader() {
  local master
  for master in master-1 master-2 master-3; do
    [[ $(network_of "$master" curl -s -m 1 -o /dev/null -w '%{http_code}' "http://$(address_of "$master"):5050/health") == 200 ]] &&
      [[ $(network_of "$master" curl -s -m 1 -o /dev/null -w '%{http_code}' "http://$(address_of "$master"):5050/slaves") == 200 ]] &&
      echo "$master" && return
  done
  return 1
}
all_agents_active() {
  local master
  master=$(leader) &&
    [[ $(on_hub curl -s -m 2 "http://$(address_of "$master"):5050/slaves" | jq '[.slaves[] | select(.active)] | length') == 6 ]]
}
batch_door_answers() { curl -s -m 2 --unix-socket "$dir/batch/door" http://batch/health -o /dev/null; }

make_cluster() {
  local name
  mkdir -p "$control" "$dir/log"
  remove_former
  make_hosts ${#host_names[@]} || return
  for name in "${host_names[@]}"; do
    printf '%+06d %03d\n' 0 0 > "$control/$name"
    make_disk "$name" && boot "$name" || return
    [[ $name != zookeeper-* ]] || prepare_zookeeper "$name"
  done
  for name in "${host_names[@]}"; do start_daemon "$name"; done
  wait_until 60 all_agents_active && wait_until 20 batch_door_answers
}

# In good order: the work first, then who led it.
end_cluster() {
  local name signal
  for name in "${host_names[@]}"; do retired[$name]=yes; done
  for name in batch agent-{1..6} master-{1..3} zookeeper-{1..3}; do
    signal=TERM
    [[ $name != agent-* ]] || signal=USR1 # ends its tasks, unregisters, ends
    kill -$signal "${pid[$name]}" 2> /dev/null
    # Agents at the same time.
    [[ $name != agent-[1-5] ]] || continue
    wait_until 20 has_ended batch "$name" || return
    [[ $name != agent-6 ]] || wait_until 20 has_ended agent-{1..6} || return
  done
}
has_ended() { local name; for name in "$@"; do ! kill -0 "${pid[$name]}" 2> /dev/null || return 1; done; }
