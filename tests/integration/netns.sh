# shellcheck shell=bash disable=SC2154 # lib.sh sets
# Sourced behind lib.sh by tests whose hosts are to be apart: network namespaces on one bridge, each with an address of
# its own, so that what passes between them is real TCP over real interfaces. The master and whoever uses the cluster
# are in a namespace of their own, the hub, which has the bridge.
#
#   source "$(dirname "$0")/lib.sh"
#   source "$(dirname "$0")/netns.sh"
#   start_hosts 4 --resources='cpus:2;mem:2048'     # a master in the hub, an agent in each host
#   on_hub "$bin/stoa" --master="$master_at" agents
#   bytes_through 3                                 # of host 3's interface, both ways
#
# The namespaces go with the test, however it ends; what a killed one left is removed by the next.

net_prefix=stoa-test
hub_address=10.123.0.1
master_at=$hub_address:5050
hosts=0
# How the daemons know who asks; a test may set its own before start_hosts.
master_security=(--insecure)
agent_security=(--insecure)

host_address() { echo "10.123.0.$((10 + $1))"; }
host_namespace() { echo "$net_prefix-$$-$1"; }
on_host() { nsenter --net="/run/netns/$(host_namespace "$1")" -- "${@:2}"; }
on_hub() { on_host hub "$@"; }

# As seen by who is in the hub.
stoa() { on_hub "$bin/stoa" --master="$master_at" "$@"; }

remove_hosts() { # [PREFIX]
  local name # of a test in a mount namespace of its own, only the name is here, and ip complains
  for name in $(ip netns list 2> /dev/null | awk -v prefix="${1:-$net_prefix-$$-}" 'index($1, prefix) == 1 { print $1 }'); do
    ip netns del "$name"
  done
}

make_hosts() { # COUNT
  local name pid number
  for name in $(ip netns list 2> /dev/null | awk -v prefix="$net_prefix-" 'index($1, prefix) == 1 { print $1 }'); do
    pid=${name#"$net_prefix-"}
    pid=${pid%%-*}
    [[ -e /proc/$pid ]] || ip netns del "$name"
  done
  trap 'clean_up; remove_hosts' EXIT
  hosts=$1
  ip netns add "$(host_namespace hub)" || return
  ip -n "$(host_namespace hub)" link set lo up &&
    ip -n "$(host_namespace hub)" link add bridge type bridge &&
    ip -n "$(host_namespace hub)" address add "$hub_address/24" dev bridge &&
    ip -n "$(host_namespace hub)" link set bridge up || return
  for ((number = 1; number <= hosts; ++number)); do
    ip netns add "$(host_namespace "$number")" &&
      ip -n "$(host_namespace "$number")" link set lo up &&
      ip -n "$(host_namespace "$number")" link add eth0 type veth peer name "host$number" netns "$(host_namespace hub)" &&
      ip -n "$(host_namespace hub)" link set "host$number" master bridge up &&
      ip -n "$(host_namespace "$number")" address add "$(host_address "$number")/24" dev eth0 &&
      ip -n "$(host_namespace "$number")" link set eth0 up || return
  done
}

agents_registered() { [[ $(stoa --json agents | jq '[.slaves[] | select(.active)] | length') == "$1" ]]; }

# start_daemons [OPTION-OF-AN-AGENT...]
start_daemons() {
  local number
  on_hub "$bin/stoa-master" --ip="$hub_address" "${master_security[@]}" --work_dir="$dir/master" > "$dir/log/master" 2>&1 &
  for ((number = 1; number <= hosts; ++number)); do
    on_host "$number" "$bin/stoa-agent" --master="$hub_address:5052" --ip="$(host_address "$number")" "${agent_security[@]}" \
      --hostname="host$number" --work_dir="$dir/agent-$number" "$@" > "$dir/log/agent-$number" 2>&1 &
  done
}

# start_hosts COUNT [OPTION-OF-AN-AGENT...]
start_hosts() {
  make_hosts "$1" || { not_ok "network namespaces can be made"; finish; }
  mkdir -p "$dir/log"
  start_daemons "${@:2}"
  wait_until 30 agents_registered "$hosts" && return
  not_ok "a cluster over $hosts hosts starts" "$(tail -n 5 "$dir"/log/*)"
  finish
}

bytes_through() { # HOST
  ip -n "$(host_namespace "$1")" -json -statistics link show eth0 | jq '.[0].stats64 | .rx.bytes + .tx.bytes'
}
