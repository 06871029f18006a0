#!/bin/bash
# Frameworks and allocator modules out of the tree: what `make install` puts down is all there is, since the tree is
# hidden; a plug-in is made from the template, built, tested and run against a live cluster, again with its state, and
# refused where it does not fit. The commands of docs/writing-a-framework.md and docs/writing-an-allocator.md are run as
# they stand there.
private_mounts=yes
source "$(dirname "$0")/lib.sh"
tree=$(cd "$(dirname "$0")/../.." && pwd)
build=$(dirname "$bin")
unset MAKEFLAGS MAKELEVEL XDG_STATE_HOME

# ---- Installed, and nothing else -------------------------------------------------------------------------------

check "make install puts everything under DESTDIR" ends_with 0 \
  make -s -C "$tree" BUILD="$(realpath --relative-to="$tree" "$build")" install DESTDIR="$work/root" prefix=/usr/local
installed() { (cd "$work/root/usr/local" && ls -d $1); }
for what in bin/stoa bin/sbatch bin/squeue bin/scancel bin/sinfo bin/stoa-allocator-check lib/libstoa.so.0 lib/libstoa-testkit.so.0 lib/pkgconfig/stoa-testkit.pc \
  include/stoa/frameworks/sdk/plugin_face.h include/stoa/testkit/cluster.h include/stoa/allocator/module_face.h \
  share/stoa/templates/framework/Makefile lib/systemd/system/stoa-master.service; do
  check "it installs $what" installed $what
done
check "the program in a unit is the installed one" says 0 /usr/local/bin/stoa-master \
  grep ExecStart= "$work/root/usr/local/lib/systemd/system/stoa-master.service"
foreign_symbols() { nm -DC --defined-only "$1" | grep -v '\bstoa::'; }
for library in libstoa libstoa-testkit; do
  check "$library.so shows the project's own names alone" ends_with 1 foreign_symbols "$work/root/usr/local/lib/$library.so"
done

uninstalled() {
  cp -a "$work/root" "$work/root2" &&
    make -s -C "$tree" BUILD="$(realpath --relative-to="$tree" "$build")" uninstall DESTDIR="$work/root2" prefix=/usr/local > /dev/null &&
    ! find "$work/root2" ! -type d | grep .
}
check "make uninstall takes all of it away" uninstalled

# commands_of PAGE SECTION: the indented lines of its first block.
commands_of() { awk -v section="## $2" '$0 == section { in_it = 1 } in_it && /^    / { print; found = 1 } found && !/^    / { exit }' "$tree/docs/$1"; }
framework_commands=$(commands_of writing-a-framework.md "The short way: a plug-in")
allocator_commands=$(commands_of writing-an-allocator.md "The short way")
cp "$tree/docs/examples/hello_framework.cc" "$work"
mount --bind "$work/root/usr/local" /usr/local
hide() { mount -t tmpfs -o size=1m none "$1"; }
hide "$build"
hide "$tree"
check "the source tree is hidden" ends_with 2 ls "$tree/protocol"
bin=/usr/local/bin
export HOME=$work/home
mkdir "$HOME" "$work/empty"
cd "$work/empty" || exit

check "pkg-config finds the SDK" says 0 -lstoa pkg-config --libs stoa
check "and says what version it is" ends_with 0 pkg-config --exact-version="$(stoa --version)" stoa
each_header_compiles() {
  local header
  for header in $(cd /usr/local/include/stoa && find frameworks allocator testkit -name '*.h'); do
    g++ $(pkg-config --cflags stoa) -fsyntax-only -include "$header" -x c++ /dev/null || return
  done
}
check "each installed header compiles by itself" each_header_compiles

# ---- A framework -----------------------------------------------------------------------------------------------

