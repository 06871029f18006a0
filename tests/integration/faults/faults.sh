# shellcheck shell=bash disable=SC2154,SC2317 # hosts.sh sets; the functions are called by their names
# Sourced behind hosts.sh: what each line of the plan does. `fault_NAME ID TARGET ARGUMENT` begins a fault, and says with
# `undo ID COMMAND...` what ends it.

declare -A undoing=() # ID -> commands, quoted, last first

undo() { undoing[$1]="$(printf '%q ' "${@:2}");${undoing[$1]:-}"; }
end_fault() { # ID
  eval "${undoing[$1]:-}"
  unset "undoing[$1]"
}
end_all_faults() { local id; for id in "${!undoing[@]}"; do end_fault "$id"; done; }

# Who leads is known when it comes to that.
resolve() {
  if [[ $1 == leader ]]; then leader || echo master-1; else echo "$1"; fi
}

begin_fault() { # ID NAME TARGET ARGUMENT
  local target
  target=$(resolve "$3")
  tell "begin $1 $2 $target $4"
  "fault_$2" "$1" "$target" "$4"
}

# ---- Processes -------------------------------------------------------------------------------------------------------

fault_kill() {
  local victim
  victim=$(process_of "$2")
  [[ ! $victim ]] || kill -9 $victim 2> /dev/null
}
fault_kill_leader() { fault_kill "$@"; }

fault_stop() {
  local victim
  victim=$(process_of "$2")
  [[ $victim ]] || return
  kill -STOP $victim 2> /dev/null && undo "$1" go_on $victim
}
fault_stop_long() { fault_stop "$@"; }
go_on() { kill -CONT "$1" 2> /dev/null; return 0; }

# ---- Networks: the hub, from where the auditor looks, always gets through --------------------------------------------

# A rule of a host's own, until the fault's end: filter ID HOST RULE...
filter() {
  network_of "$2" iptables -w 5 -I "${@:3}" && undo "$1" network_of "$2" iptables -w 5 -D "${@:3}"
}
mute() { filter "$1" "$2" OUTPUT -o eth0 ! -d "$hub_address" -j DROP; }
deaf() { filter "$1" "$2" INPUT -i eth0 ! -s "$hub_address" -j DROP; }
# apart ID HOST PEER...: neither hears the other.
apart() {
  local peer
  for peer in "${@:3}"; do
    filter "$1" "$2" OUTPUT -d "$(address_of "$peer")" -j DROP
    filter "$1" "$2" INPUT -s "$(address_of "$peer")" -j DROP
  done
}

fault_isolate() { mute "$1" "$(host_of "$2")" && deaf "$1" "$(host_of "$2")"; }
fault_mute() { mute "$1" "$2"; }
fault_deaf() { deaf "$1" "$2"; }
fault_leader_without_agents() { apart "$1" "$2" agent-{1..6}; }
fault_leader_without_zookeeper() { apart "$1" "$2" zookeeper-{1..3}; }
# The half of the agents that the leader doesn't reach, reaches everybody else.
fault_leader_without_some() { apart "$1" "$2" agent-{1..3}; }

fault_lose() { # ARGUMENT: the part of packets that is lost, each way
  filter "$1" "$2" INPUT -i eth0 ! -s "$hub_address" -m statistic --mode random --probability "$3" -j DROP
  filter "$1" "$2" OUTPUT -o eth0 ! -d "$hub_address" -m statistic --mode random --probability "$3" -j DROP
}

# What arrives is kept for a random time, and so overtakes itself. (tc's netem is not in every kernel.)
fault_delay() { # ARGUMENT: milliseconds at most
  (exec nsenter --net="/run/netns/$(host_namespace "${host_number[$2]}")" -- \
    python3 "$here/slow_packets.py" --most="$3" --seed="$seed$1" --test="$work") >> "$dir/log/slow_packets" 2>&1 &
  undo "$1" kill $!
  disown $!
  filter "$1" "$2" INPUT -i eth0 ! -s "$hub_address" -j NFQUEUE --queue-num 0 --queue-bypass
}

# ---- Disks and clocks ------------------------------------------------------------------------------------------------

set_control() { printf '%+06d %03d\n' "$2" "$3" 1<> "$control/$1"; } # never shorter meanwhile: it is mapped

fault_disk_full() {
  # First by large pieces, then by small ones, to the last block.
  dd if=/dev/zero of="$dir/$2/filler" bs=1M 2> /dev/null
  dd if=/dev/zero of="$dir/$2/filler" bs=1k oflag=append conv=notrunc 2> /dev/null
  undo "$1" rm -f "$dir/$2/filler"
}
fault_disk_error() { set_control "$2" 0 5 && undo "$1" set_control "$2" 0 0; } # EIO
fault_clock() { set_control "$2" "$3" 0 && undo "$1" set_control "$2" 0 0; }

# ---- Machines --------------------------------------------------------------------------------------------------------

fault_reboot() { power_off "$2"; }
fault_wipe() {
  power_off "$2"
  find "$dir/$2" -mindepth 1 -delete
}

# Everything on the host, its tasks too, may use a little more memory than it does now.
fault_memory() { # ARGUMENT: kilobytes more
  local path file now
  undo "$1" tell_of_kills "$2" "$(kills_on "$2")"
  for path in $(cgroups_of "$2"); do
    file=$path/memory.limit_in_bytes
    [[ -e $file ]] || file=$path/memory.max
    [[ -e $file ]] || continue
    # What the kernel could do without, it has given back first.
    { echo 1 > "$path/memory.force_empty" || echo 1G > "$path/memory.reclaim"; } 2> /dev/null
    now=$(cat "$path/memory.usage_in_bytes" "$path/memory.current" 2> /dev/null)
    undo "$1" set_limit "$file" "$(cat "$file")"
    set_limit "$file" $((now + $3 * 1024))
  done
}
# How many processes the kernel has ended there for want of memory. A task's cgroup goes, with its count.
kills_on() {
  local path
  for path in $(cgroups_of "$1"); do
    find "$path" \( -name memory.oom_control -o -name memory.events \) -exec awk '$1 == "oom_kill" { print $2 }' {} + 2> /dev/null
  done | awk '{ sum += $1 } END { print sum + 0 }'
}
tell_of_kills() { tell "$1: $(($(kills_on "$1") - $2)) processes killed for want of memory"; }
set_limit() { echo "$2" > "$1"; } 2> /dev/null

fault_descriptors() { # ARGUMENT: how many more it may open
  local victim used
  victim=$(process_of "$2")
  used=$(ls "/proc/$victim/fd" | sort -n | tail -n 1)
  undo "$1" prlimit --pid "$victim" --nofile="$(ulimit -Sn):"
  prlimit --pid "$victim" --nofile="$((used + 1 + $3)):"
}
