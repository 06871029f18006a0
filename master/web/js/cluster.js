// The cluster as the master tells it: one stream of JSON lines (/api/stoa/events), a snapshot first, changes after it.
// Nothing is polled. When the stream breaks, `live` turns false at once and the stream is opened again, here or, when
// this master doesn't answer, by going to another master's page.
//
//   const cluster = new Cluster(onChange); cluster.start();

import { isLive } from "./format.js";

const kRetry = 1000; // ms, doubled up to:
const kLongestRetry = 5000;
const kProbe = 2000; // ms
const kSilence = 15000; // ms; the master says something every 5 s
const kEndedKept = 1000; // tasks of a framework, as the master keeps

// Calls back with each line's object; returns when the stream ends.
export async function readLines(response, onLine, onBytes) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes();
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) onLine(JSON.parse(line));
  }
}

export class Cluster {
  constructor(onChange) {
    this.onChange = onChange;
    this.live = false;
    this.loaded = false;
    this.why = "connecting";
    this.masters = [];
    this.clear();
  }

  clear() {
    this.master = {};
    this.agents = new Map();
    this.frameworks = new Map();
    this.tasks = new Map(); // "framework/task"
    this.newest = []; // the same tasks, in the order in which they came
    this.gone = 0; // of `newest`, how many are no longer in `tasks`
    this.byState = new Map();
    this.ended = new Map(); // framework: its ended tasks' keys, oldest first
    this.history = [];
    this.skew = 0; // seconds that the master's clock is ahead of ours
    this.version = 0; // of tasks: changes with each
  }

  now() {
    return Date.now() / 1000 + this.skew;
  }

  start() {
    this.run(); // for ever
  }

  async run() {
    let wait = kRetry;
    for (;;) {
      try {
        await this.connect();
        wait = kRetry;
        this.why = "the master ended the stream";
      } catch (error) {
        this.why = error.reason ?? "the master does not answer";
      }
      this.live = false;
      this.onChange();
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(2 * wait, kLongestRetry);
      await this.goToLeader();
    }
  }

  async connect() {
    const control = new AbortController();
    let timer;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => control.abort(), kSilence);
    };
    heard();
    try {
      const response = await fetch("/api/stoa/events", { signal: control.signal, cache: "no-store", redirect: "manual" });
      if (response.type === "opaqueredirect" || response.status === 503) throw Object.assign(new Error(), { reason: "this master does not lead" });
      if (!response.ok) throw Object.assign(new Error(), { reason: `the master answers ${response.status}` });
      await readLines(response, (line) => this.apply(line), heard);
    } finally {
      clearTimeout(timer);
    }
  }

  // Every living master has this page, and knows who leads. Only where something answers does the page go: the leader that
  // a standby still believes in may be the one that died.
  async goToLeader() {
    let here = null;
    try {
      here = await (await fetch("/api/stoa/masters", { cache: "no-store", signal: AbortSignal.timeout(kProbe) })).json();
      this.masters = here.masters;
    } catch {
      // this master is dead
    }
    for (const address of here ? [here.leader] : this.masters) {
      if (!address || address === location.host) continue;
      const other = `${location.protocol}//${address}`;
      try {
        await fetch(`${other}/health`, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(kProbe) });
      } catch {
        continue;
      }
      location.replace(`${other}/${location.hash}`);
      return;
    }
  }

  apply(line) {
    this.on[line.type]?.call(this, line);
    this.onChange();
  }

  on = {
    hello(line) {
      this.clear();
      this.master = line.master;
      this.masters = line.masters ?? [];
      this.history = line.history;
      this.skew = line.now - Date.now() / 1000;
    },
    live() {
      this.live = true;
      this.loaded = true;
      this.why = "";
    },
    beat() {},
    sample(line) {
      this.history.push(line.at);
      while (this.history.length > 361) this.history.shift();
    },
    agent(line) {
      this.agents.set(line.id, line);
    },
    agent_gone(line) {
      this.agents.delete(line.id);
    },
    framework(line) {
      this.frameworks.set(line.id, line);
    },
    task(line) {
      this.setTask(line);
    },
  };

  setTask(task) {
    ++this.version;
    const key = `${task.framework}/${task.id}`;
    const old = this.tasks.get(key);
    const was_live = !old || isLive(old.state);
    task.key = key;
    task.text = `${task.id}\n${task.name}\n${task.agent}\n${this.frameworks.get(task.framework)?.name ?? ""}`.toLowerCase();
    if (old) {
      this.byState.set(old.state, this.byState.get(old.state) - 1);
      Object.assign(old, task);
    } else {
      this.tasks.set(key, task);
      this.newest.push(task);
    }
    this.byState.set(task.state, (this.byState.get(task.state) ?? 0) + 1);
    if (was_live && !isLive(task.state)) this.bound(task);
  }

  bound(task) {
    let keys = this.ended.get(task.framework);
    if (!keys) this.ended.set(task.framework, (keys = []));
    keys.push(task.key);
    if (keys.length <= kEndedKept) return;
    const oldest = this.tasks.get(keys.shift());
    if (!oldest || isLive(oldest.state)) return;
    this.tasks.delete(oldest.key);
    this.byState.set(oldest.state, this.byState.get(oldest.state) - 1);
    oldest.dropped = true;
    if (++this.gone > 1000 && this.gone > this.newest.length / 2) {
      this.newest = this.newest.filter((one) => !one.dropped);
      this.gone = 0;
    }
  }

  // Newest first.
  findTasks(words, wanted) {
    const found = [];
    for (let i = this.newest.length - 1; i >= 0; --i) {
      const task = this.newest[i];
      if (!task.dropped && wanted(task) && words.every((word) => task.text.includes(word))) found.push(task);
    }
    return found;
  }

  totals() {
    const total = { cpus: 0, mem: 0, disk: 0 };
    const used = { cpus: 0, mem: 0, disk: 0 };
    const offered = { cpus: 0, mem: 0, disk: 0 };
    for (const agent of this.agents.values()) {
      if (agent.state !== "active" && agent.state !== "disconnected") continue;
      for (const name of Object.keys(total)) {
        total[name] += agent.total[name] ?? 0;
        used[name] += agent.used[name] ?? 0;
        offered[name] += agent.offered[name] ?? 0;
      }
    }
    return { total, used, offered };
  }
}

// The answer's text says why not.
export async function kill(framework, task) {
  const call = { type: "KILL_TASK", kill_task: { framework_id: { value: framework }, task_id: { value: task } } };
  const response = await fetch("/api/v1", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(call),
  });
  if (!response.ok) throw new Error((await response.text()) || `the master answers ${response.status}`);
}
