# A leader's death in a cluster of three masters and many agents: from the session's expiry to the next launch, and to the
# last agent's return. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

for count in ${failover_agents//,/ }; do
  start_cluster "failover-$count" --masters=3 --agents=1 --no-batch --launcher=process --resources='cpus:1;mem:32' \
    --master-flag=--zk_session_timeout=3s
  masters=()
  while read -r port pid; do masters+=("--master=$port:$pid"); done < <(jq -r '.processes[] | select(.name | startswith("master-")) |
    "\(.argv[] | select(startswith("--port=")) | ltrimstr("--port=")) \(.pid)"' "$(cluster_dir "failover-$count")/cluster.json")
  timeout 300 "$BUILD/bench/failover_bench" --zk="$(jq -r .zookeeper "$(cluster_dir "failover-$count")/cluster.json")" \
    "${masters[@]}" --agents="$count"
  end_clusters
done
