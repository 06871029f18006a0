#!/bin/bash
# The batch queue as its users see it: arrays, dependencies, files, retries, cancellation, what is said of mistakes, and
# the queue's own death.
source "$(dirname "$0")/lib.sh"

# Jobs start where they are submitted, as an unprivileged user, who may not be let into the source tree.
mkdir -m 777 "$work/anywhere" && cd "$work/anywhere" || exit 1
start_cluster --agents=3 --resources='cpus:2;mem:1024'

# submit OPTION... -- COMMAND...: sets $job.
submit() { job=$(stoa submit --cpus=0.2 --mem=32 "$@") || { not_ok "a job is taken: $*"; finish; }; }
jobs() { stoa --json jobs "$1" | jq -er ".job | ${2:-.}"; }
job_is() { [[ $(jobs "$1" .state) == "$2" ]]; }

# ---- Arrays and files ------------------------------------------------------------------------------------------

mkdir "$work/in"
for i in 0 1 2 3 4; do echo "part $i" > "$work/in/part-$i"; done
submit --array=5 --input="part=$work/in/part-%i" --result=out -- sh -c 'cat part > out; echo $STOA_TASK_INDEX of $STOA_TASK_COUNT'
maps=$job
submit --input="all=job:$maps/*/out" -- sh -c 'cat all.*'
gather=$job
check "a job that reads another's outputs waits for it" test "$(jobs "$gather" '.after[0]')" = "$maps"
check "both end well" ends_with 0 timeout 60 "$bin/stoa" --dir="$dir" wait "$maps" "$gather"
check "each task of an array has its own input, fetched from an agent, and its outputs reach the next job" \
  test "$(stoa logs "$gather")" = "$(cat "$work"/in/part-*)"
check "tasks know their index and how many they are" test "$(stoa logs "$maps/3")" = "3 of 5"
check "outputs can be fetched, one or all" test "$(stoa fetch "$maps/2" out --to=-)$(cd "$work" && stoa fetch "$maps" out --to=got.%i && cat got.4)" = "part 2part 4"

# ---- Failures --------------------------------------------------------------------------------------------------

submit --retries=2 -- sh -c 'exit 5'
check "a failed job gives the code of its command" ends_with 5 timeout 60 "$bin/stoa" --dir="$dir" wait --quiet "$job"
check "it was tried as often as asked, and the reasons are counted" test "$(jobs "$job" '.reasons["exit 5"]')" = 3
submit --retries=3 -- sh -c 'test $STOA_ATTEMPT = 3'
check "a task that succeeds at its third attempt is a success" ends_with 0 timeout 60 "$bin/stoa" --dir="$dir" wait "$job"
submit --hold -- sh -c 'exit 1' # held until the other has been taken, too
failing=$job
submit --after="$failing" -- true
stoa release "$failing"
check "a job is cancelled when the one it waits for fails" ends_with 1 timeout 60 "$bin/stoa" --dir="$dir" wait --quiet "$job"
check "and says why" test "$(jobs "$job" .why)" = "job $failing did not succeed"
check "to wait for a job that failed is refused" says 1 "would never start" stoa submit --after="$failing" -- true
check "so is one that is not there" says 1 "there is no job 4711" stoa submit --after=4711 -- true

# ---- Killing ---------------------------------------------------------------------------------------------------

submit --array=60 -- sleep 60
some_run() { (($(jobs "$1" .tasks_in.running) > 0)); }
check "an array larger than the cluster runs in parts" wait_until 20 some_run "$job"
check "and the rest waits" test "$(jobs "$job" '.tasks_in.waiting > 0')" = true
check "explain says what falls short" says 0 "wait for a place" stoa explain "$job"
stoa kill "$job"
check "a killed job ends" ends_with 1 timeout 30 "$bin/stoa" --dir="$dir" wait --quiet "$job"
check "all of it is cancelled" test "$(jobs "$job" .tasks_in.cancelled)" = 60
check "no process of it is left" wait_until 5 test -z "$(pgrep -f 'sleep 60$' | while read -r pid; do grep -lz "$work" "/proc/$pid/environ"; done)"

# ---- The submitter's directory ---------------------------------------------------------------------------------

here=$work/here
mkdir "$here" && chmod 777 "$here"
in_here() { (cd "$here" && "$@"); }
result() { cat "$here/$1"; }

check "a job runs in the directory from which it was submitted" \
  ends_with 0 in_here stoa submit --wait --mem=32 --cpus=0.2 -- sh -c 'pwd > where; touch made'
