#!/bin/bash
# Executes every command of docs/simulate.md, in order, as a newcomer would, and looks at what comes out.
source "$(dirname "$0")/lib.sh"
top=$(cd "$(dirname "$0")/../.." && pwd)

export STOA_DIR=$dir PATH=$bin:$PATH
mkdir "$work/here" && cd "$work/here" || exit 1
http=$(free_port)
page=$top/docs/simulate.md
blocks() {
  awk '/^```sh$/ { inside = 1; next } /^```$/ { if (inside) print "\001"; inside = 0 } inside' "$page" |
    sed "s,127\.0\.0\.1:5050,127.0.0.1:$http,; s,stoa up ,stoa up --port=$http ,"
}
count=0
while IFS= read -r -d $'\001' block; do
  count=$((count + 1))
  printf 'set -euo pipefail\n%s\n' "$block" > "$work/block"
  check "docs/simulate.md, block $count works: $(sed -n '/./{p;q}' <<< "$block")" timeout 120 bash "$work/block"
  command stoa down > /dev/null 2>&1
done <<< "$(blocks)"
check "all of its blocks were found" test "$count" = "$(grep -c '^```sh$' "$page")"

# ---- What comes out --------------------------------------------------------------------------------------------

simulate() { command stoa simulate --cluster=cluster.csv --workload=trace.csv "$@"; }
compares() { simulate --json --without=rack=b | jq -e '.runs | map(.name) == ["before", "after"] and .[0].agents == 50 and .[1].agents == 40'; }
check "before and after are in one answer" compares
check "what never found a place says what it lacks" says 0 "12 tasks of train, cpus:8;gpus:1: " simulate --without=rack=b
check "the global --json means the same" bash -c 'stoa --json simulate --cluster=cluster.csv --workload=trace.csv | jq -e ".seed == 1"'
same() { cmp <(simulate --seed=3 --json "$@") <(simulate --seed=3 --json "$@"); }
check "the same seed gives the same answer" same --stream="every=5s shape=cpus:1;mem:64 duration=~9m count=1..5"
well_formed() { python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' answer.svg; }
check "the picture is well-formed" well_formed
rows() { (($(wc -l < answer.csv) > 100)) && head -n 1 answer.csv | grep -qx 'run,seconds,role,share,cpus,mem,disk,gpus,waiting'; }
check "the course of time is CSV" rows
check "--help is the simulator's" says 0 "--try-allocator" command stoa simulate --help

# ---- What people get wrong -------------------------------------------------------------------------------------

printf 'submit,shape,duration\n0,cpus:1,soon\n' > wrong.csv
check "a wrong file is named with line and column" says 2 'wrong.csv:2: duration: "soon" is no time; write' command stoa simulate --cluster=cluster.csv --workload=wrong.csv
check "a file that is not there" says 2 "none.csv can't be read: No such file" command stoa simulate --cluster=none.csv --workload=trace.csv
check "no cluster" says 2 "say of which cluster" command stoa simulate --workload=trace.csv
check "no work" says 2 "say what work" command stoa simulate --cluster=cluster.csv
check "an unknown class" says 2 '--add: there is no class "huge"; there are big, small' simulate --add=3xhuge
check "an unknown attribute" says 2 '--without: no agent is of "rack=z"' simulate --without=rack=z
check "a wrong weight" says 2 '--weight: "etl" is not ROLE=WEIGHT' simulate --weight=etl
check "an unknown module" says 2 'there is no allocator "best"' simulate --try-allocator=best
check "an unknown option" says 2 "--ad" simulate --ad=1
check "no master" says 1 "http://127.0.0.1:1/weights: " command stoa simulate --from=http://127.0.0.1:1
command stoa credentials new "$work/set" > /dev/null
"$bin/stoa-master" --credentials="$work/set/masters.json" --work_dir="$work/m" --port="$http" --zmq_port=0 2> /dev/null &
wait_until 10 curl -sf "http://127.0.0.1:$http/health"
check "a master that asks who one is" says 1 "/weights: 401 " command stoa simulate --from="http://127.0.0.1:$http"
check "and is told" says 2 "/state: no agent is active" \
  env STOA_CREDENTIAL="$work/set/operator.json" "$bin/stoa" simulate --from="http://127.0.0.1:$http"
kill %% && wait %% 2> /dev/null
check "a picture that can't be written" says 1 "/no/such/place can't be written" simulate --svg=/no/such/place

export -n STOA_DIR
cd / && unset OLDPWD
check "nothing is left" wait_until 10 nothing_left
finish
