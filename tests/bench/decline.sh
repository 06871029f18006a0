# Frameworks that decline everything: the master's processor time an offer. Sourced by scripts/bench.
# shellcheck shell=bash disable=SC2154

mkdir -p "$scratch/decline"
"$BUILD/bin/stoa-master" --port=0 --zmq_port=0 --port_file="$scratch/decline/ports" \
  --work_dir="$scratch/decline/master" > "$scratch/decline/log" 2>&1 &
master=$!
trap 'kill "$master" 2>/dev/null; wait "$master" || :' EXIT
for ((i = 0; i < 200; ++i)); do
  [[ -s $scratch/decline/ports ]] && break
  sleep 0.05
done
[[ -s $scratch/decline/ports ]] || { cat "$scratch/decline/log" >&2; exit 1; }
{ read -r http_port; read -r wire_port; } < "$scratch/decline/ports"
timeout $((seconds + 60)) "$BUILD/bench/decline_bench" --pid="$master" --http="$http_port" --wire="$wire_port" \
  --frameworks="$decliners" --agents="$decliners" --seconds="$seconds"
