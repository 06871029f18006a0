#!/usr/bin/env python3
"""Which faults come when: a function of the seed and the number of minutes alone (and of the faults
to choose from, where not all are wanted).

  plan.py SEED MINUTES [FAULT...]   prints a line a step, in order: MILLISECONDS begin|end ID FAULT TARGET ARGUMENT

A fault is a line of FAULTS and a function `fault_NAME` of faults.sh. Kinds are dealt like cards, so that even a short run
meets each of them before any comes again.
"""
import random
import sys

AGENTS = [f"agent-{i}" for i in range(1, 7)]
MASTERS = [f"master-{i}" for i in range(1, 4)]
SERVERS = [f"zookeeper-{i}" for i in range(1, 4)]
SHIMS = [f"shim-{i}" for i in range(1, 7)]
BATCH = ["batch"]

# name: (targets, shortest and longest in seconds, arguments to choose from). 0 seconds: it happens and is over.
FAULTS = {
    "kill": (AGENTS + MASTERS + SERVERS + SHIMS + BATCH, (0, 0), ["-"]),
    "kill_leader": (["leader"], (0, 0), ["-"]),
    "stop": (AGENTS + MASTERS + SERVERS + SHIMS + BATCH, (3, 30), ["-"]),
    "stop_long": (AGENTS + ["leader"] + BATCH, (30, 40), ["-"]),
    "isolate": (AGENTS + MASTERS + SERVERS + BATCH, (5, 35), ["-"]),
    "mute": (AGENTS + MASTERS + SERVERS + BATCH, (5, 35), ["-"]),
    "deaf": (AGENTS + MASTERS + SERVERS + BATCH, (5, 35), ["-"]),
    "leader_without_agents": (["leader"], (10, 30), ["-"]),
    "leader_without_zookeeper": (["leader"], (10, 30), ["-"]),
    "leader_without_some": (["leader"], (10, 30), ["-"]),
    "lose": (AGENTS + MASTERS + SERVERS + BATCH, (10, 30), ["0.02", "0.1", "0.3"]),
    "delay": (AGENTS + MASTERS + SERVERS + BATCH, (10, 30), ["20", "200", "1000"]),
    "disk_full": (AGENTS + MASTERS + SERVERS + BATCH, (5, 20), ["-"]),
    "disk_error": (AGENTS + MASTERS + SERVERS + BATCH, (3, 10), ["-"]),
    "clock": (AGENTS + MASTERS + ["leader"] + SERVERS + BATCH, (5, 30), ["3600", "-3600"]),
    "reboot": (AGENTS, (0, 0), ["-"]),
    "wipe": (AGENTS, (0, 0), ["-"]),
    "memory": (AGENTS, (5, 20), ["0", "256", "2048"]),
    "descriptors": (AGENTS + MASTERS + ["leader"] + BATCH, (3, 10), ["0", "2", "8"]),
}

AT_ONCE = 5         # faults that last
QUIET = 0.2         # of the time, at the end
FAULTS_A_MINUTE = 14


def plan(seed, minutes, kinds):
    chance = random.Random(seed)
    end = minutes * 60_000 * (1 - QUIET)
    at, number, deck, steps, lasting = 5_000, 0, [], [], []
    while True:
        at += chance.randint(0, 2 * 60_000 // FAULTS_A_MINUTE)
        if at >= end:
            break
        if not deck:
            deck = sorted(kinds)
            chance.shuffle(deck)
        kind = deck.pop()
        targets, (shortest, longest), arguments = FAULTS[kind]
        lasting = [(until, host) for until, host in lasting if until > at]
        if longest and len(lasting) >= AT_ONCE:
            at = min(until for until, _ in lasting)
            lasting = [(until, host) for until, host in lasting if until > at]
        # One fault a host at a time: two would undo each other, and "leader" is some master.
        busy = {host for _, host in lasting}
        free = [t for t in targets if t.replace("shim", "agent") not in busy]
        target = chance.choice(free or targets)
        argument = chance.choice(arguments)
        length = chance.randint(shortest * 1000, longest * 1000)
        until = min(at + length, int(end))
        if not free or until - at < shortest * 1000:
            continue
        number += 1
        steps.append((at, number, "begin", kind, target, argument))
        if longest:
            steps.append((until, number, "end", kind, target, argument))
            host = target.replace("shim", "agent")
            lasting.append((until, host))
            if target == "leader":
                lasting += [(until, master) for master in MASTERS]
            elif target in MASTERS:
                lasting.append((until, "leader"))
    return sorted(steps)


if __name__ == "__main__":
    if len(sys.argv) < 3 or set(sys.argv[3:]) - set(FAULTS):
        sys.exit(f"{__doc__}\nFaults: {', '.join(FAULTS)}")
    for when, which, step, kind, target, argument in plan(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:] or FAULTS):
        print(when, step, which, kind, target, argument)