check "it may write there" test "$(result where)" = "$here"
check "and nowhere else" ends_with 1 in_here stoa submit --wait --mem=32 --cpus=0.2 -- sh -c "touch $work/elsewhere"
check "a directory that no agent allows is refused with that reason" \
  says 1 "work directory /etc: this agent allows only those below /home, /tmp" stoa submit --wait --mem=32 --cpus=0.2 --chdir=/etc -- true
check "one that is not there likewise" \
  says 1 "work directory /tmp/no/such: No such file or directory" stoa submit --wait --mem=32 --cpus=0.2 --chdir=/tmp/no/such -- true

mkdir -m 755 "$work/closed"
check "an output file that can't be written is the reason of the failure" says 125 "its files could not be opened" \
  stoa submit --wait --mem=32 --cpus=0.2 --chdir="$work/closed" --output=x -- true

# Somebody of this test's own, in a group that is not his first.
person=stoa-test-$$
groupadd "$person-g" && useradd --no-create-home --groups "$person-g" "$person"
trap 'userdel "$person" 2> /dev/null; groupdel "$person-g" 2> /dev/null; clean_up' EXIT
as_person() { (cd "$here" && setpriv --reuid="$person" --regid="$person" --init-groups -- "$@"); }
mkdir "$here/shared" && chgrp "$person-g" "$here/shared" && chmod 770 "$here/shared"
check "a job is its submitter's, with his groups" \
  ends_with 0 as_person "$bin/stoa" --dir="$dir" submit --wait --mem=32 --cpus=0.2 -- sh -c 'id -un > shared/who; id -Gn >> shared/who'
check "what it wrote is his" test "$(stat -c %U "$here/shared/who"):$(head -n 1 "$here/shared/who")" = "$person:$person"
check "he has his groups in it" grep -qw "$person-g" "$here/shared/who"
check "root's jobs don't run as root" \
  ends_with 0 in_here stoa submit --wait --mem=32 --cpus=0.2 -- sh -c 'test "$(id -un)" = nobody'
check "nobody else can submit as him" says 1 "only root may submit for another user" \
  setpriv --reuid=daemon --regid=daemon --clear-groups -- "$bin/stoa" --dir="$dir" submit --sandbox --user="$person" -- true
submit --sandbox --hold -- true
check "nor cancel root's job" says 1 "only root and root may change it, and you are $person" \
  as_person "$bin/stoa" --dir="$dir" kill "$job"
stoa kill "$job"

# ---- Scripts ---------------------------------------------------------------------------------------------------

script() { cat > "$here/$1" && chmod 755 "$here/$1"; }
script good.sh <<'END'
#!/bin/bash
#STOA --name=from-script --cpus=0.2 --mem=32
#STOA --output=out-%j-%x.txt --env=GREETING=hello
echo "$GREETING $1 from $STOA_JOB"
echo "$SLURM_JOB_NAME" >&2
END
job=$(in_here stoa submit ./good.sh "the world")
check "a script runs with the options in its lines, and its arguments" ends_with 0 stoa wait --quiet "$job"
check "both outputs go to the file that it names" \
  test "$(result "out-$job-from-script.txt")" = "hello the world from $job"$'\n'from-script
check "the command line has the last word" \
  test "$(jobs "$(in_here stoa submit --hold --name=other ./good.sh)" .name)" = other
script bad.sh <<'END'
#!/bin/sh
# fine so far
#STOA --cpus=0.2
#STOA --memory=3
true
END
check "a wrong option is said with its line" says 2 "./bad.sh, line 4: #STOA" in_here stoa submit ./bad.sh
check "and named" says 2 "--memory=3" in_here stoa submit ./bad.sh
script bad2.sh <<'END'
#!/bin/sh
#SBATCH --time=soon
END
check "so is a wrong value" says 2 'is no time' in_here stoa submit --mem=32 ./bad2.sh
script strange.sh <<'END'
#!/bin/sh
#SBATCH --frobnicate=3 -c 1 --mem=32M
exit 7
END
check "an option of Slurm's that is not known is only a warning" \
  says 7 "line 2: #SBATCH --frobnicate is not known" in_here stoa submit --wait ./strange.sh
check "a script that is not there is said so" says 2 "nosuch.sh: No such file" in_here "$bin/sbatch" nosuch.sh

# ---- Time limits -----------------------------------------------------------------------------------------------

