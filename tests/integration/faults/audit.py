#!/usr/bin/env python3
"""Looks at a cluster from outside while its parts fail, and judges. It shares no code with the product: it asks HTTP doors,
reads the host's process table, and what tasks wrote of themselves.

  audit.py OPTIONS watch       until SIGTERM; writes DIRECTORY/violations (a line each), observations and seen
  audit.py OPTIONS judge       after the job: its result, and whether attempts and their side effects agree
  audit.py OPTIONS seen        whether `watch` saw enough for its silence to mean something
  audit.py OPTIONS leftovers   after the cluster: what is left of it on this machine

What is wrong:
  - an epoch with two masters, or a master whose epoch falls; a new leader under an epoch that is not above all before
  - one attempt of a task that is alive in two places at the same time, ever
  - two attempts of a task that are alive at the same time, when the older one's agent was connected for all of the last
    LIVE seconds before the younger began; or that stay alive together for LONG while both agents and the framework are
    connected
"""
import argparse
import hashlib
import http.client
import json
import os
import pathlib
import signal
import sys
import threading
import time

LIVE = 15    # seconds: more than an agent needs to be found dead and to be back
LONG = 30    # seconds, above the longest grace period and the longest silence that nobody notices
# Seconds between two looks: nothing tells of what is looked for, and it lasts (an office for a session of 4 s, a task for
# seconds); to look more often would take the processors from the thirteen hosts.
EVERY = 0.5


def get(address, path, timeout=2.0):
    """The answer's JSON, or text; None when there is none (or it is of somebody who doesn't lead)."""
    host, port = address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            return None
        return json.loads(body) if "json" in answer.headers.get("Content-Type", "") else body.decode()
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


class Masters:
    """Who leads, under which epoch, and what it says of its agents. A thread a master, since a stopped one answers late."""

    def __init__(self, addresses, report, log):
        self.report, self.log, self.lock = report, log, threading.Lock()
        self.master_of = {}     # epoch -> master
        self.last_of = {}       # master -> its latest epoch
        self.answered = {}      # master -> when it answered last, leading or not
        self.looks = 0
        self.connected = {}     # agent's host name -> since when, by our clock, as the leader says
        self.framework = None   # likewise, of the batch framework
        for name, address in addresses.items():
            threading.Thread(target=self.follow, args=(name, address), daemon=True).start()

    def follow(self, name, address):
        while True:
            metrics = get(address, "/metrics")
            agents, frameworks = get(address, "/slaves"), get(address, "/frameworks")
            with self.lock:
                self.heard(name, metrics, agents, frameworks)
            time.sleep(EVERY)

    def heard(self, name, metrics, agents, frameworks):
        now = time.monotonic()
        silent_since = self.answered.get(name, now)
        if metrics is not None:
            self.answered[name] = now
        epoch = None
        for line in (metrics or "").splitlines():
            if line.startswith("stoa_master_epoch "):
                epoch = int(float(line.split()[1]))
        if agents is None or not epoch:
            return
        self.looks += 1
        self.elected(name, epoch, now - silent_since)
        if epoch == max(self.master_of):
            self.learn(agents, frameworks, now)

    def elected(self, name, epoch, silence):
        other = self.master_of.get(epoch)
        if other is None:
            # A leader that was stopped may tell of an office that it held, unseen, before the present one's.
            if self.master_of and epoch < max(self.master_of) and silence < 3:
                self.report(f"{name} leads under epoch {epoch}, though there was {max(self.master_of)} before")
            self.master_of[epoch] = name
            self.log(f"{name} leads under epoch {epoch}")
        elif other != name:
            self.report(f"epoch {epoch} has two masters: {other} and {name}")
        if epoch < self.last_of.get(name, 0):
            self.report(f"the epoch of {name} fell from {self.last_of[name]} to {epoch}")
        self.last_of[name] = epoch

    def learn(self, agents, frameworks, now):
        active = {agent["hostname"] for agent in agents.get("slaves", []) if agent.get("active")}
        for host in list(self.connected):
            if host not in active:
                del self.connected[host]
        for host in active:
            self.connected.setdefault(host, now)
        batch = any(one.get("name") == "batch" and one.get("connected", one.get("active"))
                    for one in (frameworks or {}).get("frameworks", []))
        self.framework = (self.framework or now) if batch else None

    def connected_for(self, host, now):
        with self.lock:
            return now - self.connected[host] if host in self.connected else 0

    def framework_for(self, now):
        with self.lock:
            return now - self.framework if self.framework else 0


def environment_of(process):
    pairs = (one.partition(b"=") for one in (process / "environ").read_bytes().split(b"\0"))
    return {name.decode(): value.decode(errors="replace") for name, _, value in pairs if name.startswith((b"STOA_", b"PWD"))}