as_in_the_docs() { env STOA_DIR="$work/docs" bash -exo pipefail -c "$1"; }
check "the commands of docs/writing-a-framework.md run" says 0 "5 finished, 0 failed" as_in_the_docs "$framework_commands"
check "its test runs in a cluster in virtual time" says 0 "PASSED" make -C hello test
check "the starting point is not written over" says 1 "./hello is there already" stoa framework new hello
check "a name that can't be a class's is refused" says 2 "won't do as a name" stoa framework new 2nd-try
check "a framework that is a program of its own compiles" \
  g++ -std=c++20 "$work/hello_framework.cc" $(pkg-config --cflags --libs stoa) -o "$work/hello_framework"
cd hello || exit
check "nothing of the template is left open" ends_with 1 grep -r '@[Nn]ame@' .

start_cluster --agents=2
run_hello() { stoa framework run ./libhello.so "$@"; }
kept=$HOME/.local/state/stoa/frameworks/hello
check "--help tells its own flags" says 0 "how often to run each until it ends well" run_hello --help
check "a flag that it has not is refused" says 2 "there is no flag --color" run_hello --color=red
check "a value that won't do is refused" says 2 '--tasks: "many" is no whole number' run_hello --tasks=many
check "what its constructor refuses is refused" says 2 "must be at least 1" run_hello --tasks=0
check "a framework's own flags don't mix with those of stoa" says 2 "no option of" stoa framework run --tasks=3 ./libhello.so
check "without a plug-in it says what to give" says 2 "say which plug-in" stoa framework run

check "it runs its tasks to their end" says 0 "4 finished, 0 failed" run_hello --tasks=4
check "its tasks ran" says 0 4 eval 'stoa --json tasks | jq "[.tasks[] | select(.name == \"hello\" and .state == \"TASK_FINISHED\")] | length"'

