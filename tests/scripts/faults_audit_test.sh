#!/bin/bash
# The auditor of tests/integration/faults sees what it is there for: each kind of wrong, made up, is reported, and what
# faults make legal is not.
cd "$(dirname "$0")/../integration/faults" || exit 1
PYTHONDONTWRITEBYTECODE=1 python3 - << 'END'
import hashlib
import pathlib
import sys
import tempfile
import types

sys.path.insert(0, ".")
import audit
import plan

number, failed = 0, 0


def check(name, good, what=""):
    global number, failed
    number += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {name}{'' if good else f' # {what}'}")


def masters():
    told = []
    return audit.Masters({}, told.append, lambda _: None), told


AGENTS = {"slaves": [{"hostname": "agent-1", "active": True}, {"hostname": "agent-2", "active": True}]}
BATCH = {"frameworks": [{"name": "batch", "connected": True}]}


def epoch(value):
    return f"stoa_master_epoch {value}\n"


# ---- Epochs

who, told = masters()
for name, value in (("master-1", 1), ("master-2", 2), ("master-1", 3)):
    who.heard(name, epoch(value), AGENTS, BATCH)
check("epochs that rise are right", not told, told)
who.heard("master-3", epoch(3), AGENTS, BATCH)
check("an epoch with two masters is wrong", len(told) == 1 and "two masters" in told[0], told)

who, told = masters()
who.heard("master-1", epoch(5), AGENTS, BATCH)
who.heard("master-1", epoch(4), AGENTS, BATCH)
check("a master whose epoch falls is wrong", any("fell" in one for one in told), told)

who, told = masters()
who.heard("master-1", epoch(5), AGENTS, BATCH)
who.heard("master-2", epoch(4), AGENTS, BATCH)
check("a new leader under a lower epoch is wrong", any("before" in one for one in told), told)

# ---- What is alive


def tasks(connected):
    told, clock = [], types.SimpleNamespace(now=100.0)
    seen = types.SimpleNamespace(connected_for=lambda host, now: connected.get(host, 0), framework_for=lambda now: 1000)
    return audit.Tasks({}, "/job", seen, told.append, lambda _: None), told


looks, told = tasks({"agent-1": 1000, "agent-2": 1000})
looks.judge({(7, 1, "agent-1", 10), (8, 1, "agent-1", 11), (7, 2, "agent-2", 12)}, 100)
check("a second attempt beside one on a connected agent is wrong", len(told) == 1 and "task 7" in told[0], told)

looks, told = tasks({"agent-2": 1000})
looks.judge({(7, 1, "agent-1", 10), (7, 2, "agent-2", 12)}, 100)
looks.judge({(7, 1, "agent-1", 10), (7, 2, "agent-2", 12)}, 200)
check("beside one on an agent that is away it is right, for as long as that lasts", not told, told)

looks, told = tasks({"agent-1": 2, "agent-2": 1000})
looks.judge({(7, 1, "agent-1", 10), (7, 2, "agent-2", 12)}, 100)
check("and when it has only just come back", not told, told)
looks.masters.connected_for = lambda host, now: 1000
looks.judge({(7, 1, "agent-1", 10), (7, 2, "agent-2", 12)}, 200)
check("and is wrong when it has been back for long", len(told) == 1 and "still alive" in told[0], told)

looks, told = tasks({})
looks.judge({(7, 1, "agent-1", 10), (7, 1, "agent-2", 12)}, 100)
check("one attempt twice alive is wrong wherever", len(told) == 1 and "twice alive" in told[0], told)

# ---- The job's end


def judged(change):
    with tempfile.TemporaryDirectory() as path:
        job = pathlib.Path(path)
        for name in ("effects", "results"):
            (job / name).mkdir()
        told = []
        for index in range(3):
            (job / "results" / str(index)).write_text(audit.expected(index))
            (job / "effects" / f"{index}.1").write_text("begins 1\n")
            (job / "effects" / f"{index}.2").write_text("begins 1\nends 2\n")
            told.append({"index": index, "state": "succeeded", "attempt": 2, "earlier_attempts": [{"attempt": 1, "why": "lost"}]})
        (job / "job").write_text("1\n")
        answer = {"job": {"state": "succeeded", "tasks": told}}
        change(job, answer["job"])
        audit.get = lambda *_, **__: answer
        audit.print = lambda *_: None
        return audit.judge(types.SimpleNamespace(job=path, directory=path, batch="", tasks=3))


def put(where, text):
    return lambda job, _: (job / where).write_text(text)


check("a job that went as logged is right", judged(lambda *_: None) == [], judged(lambda *_: None))
for name, change, word in (
        ("a wrong result", put("results/1", "no\n"), "result"),
        ("a result that is missing", lambda job, _: (job / "results/1").unlink(), "result"),
        ("an attempt that was executed twice", put("effects/1.1", "begins 1\nbegins again\n"), "more than once"),
        ("an attempt that nobody logged", put("effects/1.3", "begins 1\n"), "not in the job's log"),
        ("an attempt that succeeded and did not end", put("effects/1.2", "begins 1\n"), "did not come to its end"),
        ("an attempt that is left out of the log", lambda _, told: told["tasks"][1].pop("earlier_attempts"), "not in the job's log"),
        ("an attempt that is there twice", lambda _, told: told["tasks"][1]["earlier_attempts"].append({"attempt": 1, "why": "lost"}),
         "attempts are"),
        ("a job that failed", lambda _, told: told.update(state="failed"), "failed"),
        ("a task that is left out", lambda _, told: told["tasks"].pop(), "2 tasks of 3")):
    wrong = judged(change)
    check(f"{name} is wrong", any(word in one for one in wrong), wrong)
check("results are hashes that others compute, too",
      audit.expected(0) == hashlib.sha256("".join(f"{i}\n" for i in range(1, 1001)).encode()).hexdigest() + "\n")

# ---- The plan

check("the same seed gives the same faults", plan.plan(7, 20, plan.FAULTS) == plan.plan(7, 20, plan.FAULTS))
check("another one others", plan.plan(7, 20, plan.FAULTS) != plan.plan(8, 20, plan.FAULTS))
kinds = {kind for _, _, _, kind, _, _ in plan.plan(7, 20, plan.FAULTS)}
check("twenty minutes meet every kind", kinds == set(plan.FAULTS), set(plan.FAULTS) - kinds)
print(f"1..{number}")
sys.exit(failed > 0)
END
