#!/bin/bash
# A master whose HTTP port is flooded: half-open connections by the thousand, bodies that never end, bodies too large and
# too deep. Its memory stays bounded, and others are served.
source "$(dirname "$0")/lib.sh"

start_cluster --agents=1 --resources='cpus:2;mem:1024'
master=$(pid_of master)
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$master/status"; }
url=http://127.0.0.1:$(http_port)
before=$(resident_kib)

status_of() { # EXPECTED BODY-FILE
  local got
  got=$(curl -s -m 20 -o "$work/answer" -w '%{http_code}' -H 'Content-Type: application/json' --data-binary @"$2" "$url/api/v1/scheduler")
  [[ $got == "$1" ]] || { echo "answered $got, not $1"; head -c 300 "$work/answer"; return 1; }
}
head -c $((17 << 20)) /dev/zero > "$work/large"
check "a body that is too large is refused" status_of 413 "$work/large"
head -c 2000000 /dev/zero | tr '\0' '[' > "$work/deep"
check "one that is nested too deeply is no call" status_of 400 "$work/deep"
{ printf '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"'; head -c 2000000 /dev/zero | tr '\0' 'x'; printf '"}}}'; } > "$work/long"
check "a name of 2 MB is told on the stream, which then ends" status_of 200 "$work/long"
check "by an event" grep -q '"type":"ERROR"' "$work/answer"

# Each flood says "there" when it stands, and holds on until it is killed.
flood() { # COUNT FIRST-BYTES
  exec python3 -c '
import socket, sys, time
port, count, begin = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape").encode()
held = []
for i in range(count):
    s = socket.create_connection(("127.0.0.1", port), timeout=20)
    s.settimeout(2)
    try:
        s.sendall(begin + b"x" * (200000 if b"Content-Length" in begin else 0))
    except OSError:
        pass # refused already: as good
    held.append(s)
print("there", flush=True)
time.sleep(600)
' "$(http_port)" "$@" > "$work/flood-$BASHPID" 2>&1
}
ulimit -n 16384
floods=()
flood 3000 'POST /api/v1/scheduler HTTP/1.1\r\nContent-Type: appli' & floods+=($!)
flood 500 'POST /api/v1/scheduler HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 15000000\r\n\r\n{' & floods+=($!)
stand() { [[ $(cat "$work"/flood-* | grep -c there) == 2 ]]; }
check "the floods stand" wait_until 60 stand
served() { [[ $(curl -s -m 2 -o /dev/null -w '%{http_code}' "$url/health") == 200 ]]; }
check "a GET is answered" served
check "so is an operator's call" ends_with 0 curl -sf -m 5 -o /dev/null -H 'Content-Type: application/json' -d '{"type":"GET_STATE"}' "$url/api/v1"
check "a task runs" ends_with 0 timeout 30 "$bin/stoa" --dir="$dir" run -- true
grown=$(($(resident_kib) - before))
echo "# 3500 connections that finish nothing: the master's memory grew by $grown KiB"
check "the master's memory is bounded" test "$grown" -lt $((300 * 1024))
kill "${floods[@]}" 2> /dev/null
wait "${floods[@]}" 2> /dev/null
check "and it is the same master" ends_with 1 gone "$master"
stoa down > "$work/down.log" 2>&1
check "nothing is left" nothing_left
finish
