#!/bin/bash
# Each rule of scripts/check-layers is broken once, in a tree of one or two files, and must be told with its line.
set -uo pipefail
script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/check-layers
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

fails=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; sed 's/^/# /' <<< "$2"; fails=1; }

# put FILE LINE...: a source in an otherwise empty tree; `also` keeps what is there.
put() { rm -rf "${tree:?}"/*; also "$@"; }
also() { mkdir -p "$tree/$(dirname "$1")"; printf '%s\n' "${@:2}" > "$tree/$1"; }

says() { # NAME "FILE:LINE: beginning of the message"
  local output
  output=$(cd "$tree" && "$script") && { not_ok "$1" "passed"; return; }
  if grep -qF -- "$2" <<< "$output"; then ok "$1"; else not_ok "$1" "$output"; fi
}
passes() { # NAME
  local output
  if output=$(cd "$tree" && "$script"); then ok "$1"; else not_ok "$1" "$output"; fi
}

put protocol/a.cc '#include <string>' '#include "master/core/agents.h"'
says "protocol includes nothing else" "protocol/a.cc:2: protocol must not include master/core/agents.h"
put allocator/a.cc '#include "master/core/agents.h"'
says "the allocator does not know the master" "allocator/a.cc:1: allocator must not include"
put agent/a.cc '#include "allocator/ledger.h"'
says "the agent does not know the allocator" "agent/a.cc:1: agent must not include"
put agent/a.cc '#include <frameworks/sdk/scheduler.h>'
says "an include in angle brackets counts too" "agent/a.cc:1: agent must not include"
put master/a.cc '#include "agent/core/tasks.h"'
says "the master does not know the agent" "master/a.cc:1: master must not include"
put frameworks/cli/a.cc '#include "master/read_model.h"'
says "frameworks do not know the master" "frameworks/cli/a.cc:1: frameworks must not include"
put master/a.cc '#include "tests/sim/world.h"'
says "the product does not include tests" "master/a.cc:1: master includes tests/sim/world.h"
put docs/examples/a.cc '#include "frameworks/batch/queue.h"'
says "an example uses the public SDK only" "docs/examples/a.cc:1: examples must not include"
put master/core/a.cc '#include "../read_model.h"'
says "no way up" "master/core/a.cc:1: include by the path from the top"
put master/core/a.cc '#include "agents.h"'
says "no path that hides its folder" "master/core/a.cc:1: include by the path from the top"

put master/a.cc '#include "allocator/ledger.h"' '#include "protocol/ids.h"'
also agent/a.cc '#include "protocol/ids.h"'
also tests/sim/a.cc '#include "master/core/agents.h"' '#include "agent/core/tasks.h"' '#include "frameworks/batch/queue.h"'
also allocator/check_main.cc '#include "master/module_loader.h"'
also docs/examples/a.cc '#include "frameworks/sdk/scheduler.h"'
passes "what follows the arrows passes"

for header in fstream filesystem unistd.h sys/socket.h thread mutex condition_variable netinet/in.h glog/logging.h \
  SQLiteCpp/Database.h zmq.h boost/asio.hpp absl/synchronization/mutex.h; do
  put master/core/a.cc "#include <$header>"
  says "what is pure does not include <$header>" "master/core/a.cc:1: is pure, but includes <$header>"
done
for file in protocol/session.cc protocol/output_commit.h protocol/ids.h protocol/units.h protocol/resources/parse.cc \
  protocol/message/task_state.h allocator/drf.cc agent/core/tasks.cc frameworks/batch/queue.cc; do
  put "$file" '' '#include <thread>'
  says "$file is pure" "$file:2: is pure, but includes <thread>"
done
put agent/core/a.cc 'auto now = std::chrono::steady_clock::now();'
says "what is pure reads no clock" "agent/core/a.cc:1: is pure, but reads a clock"
put allocator/a.cc 'long t = time(nullptr);'
says "time() is a clock, too" "allocator/a.cc:1: is pure, but reads a clock"
put allocator/a.cc 'std::random_device seed;'
says "what is pure leaves nothing to chance" "allocator/a.cc:1: is pure, but uses chance"
put allocator/a.cc 'const char* home = std::getenv("HOME");'
says "what is pure reads no environment" "allocator/a.cc:1: is pure, but reads the environment"
put agent/core/a.cc '#include <csignal>' '#include <sys/wait.h>' '' '::kill(pid, SIGKILL);'
says "what is pure kills nobody" "agent/core/a.cc:4: is pure, but acts on processes"
put agent/core/a.cc '#include <csignal>' '#include <sys/wait.h>' '' 'void Agent::kill(int) { reap(WEXITSTATUS(1)); }'
passes "but it has the words for it"
put master/core/a.cc '' '#include "protocol/codec/x.h"'
also protocol/codec/x.h '#include "protocol/codec/y.h"'
also protocol/codec/y.h '#include <mutex>'
says "what is included by what is included counts" "master/core/a.cc:2: is pure, but includes protocol/codec/x.h, which"

put allocator/drf.cc '// A std::thread or steady_clock::now() would be wrong here.' '/* FLAGS_x' '#include <thread> */' \
  '#include <random>' 'int runtime(int); int a = runtime(0);'
passes "comments may speak of anything"
put master/daemon.cc '#include <thread>' 'auto now = std::chrono::steady_clock::now();'
passes "what does may use threads and clocks"

put master/doors.cc '#include <zmq.h>'
says "ZeroMQ has one folder" "master/doors.cc:1: <zmq.h> belongs to protocol/wire/"
put master/doors.cc '#include <boost/beast/http.hpp>'
says "Beast has one folder" "master/doors.cc:1: <boost/beast/http.hpp> belongs to protocol/http/"
put agent/detect.cc '#include <zookeeper/zookeeper.h>'
says "ZooKeeper has two" "agent/detect.cc:1: <zookeeper/zookeeper.h> belongs to"
put agent/detect.cc '#include <SQLiteCpp/SQLiteCpp.h>'
says "SQLite is for stores" "agent/detect.cc:1: <SQLiteCpp/SQLiteCpp.h> belongs to"
put protocol/wire/endpoint.cc '#include <zmq.h>'
also protocol/http/server.cc '#include <boost/beast/http.hpp>'
also protocol/store/writer.cc '#include <SQLiteCpp/SQLiteCpp.h>'
also master/registry/zookeeper.cc '#include <zookeeper/zookeeper.h>'
passes "at home each may be included"

put master/doors.cc 'DEFINE_int32(port, 5050, "");'
says "flags are defined in main.cc" "master/doors.cc:1: flags are"
put master/doors.cc 'int port = FLAGS_port;'
says "flags are read in main.cc" "master/doors.cc:1: flags are"
put master/main.cc 'DEFINE_int32(port, 5050, "");' 'int port = FLAGS_port;'
passes "main.cc has flags"

rm -rf "${tree:?}"/*
says "an empty tree does not pass" "no sources found"
exit $fails