script limited.sh <<'END'
#!/bin/bash
#STOA --cpus=0.2 --mem=32 --time=3s --signal=USR1@2 --output=limited.txt
trap 'echo warned' USR1
trap 'echo ended; exit 9' TERM
for i in $(seq 100); do sleep 0.1; done
END
job=$(in_here stoa submit ./limited.sh)
check "a job beyond its time limit is ended" ends_with 9 stoa wait --quiet "$job"
check "with that reason" test "$(jobs "$job" '.reasons["time limit"]')" = 1
check "it was warned before" test "$(result limited.txt)" = $'warned\nended'
check "a warning without a limit is refused" says 2 "no time limit before which" stoa submit --signal=USR1@5 -- true

# ---- Arrays, dependencies, holding -----------------------------------------------------------------------------

submit --sandbox --array=2-8:3%1 -- sh -c 'echo $STOA_TASK_INDEX; sleep 0.2'
check "an array has the indices asked for" ends_with 0 stoa wait --quiet "$job"
check "each task has its own" test "$(stoa logs "$job" | paste -sd,)" = 2,5,8
check "a task is asked for by its index" test "$(stoa logs "$job/5")" = 5
check "one that is not there is named" says 1 "has no task 3; it has 3, 2-8:3" stoa job "$job/3"
running_at_once() { jobs "$1" '[.tasks[] | {s: .started_ns, e: .ended_ns}] | sort_by(.s) | [range(1; length) as $i | .[$i].s >= .[$i-1].e] | all'; }
check "no more run at the same time than it allows" test "$(running_at_once "$job")" = true

submit --sandbox -- sh -c 'exit 4'
failing=$job
submit --sandbox --dependency="afternotok:$failing" -- echo mended
check "a job may wait for a failure" ends_with 0 stoa wait --quiet "$job"
submit --sandbox --dependency="afterok:$job,afterany:$failing" -- true
check "and for several things" ends_with 0 stoa wait --quiet "$job"
check "a dependency that can't be met is refused" says 1 "job $failing is failed, so this one would never start" \
  stoa submit --dependency="afterok:$failing" -- true
check "a job can't wait for itself, nor for one to come" says 1 "there is no job $((job + 1))" \
  stoa submit --dependency="afterok:$((job + 1))" -- true
check "a dependency that is none is named" says 2 '"later:3" is no dependency' stoa submit --dependency=later:3 -- true
check "an array that is none is named" says 2 '--array: "9-3" runs backwards' stoa submit --array=9-3 -- true

submit --sandbox --hold -- true
check "a held job waits" test "$(jobs "$job" '.state + " " + .why')" = "held held; \`stoa release\` lets it go"
stoa priority "$job" --to=7
stoa release "$job"
check "and runs when it is released" ends_with 0 stoa wait --quiet "$job"
check "its priority was changed" test "$(jobs "$job" .priority)" = 7
check "an ended job can't be changed" says 1 "nothing left to change" stoa hold "$job"

submit --sandbox --array=30 -- sh -c 'sleep 0.3'
stoa kill "$job/29"
check "one task of an array can be cancelled" ends_with 1 stoa wait --quiet "$job"
check "the others run" test "$(jobs "$job" .tasks_in.succeeded),$(jobs "$job" .tasks_in.cancelled)" = 29,1

submit --sandbox --retries=1 -- sh -c 'test $STOA_ATTEMPT = 2'
stoa wait --quiet "$job"
check "stoa job shows each attempt with its reason" says 0 "exit 1" stoa job "$job"
check "with agent, times and use" test "$(jobs "$job" '.tasks[0] | [.earlier_attempts[0], .] | map(.agent_id != null and .started_ns > 0 and .ended_ns > .started_ns) | all')" = true

# ---- Slurm's names ---------------------------------------------------------------------------------------------

