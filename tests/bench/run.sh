# How long one `stoa run true` takes, from typing to prompt. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

printf '%-40s %6s %8s %8s %8s\n' 'stoa run true, milliseconds' runs p50 p90 p99
for launcher in ${launchers//,/ }; do
  if [[ $launcher == oci ]] && ! is_root; then
    echo "containers need root"
    continue
  fi
  start_cluster "run-$launcher" --agents=2 --no-batch --launcher="$launcher" --resources='cpus:4;mem:4096;disk:10000'
  for ((i = 0; i < runs + 3; ++i)); do
    start=$EPOCHREALTIME
    "$BUILD/bin/stoa" --dir="$(cluster_dir "run-$launcher")" run -- true
    end=$EPOCHREALTIME
    # The first few find a cluster that has never launched anything.
    if ((i >= 3)); then echo $((${end/./} - ${start/./})); fi
  done | awk '{ print $1 / 1000 }' | percentiles "$([[ $launcher == oci ]] && echo 'in a container' || echo 'plain process')"
  end_clusters
done
for ((i = 0; i < runs; ++i)); do
  start=$EPOCHREALTIME
  "$BUILD/bin/stoa" --version > /dev/null
  end=$EPOCHREALTIME
  echo $((${end/./} - ${start/./}))
done | awk '{ print $1 / 1000 }' | percentiles 'for comparison: stoa --version'
