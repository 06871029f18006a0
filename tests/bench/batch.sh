# An array of tasks through stoa-batch, and the same programs through plain tools. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154,SC2016 # scripts/bench sets; inner shells expand

one_byte=$scratch/one-byte
${CC:-cc} -static -O2 -o "$one_byte" "$source_dir/tests/bench/one_byte.c"
chmod 755 "$one_byte"

# How many bytes the tasks left in their sandboxes.
bytes_in() { find "$1"/agent-*/sandboxes -name stdout -printf '%s\n' | awk '{ t += $1 } END { print t + 0 }'; }

# through_batch CLUSTER ROW COUNT PROGRAM: the rate until the last acknowledgement.
through_batch() {
  local cluster=$1 row=$2 count=$3 program=$4 cpu took before note=
  before=$(bytes_in "$(cluster_dir "$cluster")")
  cpu=$(cpu_micros)
  took=$(counted "$BUILD/bench/batch_bench" --dir="$(cluster_dir "$cluster")" --tasks="$count" -- "$program")
  cpu=$(($(cpu_micros) - cpu))
  if [[ $program == "$one_byte" ]]; then
    note="$(($(bytes_in "$(cluster_dir "$cluster")") - before)) bytes"
  fi
  rate "$row" "$count" "$took" "$cpu" "$note"
}

# ---- Plain processes

if [[ ,$launchers, == *,process,* ]]; then
  rate_heading 'plain processes'
  for program in /bin/true "$one_byte"; do
    name=$(basename "$program")
    measured "xargs -P2 -n1: $name" "$tasks" \
      bash -c 'yes | head -n "$1" | xargs -P2 -n1 "$0"' "$program" "$tasks"
    if has ninja; then
      mkdir -p "$scratch/ninja"
      {
        printf 'rule run\n  command = %s\n' "$program"
        for ((i = 0; i < tasks; ++i)); do echo "build out$i: run"; done
      } > "$scratch/ninja/build.ninja"
      measured "ninja -j2: $name" "$tasks" ninja -j2 -C "$scratch/ninja" --quiet
      rm -rf "$scratch/ninja"
    else
      echo "ninja is not installed"
    fi
    for n in ${slots//,/ }; do
      each=$(((n + 1) / 2))
      start_cluster "process-$n" --agents=2 --launcher=process --resources="cpus:$each;mem:100000;disk:10000"
      through_batch "process-$n" "stoa, $((each * 2)) slots: $name" "$tasks" "$program"
      end_clusters
    done
  done
fi

# ---- Containers

if [[ ,$launchers, == *,oci,* ]]; then
  rate_heading 'containers'
  if ! is_root; then
    echo "containers need root"
  else
    if has crun && has jq; then
      "$source_dir/tests/bench/bare_crun" prepare "$scratch/crun" "$container_tasks" "/stoa-bench-$$"
      measured "bare crun, two at a time: true" "$container_tasks" \
        "$source_dir/tests/bench/bare_crun" run "$scratch/crun" "$container_tasks"
      rm -rf "$scratch/crun"
    else
      echo "crun or jq is not installed"
    fi
    for n in ${slots//,/ }; do
      each=$(((n + 1) / 2))
      start_cluster "oci-$n" --agents=2 --launcher=oci --resources="cpus:$each;mem:100000;disk:10000"
      for program in /bin/true "$one_byte"; do
        through_batch "oci-$n" "stoa, $((each * 2)) slots: $(basename "$program")" "$container_tasks" "$program"
      done
      end_clusters
    done
  fi
fi