export STOA_DIR=$dir
slurm() { (cd "$here" && "$bin/$1" "${@:2}"); }
id=$(slurm sbatch --parsable --mem=32 -c1 -J wrapped --wrap 'echo $SLURM_JOB_ID $SLURM_SUBMIT_DIR')
check "sbatch prints the number alone when asked to" test "$id" -gt 0
stoa wait --quiet "$id"
check "its output is where Slurm has it" test "$(result "slurm-$id.out")" = "$id $here"
check "sbatch says what it did" says 0 "Submitted batch job" slurm sbatch --mem=32 --wrap true
id=$(printf '#!/bin/sh\n#SBATCH --mem=32 -o piped.out\necho piped\n' | slurm sbatch --parsable)
stoa wait --quiet "$id"
check "a script may come by standard input" test "$(result piped.out)" = piped
check "which has to be one" says 2 "a script starts with a line such as #!/bin/sh" slurm sbatch < /dev/null
check "an unknown option is an error on the command line" says 2 "--frobnicate is no option" slurm sbatch --frobnicate --wrap true
check "a job over several nodes is refused" says 2 "a job runs on one agent" slurm sbatch -N 4 --wrap true
id=$(slurm sbatch --parsable --hold --mem=32 -a 1-9 -J waiting --wrap 'sleep 100')
check "squeue shows what waits, and why" test "$(slurm squeue -h -j "$id" -o '%i %j %t %R')" = "${id}_[1-9] waiting PD (JobHeldUser)"
slurm scancel "${id}_[2-9]"
check "scancel takes tasks of an array" test "$(jobs "$id" .tasks_in.cancelled)" = 8
stoa release "$id"
runs() { [[ $(slurm squeue -h -j "$id" -o '%i %t') == "${id}_1 R" ]]; }
check "what runs has a line of its own" wait_until 20 runs
slurm scancel -n waiting
check "scancel takes names" ends_with 1 stoa wait --quiet "$id"
check "a cancelled job is among the ended ones" test "$(slurm squeue -h -t CA -j "$id" -o %T)" = CANCELLED
id=$(slurm sbatch --parsable --begin=now+1hour --mem=32 -J later --wrap true)
check "a job may begin later, and squeue says so" test "$(slurm squeue -h -j "$id" -o '%t %r')" = "PD BeginTime"
check "explain says when" says 0 "is held: begins at $(date -u +%Y)" stoa explain "$id"
check "so does the job" says 0 "begins  " stoa job "$id"
slurm scancel "$id"
id=$(stoa submit --begin=now+2 --cpus=0.2 --mem=32M -- true)
check "one that begins in two seconds waits first" test "$(jobs "$id" .state)" = held
check "and then runs" ends_with 0 stoa wait --quiet "$id"
check "not before its time" test "$(jobs "$id" '.started_ns >= .begin_ns')" = true
check "what is no time is named" says 2 '--begin: "soon" is no time' stoa submit --begin=soon -- true
check "squeue has Slurm's heads" says 0 "JOBID PARTITION     NAME     USER ST" slurm squeue
check "a format that is none is named" says 2 '"%q" stands for nothing' slurm squeue -o '%q'
check "scancel without jobs is wrong usage" says 2 "say which jobs" slurm scancel
check "scancel of a job that is not there says so" says 1 "there is no job 4711" slurm scancel 4711
check "sinfo shows the agents" says 0 "idle" slurm sinfo
check "one a line when asked to" test "$(slurm sinfo -N -h | wc -l)" = 3
unset STOA_DIR

# ---- Mistakes --------------------------------------------------------------------------------------------------

check "a task that no agent can hold is explained at once" says 0 "no agent is large enough" stoa submit --cpus=50 -- true
stoa kill "$(stoa --json jobs | jq '.jobs[-1].job')"
check "an input that is not there is named" says 1 "/no/such/file" stoa submit --input=/no/such/file -- true
check "an output outside of the sandbox is refused" says 2 "leads out of the sandbox" stoa submit --result=../x -- true
check "a wrong amount is named" says 2 '"lots" is no amount of memory' stoa submit --mem=lots -- true
check "no command is wrong usage" says 2 "say what to run" stoa submit --cpus=1
check "a job that is not there is said so" says 1 "there is no job 4711" stoa wait 4711
check "what is no number is said so" says 2 '"x" is no job' stoa kill x

# ---- The queue's death -----------------------------------------------------------------------------------------

submit --sandbox --name=lasting -- sh -c 'until [ -e go ]; do sleep 0.05; done; echo over'
lasting=$job
check "a task runs" wait_until 20 is_running lasting
before=$(identity lasting)
submit --after="$lasting" -- echo next
next=$job
kill_hard "$(pid_of batch)"
check "a killed queue starts again" restart
check "it knows its jobs" test "$(jobs "$next" .state)" = held
check "its task kept host pid, start time and attempt" test "$(identity lasting)" = "$before"
touch "$(sandbox_of lasting)/go"
check "the task's end reaches the new one, and the next job runs" ends_with 0 timeout 30 "$bin/stoa" --dir="$dir" wait "$lasting" "$next"
check "with one attempt each" test "$(jobs "$lasting" '.tasks[0].attempt')$(jobs "$next" '.tasks[0].attempt')" = 11

check "stoa down ends the cluster" ends_with 0 stoa down
check "a queue that was down has its jobs again" test "$(stoa up --detach > /dev/null && jobs "$next" .state)" = succeeded
check "stoa down ends it once more" ends_with 0 stoa down
finish
