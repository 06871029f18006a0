#!/bin/bash
# One seed is one history, whatever the compiler made of the code and wherever things lie in memory: otherwise a seed
# that failed could not be replayed. Every build of stoa-sim that BUILD holds takes part (check-full adds one without
# optimization, and the sanitized one).
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}

sims=("$build/bin/stoa-sim")
for variant in O0 asan; do
  [[ -x $build/$variant/bin/stoa-sim ]] && sims+=("$build/$variant/bin/stoa-sim")
done

# The digests of a seed in the given surroundings: as they come, at fixed addresses, in memory that is filled with a
# pattern when it is given back, and with large holes between the pieces.
digests() { # SIM SEED
  "$1" --seed="$2"
  setarch -R "$1" --seed="$2"
  MALLOC_PERTURB_=165 "$1" --seed="$2"
  MALLOC_MMAP_THRESHOLD_=4096 MALLOC_TOP_PAD_=1048576 "$1" --seed="$2"
}

fails=0
for seed in 1 2 3 5 8; do
  found=$(for sim in "${sims[@]}"; do digests "$sim" "$seed"; done 2>/dev/null | sed -n 's/^ *digest //p')
  runs=$(wc -l <<< "$found")
  if (( runs == 4 * ${#sims[@]} )) && (( $(sort -u <<< "$found" | wc -l) == 1 )); then
    echo "ok - seed $seed has one digest in $runs runs"
  else
    echo "not ok - seed $seed has one digest in $runs runs"
    sed 's/^/# /' <<< "$found"
    fails=1
  fi
done
exit $fails