def is_alive(process):
    return (process / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"


class Tasks:
    """What is alive of the job, by the process table: an attempt is a container, which is a pid namespace."""

    def __init__(self, networks, directory, masters, report, log):
        self.networks, self.directory, self.masters = networks, str(directory), masters
        self.report, self.log = report, log
        self.known = {}    # pid, start time -> (index, attempt, host, pid namespace), or None: not of the job
        self.since = {}    # (index, attempt, host, namespace) -> when it was seen first
        self.together = {} # two such -> since when both are alive and all is connected
        self.told = set()
        self.seen, self.most, self.doubles, self.cgroups = 0, 0, 0, set()

    def place_of(self, process):
        environment = environment_of(process)
        if "STOA_ATTEMPT" not in environment or environment.get("STOA_SUBMIT_DIR") != self.directory:
            return None
        host = self.networks.get(os.stat(process / "ns/net").st_ino)
        for line in (process / "cgroup").read_text().splitlines():
            self.cgroups.add(line.split(":", 2)[2])
        return (int(environment["STOA_TASK_INDEX"]), int(environment["STOA_ATTEMPT"]), host,
                os.stat(process / "ns/pid").st_ino)

    def look(self):
        now, alive, pids = time.monotonic(), set(), {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            process = pathlib.Path(entry.path)
            try:
                key = (entry.name, (process / "stat").read_text().rpartition(")")[2].split()[19])
                # Between fork and exec it is what its parent was: asked until it is one of the job's, or is old.
                if key in self.known and (self.known[key][0] or self.known[key][1] > 3):
                    place, looks = self.known[key]
                else:
                    place, looks = self.place_of(process), self.known.get(key, (None, 0))[1] + 1
                pids[key] = (place, looks)
                if place and is_alive(process):
                    alive.add(place)
            except (OSError, ValueError, IndexError):
                continue
        self.known = pids
        self.judge(alive, now)

    def judge(self, alive, now):
        self.since = {place: self.since.get(place, now) for place in alive}
        self.most = max(self.most, len(alive))
        by_index = {}
        for place in alive:
            by_index.setdefault(place[0], []).append(place)
        together = {}
        for index, places in by_index.items():
            places.sort(key=lambda place: (place[1], self.since[place]))
            for older, younger in zip(places, places[1:]):
                self.pair(index, older, younger, now, together)
        self.together = together

    def pair(self, index, older, younger, now, together):
        names = f"task {index}: attempt {older[1]} on {older[2]} and attempt {younger[1]} on {younger[2]}"
        begins = (older, younger) not in self.told
        if begins:
            self.told.add((older, younger))
            self.doubles += 1
            self.log(f"{names} are alive at the same time")
        if older[1] == younger[1]:
            if begins:
                self.report(f"{names}: the same attempt, twice alive")
            return
        connected = self.masters.connected_for(older[2], now)
        if begins and connected > LIVE:
            self.report(f"{names}: both alive, though the former's agent was connected for {connected:.0f} s")
        quiet = min(connected, self.masters.connected_for(younger[2], now), self.masters.framework_for(now))
        if quiet > LONG and now - max(self.since[older], self.since[younger]) > LONG and (older, younger, 0) not in self.told:
            self.told.add((older, younger, 0))
            self.report(f"{names}: both still alive, with everybody connected for {quiet:.0f} s")


def watch(options):
    directory, begun = pathlib.Path(options.directory), time.monotonic()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    files = {name: open(directory / name, "w", buffering=1) for name in ("violations", "observations")}

    def write(name):
        return lambda what: print(f"{(time.monotonic() - begun) * 1000:8.0f} {what}", file=files[name])

    masters = Masters({name: f"{address}:5050" for name, (address, _) in options.hosts.items() if name.startswith("master")},
                      write("violations"), write("observations"))
    networks = {network: name for name, (_, network) in options.hosts.items()}
    tasks = Tasks(networks, options.job, masters, write("violations"), write("observations"))
    looks, parent = 0, os.getppid()
    while not ended.is_set() and os.getppid() == parent:  # nor longer than the test
        tasks.look()
        looks += 1
        ended.wait(EVERY)
    (directory / "cgroups").write_text("\n".join(sorted(tasks.cgroups)))
    (directory / "seen").write_text(json.dumps({
        "looks at the process table": looks, "answers of a leader": masters.looks, "epochs": len(masters.master_of),
        "most tasks alive at once": tasks.most, "pairs of attempts alive at once": tasks.doubles}) + "\n")


def expected(index):
    lines = "".join(f"{number}\n" for number in range(index + 1, index + 1001))
    return hashlib.sha256(lines.encode()).hexdigest() + "\n"


def attempts_of(task):
    return task.get("earlier_attempts", []) + ([task] if "attempt" in task else [])


def judge(options):
    job, number = pathlib.Path(options.job), (pathlib.Path(options.directory) / "job").read_text().strip()
    answer = get(options.batch, f"/api/stoa/jobs/{number}?first=0&tasks={options.tasks}", timeout=20)
    wrong = []
    if answer is None:
        return [f"no answer of {options.batch} about job {number}"]
    told = answer["job"]
    if told["state"] != "succeeded":
        wrong.append(f"the job has {told['state']}: {told.get('why', '')}")
    effects = {}
    for path in (job / "effects").iterdir():
        index, attempt = map(int, path.name.split("."))
        effects[index, attempt] = path.read_text()
    for (index, attempt), text in sorted(effects.items()):
        if "again" in text:
            wrong.append(f"task {index}: attempt {attempt} was executed more than once")
    logged = {(task["index"], one["attempt"]): one for task in told["tasks"] for one in attempts_of(task)}
    for key in sorted(set(effects) - set(logged)):
        wrong.append(f"task {key[0]}: attempt {key[1]} has run, and is not in the job's log")
    for task in told["tasks"]:
        index = task["index"]
        if not (job / "results" / str(index)).exists() or (job / "results" / str(index)).read_text() != expected(index):
            wrong.append(f"task {index}: its result is not there, or wrong")
        # One may be left out: it was decided on when the framework was killed, and never said to anybody.
        numbers = [one["attempt"] for one in attempts_of(task)]
        if numbers != sorted(set(numbers)):
            wrong.append(f"task {index}: its attempts are {numbers}")
        # It is said to have succeeded: that attempt has begun once, and come to its end.
        if task["state"] == "succeeded" and effects.get((index, task["attempt"]), "").count("ends") != 1:
            wrong.append(f"task {index}: attempt {task['attempt']} is said to have succeeded, and did not come to its end")
        for one in attempts_of(task)[:-1]:
            if not one.get("why"):
                wrong.append(f"task {index}: attempt {one['attempt']} was given up, and nothing says why")
    if len(told["tasks"]) != options.tasks:
        wrong.append(f"{len(told['tasks'])} tasks of {options.tasks} are told of")
    print(f"{len(effects)} attempts had their effect, of {len(logged)} in the log, for {len(told['tasks'])} tasks")
    return wrong


def seen(options):
    counts = json.loads((pathlib.Path(options.directory) / "seen").read_text())
    print(counts)
    wrong = [f"{name}: {counts[name]}, not {least}" for name, least in
             (("looks at the process table", 20), ("answers of a leader", 20), ("epochs", 1),
              ("most tasks alive at once", 10)) if counts[name] < least]
    return wrong


def leftovers(options):
    left = []
    networks = {network for _, network in options.hosts.values()}
    spared = {int(pid) for pid in options.spared} | {os.getpid()}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) in spared:
            continue
        process = pathlib.Path(entry.path)
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            status = (process / "status").read_text()
            parent = int(status.partition("PPid:")[2].split()[0])
            if not is_alive(process) or parent in spared:
                continue
            if os.stat(process / "ns/net").st_ino in networks or options.work in words or \
                    options.work.encode() in (process / "environ").read_bytes():
                left.append(f"process {entry.name}: {words}")
        except (OSError, ValueError, IndexError):
            continue
    # Of the tasks that were seen: below which cgroup of its host each was.
    used = (pathlib.Path(options.directory) / "cgroups").read_text().split("\n")
    roots = {path[:path.index(f"/{name}/") + len(name) + 1] for path in used for name in options.hosts if f"/{name}/" in path}
    mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in mounts:
        if mount[mount.index("-") + 1] in ("cgroup", "cgroup2"):
            left += [f"cgroup {path}/{name}" for root in roots for path, names, _ in os.walk(mount[4] + root) for name in names]
        # The hosts' disks are the test's own.
        elif mount[4].startswith(options.work + "/") and mount[4] not in {f"{options.work}/c/{name}" for name in options.hosts}:
            left.append(f"mount {mount[4]}")
    # A container's bundle or state that nobody took away.
    for folder in ("bundles", "runtime"):
        left += [f"container {path}" for path in pathlib.Path(options.work).glob(f"c/agent-*/run/{folder}/*")]
    return left


def host(text):
    name, address, network = text.split("=")
    return name, (address, int(network))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True, help="where what was seen is kept")
    parser.add_argument("--job", required=True, help="the directory that the tasks share")
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--host", dest="hosts", type=host, action="append", default=[], help="NAME=ADDRESS=NETWORK-NAMESPACE")
    parser.add_argument("--batch", help="HOST:PORT of the batch framework")
    parser.add_argument("--work", help="directory of all that the test makes")
    parser.add_argument("--not", dest="spared", action="append", default=[], help="pid of the test itself")
    parser.add_argument("what", choices=["watch", "judge", "seen", "leftovers"])
    options = parser.parse_args()
    options.hosts = dict(options.hosts)
    wrong = {"watch": watch, "judge": judge, "seen": seen, "leftovers": leftovers}[options.what](options)
    for one in (wrong or [])[:50]:
        print(one)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