# An end in the middle, and a life after it. Its tasks wait for a file in their sandboxes.
wait_for_go='until [ -e go ]; do sleep 0.05; done'
background() { exec "$bin/stoa" --dir="$dir" framework run "$@"; } # so that the pid is its own
start_hello() { background ./libhello.so --tasks=2 --command="$wait_for_go" > "$work/$1" 2>&1 & hello=$!; }
both_run() { (($(stoa --json tasks | jq '[.tasks[] | select(.name == "hello" and .state == "TASK_RUNNING")] | length') == 2)); }
identities() { for pid in $(stoa --json tasks | jq -r '.tasks[] | select(.name == "hello" and .state == "TASK_RUNNING") | [.statuses[].pid | numbers] | last' | sort); do echo "$pid $(start_time "$pid")"; done; }
subscribed_as() { sed -n '/^subscribed as /{s///p;q}' "$work/$1"; }
start_hello first
check "two tasks run" wait_until 20 both_run
before=$(identities)
check "a second run of it is kept out" says 1 "in use" run_hello --tasks=2
kill_hard "$hello"
wait "$hello" 2> /dev/null
check "its tasks outlive it" both_run
start_hello second
check "its next life subscribes" wait_until 20 grep -q "subscribed as" "$work/second"
check "with the id that was kept" test "$(subscribed_as second)" = "$(subscribed_as first)"
kill -INT "$hello"
check "ctrl-C ends it" ends_with 130 wait_for "$hello" 10
check "and its tasks go on, the same processes" test "$(both_run && identities)" = "$before"
start_hello third
wait_until 20 grep -q "subscribed as" "$work/third"
for sandbox in "$dir"/agent-*/sandboxes/"$(subscribed_as third)"/*/; do touch "$sandbox/go"; done
check "its last life ends when they have ended" ends_with 0 wait_for "$hello" 30
check "and knows how" grep -q "2 finished, 0 failed" "$work/third"
check "having torn itself down it begins anew" says 0 "1 finished, 0 failed" run_hello --tasks=1
check "as another framework" test "$(run_hello --tasks=1 | sed -n 's/^subscribed as //p')" != "$(subscribed_as first)"
check "its state can be kept elsewhere, under another name" says 0 "1 finished" \
  stoa framework run --name=other --state="$work/state" ./libhello.so --tasks=1
check "in a directory of that name" test -e "$work/state/other/framework.db"
check "which is its user's alone" test "$(stat -c %a "$work/state/other")" = 700

# A full disk.
mkdir "$work/full"
mount -t tmpfs -o size=2m none "$work/full"
start_hello_on() { background --state="$work/full" ./libhello.so --tasks=1 --command="$wait_for_go" > "$work/$1" 2>&1 & hello=$!; }
start_hello_on fourth
wait_until 20 is_running hello
dd if=/dev/zero of="$work/full/filler" bs=4k 2> /dev/null
touch "$(sandbox_of hello)/go"
check "when its state can't be written it ends" ends_with 1 wait_for "$hello" 20
check "and says why" grep -q "framework.db.*the disk is full" "$work/fourth"
rm "$work/full/filler"
start_hello_on fifth
check "what it could not write down it is told again" ends_with 0 wait_for "$hello" 30
check "so that nothing is run twice" test "$(grep -c TASK_FINISHED "$work/fifth"),$(subscribed_as fifth)" = "1,$(subscribed_as fourth)"
umount "$work/full"

# A master that comes and goes.
start_hello sixth
wait_until 20 both_run
kill_hard "$(pid_of master)"
background --name=early ./libhello.so --tasks=1 > "$work/early" 2>&1 &
early=$!
check "without a master it says that it waits" wait_until 10 grep -q "waiting for it" "$work/early"
restart > /dev/null
check "and runs when there is one" ends_with 0 wait_for $early 40
check "one that was there before goes on" both_run
for sandbox in "$dir"/agent-*/sandboxes/"$(subscribed_as sixth)"/*/; do touch "$sandbox/go"; done
check "to its end" ends_with 0 wait_for "$hello" 40

printf 'not a database, but long enough to be one: %01000d' 0 > "$kept/framework.db"
check "damaged state is refused, by name" says 1 "$kept/framework.db is damaged" run_hello --tasks=1
rm -r "$kept"

# ---- Plug-ins that don't fit -----------------------------------------------------------------------------------

cd "$work/empty" || exit
plugin() { # NAME CODE: a plug-in in C
  { echo '#include "frameworks/sdk/plugin.h"'; cat; } > "$1.c"
  gcc -I/usr/local/include/stoa -Wall -shared -fPIC "$1.c" -o "$1.so"
}
functions='
static const char* usage(void) { return ""; }
static int create(const struct stoa_framework_host_v1* h, const char* const* f, size_t n, void** s, char* e, size_t z) { *s = (void*)h; return 0; }
static int run(void* s, char* e, size_t z) { BODY; return 0; }
static void nothing(void* s) {}
const struct stoa_framework_plugin_v1* stoa_framework_v1(void) {
    static const struct stoa_framework_plugin_v1 p = {SIZE, ABI, "bad", "", usage, create, run, nothing, DESTROY};
    return &p;
}'
variant() { # NAME SED-EXPRESSIONS...: of the above
  local name=$1 edits=()
  shift
  for edit in "$@" 's/SIZE/sizeof p/' 's/ABI/STOA_FRAMEWORK_ABI/' 's/BODY//' 's/DESTROY/nothing/'; do edits+=(-e "$edit"); done
  { printf '#include <signal.h>\n#include <unistd.h>\n'; sed "${edits[@]}" <<< "$functions"; } | plugin "$name"
}
refused() { says 1 "$1" stoa framework run "$2"; } # WHY PLUG-IN
variant good
check "a plug-in in C is run" ends_with 0 stoa framework run ./good.so
variant newer 's/ ABI/ 99/'
check "one of another ABI is refused, with what was found and what is needed" \
  refused "built for version 99 of the plug-in interface; stoa $(stoa --version) needs version 1" ./newer.so
variant smaller 's/SIZE/8/'
check "so is one with a smaller table" refused "its table of functions has 8 bytes" ./smaller.so
variant without 's/DESTROY/0/'
check "so is one whose table lacks an entry" refused "an entry of its table is missing" ./without.so
plugin no_entry <<< 'int stoa_framework_v0(void) { return 0; }'
check "so is a shared object that is no plug-in" refused "doesn't export stoa_framework_v1()" ./no_entry.so
plugin undefined <<< 'int _ZN4stoa3sdk6Driver5adoptEi(int); const void* stoa_framework_v1(void) { return _ZN4stoa3sdk6Driver5adoptEi(1) ? "" : 0; }'
check "so is one that needs what this SDK has not, by its C++ name" refused "nothing defines stoa::sdk::Driver::adopt(int)" ./undefined.so
echo 'int x;' | gcc -x c - -shared -Wl,-soname,libstoa.so.9 -o libstoa.so.9
echo 'extern int x; const void* stoa_framework_v1(void) { return &x; }' | gcc -x c - -shared -fPIC -o newest.so -L. -l:libstoa.so.9
rm libstoa.so.9
check "so is one of another SDK" refused "libstoa.so.9: cannot open" ./newest.so
check "and it is told which SDK it must be" refused "whose SDK is libstoa.so.0" ./newest.so
printf '#!/bin/sh\necho hello\n' > script.so
check "so is a script" refused 'it begins with "#!/bin/sh"' ./script.so
check "so is an object file" refused "its ELF type is 1" "$work/empty/hello/hello.o"
check "so is a file that is not there" refused "there is no file ./absent.so" ./absent.so

variant crashing 's/BODY/raise(SIGSEGV)/'
stoa framework run ./crashing.so 2> /dev/null
check "a plug-in that crashes ends its own process" test $? = 139
# By then the plug-in's thread is about to start, and a signal does not end the process by itself.
blocks_sigint() { local mask; mask=$(sed -n 's/^SigBlk:\t//p' "/proc/$1/status") && ((0x$mask & 2)); }
variant hanging 's/BODY/for (;;) pause()/'
background ./hanging.so 2> "$work/hanging" &
hanging=$!
wait_until 10 blocks_sigint $hanging
kill -INT $hanging
check "a callback that hangs is given 5 s" ends_with 130 wait_for $hanging 8
check "and named" grep -q "./hanging.so does not end: a callback of it still runs" "$work/hanging"
background ./hanging.so 2> /dev/null &
hanging=$!
wait_until 10 blocks_sigint $hanging
kill -INT $hanging
sleep 0.3 # within 200 ms it would count as the same one
kill -INT $hanging
check "or until a second ctrl-C" ends_with 130 wait_for $hanging 2
check "the cluster minds none of it" says 0 7 stoa run -- echo 7
check "stoa down ends it" ends_with 0 stoa down

# ---- An allocator ----------------------------------------------------------------------------------------------

cd "$work/empty" || exit
check "the commands of docs/writing-an-allocator.md run" says 0 passed as_in_the_docs "$allocator_commands"
cd fewest || exit
check "nothing of the template is left open" ends_with 1 grep -r '@[Nn]ame@' .
check "it is no framework, which is said" says 1 "it is an allocator module" stoa framework run ./libfewest.so
start_cluster --agents=2 --master-flag=--allocator="$PWD/libfewest.so"
check "a master runs with it" says 0 "$PWD/libfewest.so" curl -s "http://127.0.0.1:$(http_port)/flags"
check "and places tasks" says 0 hello stoa run -- echo hello
wrong() { "$bin/stoa-master" --allocator="$1" --work_dir="$work/m" --port=0 --zmq_port=0; }
check "a framework plug-in is no allocator, which is said" says 2 "doesn't export stoa_allocator_v1()" wrong "$work/empty/hello/libhello.so"
check "stoa down ends it" ends_with 0 stoa down
# What names $work in its environment is taken for the test's.
unset HOME OLDPWD
cd / && unset OLDPWD
check "all that ran is gone" nothing_left

finish
